"""Several engines in one job: each has its own places, circuit and pauses, and none stops the tasks of another."""

import pytest

from aiassistant.executing.models import Execution
from aiassistant.models import AIEngine
from audit.models import AuditEntry
from jobs.circuits.models import Circuit
from jobs.models import Record
from jobs.policy.models import EngineSlots
from jobs.policy.slots import Slots
from tests.aiassistant.house import SENTIMENT, SUMMARY, emulator, house, make_engine  # noqa: F401
from tests.engines.standing_in import KEY

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(house):  # noqa: F811
    """The job's engine for the summary, another one of the same server for the mood."""
    settings = {"base_url": f"{house.emulator.url}/openai/v1", "model": "gpt-test-small", "context_window": 4096}
    other = make_engine("openai", settings, {"api_key": KEY}, house.system, name="Other")
    house.task("mood", [SENTIMENT], engine_ref=other.pk)
    house.task("summary", [SUMMARY])
    house.work()
    return house, other


def fail(house, engine):  # noqa: F811
    """Its circuit is open."""
    Circuit.objects.update_or_create(
        key=f"aiassistant:{engine.pk}",
        defaults={
            "state": "open",
            "window_began": "2026-01-01T00:00Z",
            "opened_at": "2026-01-01T00:00Z",
            "probe_at": "2126-01-01T00:00Z",
            "reason": "it broke",
        },
    )


@pytest.mark.parametrize("failing", ["Model", "Other"])
def test_an_engine_whose_circuit_is_open_does_not_stop_the_tasks_of_the_other(two, failing):
    home, _other = two
    fail(home, AIEngine.objects.get(name=failing))
    call = home.call()
    home.sweep()
    record = home.record(call)
    assert [one.engine_name for one in home.executions(call)] == [{"Model": "Other", "Other": "Model"}[failing]]
    assert (record.state, record.wait, record.errors) == ("in_progress", Record.Wait.CIRCUIT, 0)
    assert failing in record.last_error
    assert home.asked() == 1
    Circuit.objects.update(probe_at="2026-01-01T00:00Z")
    home.finish(call)
    assert len(home.values(call)) == 2
    assert set(Circuit.objects.values_list("state", flat=True)) == {"closed"}


def test_failures_of_an_engine_open_its_own_circuit(two):
    home, other = two
    home.emulator.control("POST", "/_emu/faults", {"match": {"path_prefix": "/openai/"}, "status": 500, "times": 8})
    for _number in range(8):
        home.call()
    for _round in range(4):
        home.sweep()
    opened = Circuit.objects.exclude(state="closed")
    assert [circuit.key for circuit in opened] == [f"aiassistant:{other.pk}"]
    assert Execution.objects.filter(state="completed", engine=home.engine).count() == 8
    assert AuditEntry.objects.filter(action="ai_engine.failing").exists()


def test_every_engine_that_is_asked_has_claimed_its_places(two, monkeypatch):
    home, other = two
    claimed = set()
    kept = EngineSlots.objects.all()
    before = Slots._store

    def seen(self, row, claims):
        claimed.add((self.key, self.capacity))
        return before(self, row, claims)

    monkeypatch.setattr(Slots, "_store", seen)
    home.finish(home.call())
    keys = {f"aiassistant:{home.engine.pk}": 8, f"aiassistant:{other.pk}": 8}
    assert keys.items() <= dict(claimed).items()
    assert all(slots.claims == [] for slots in kept)


def test_an_engine_that_is_paused_does_not_stop_the_tasks_of_the_other(two):
    home, _other = two
    AIEngine.objects.filter(pk=home.engine.pk).update(paused_at="2026-11-20T00:00Z", pause_reason="no key")
    call = home.call()
    home.sweep()
    assert [one.engine_name for one in home.executions(call)] == ["Other"]
    record = home.record(call)
    assert (record.state, record.wait) == ("in_progress", Record.Wait.ENGINE)
    assert "no key" in record.last_error


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("disabled", "the engine “Other” is disabled"),
        ("deleted", "the engine that the task names was deleted"),
        ("foreign", "the engine “Other” is not for this organisation"),
    ],
)
def test_a_task_without_a_usable_engine_leaves_an_execution_that_says_what_is_missing(two, globex, case, words):
    home, other = two
    if case == "disabled":
        AIEngine.objects.filter(pk=other.pk).update(enabled=False)
    elif case == "foreign":
        AIEngine.objects.filter(pk=other.pk).update(visibility="one_tenant", tenant=globex)
    else:
        other.delete()
    call = home.call()
    (record,) = home.finish(call)
    failed, good = sorted(home.executions(call), key=lambda one: one.state, reverse=True)
    assert (good.state, record.state) == ("completed", "completed")
    assert (failed.state, failed.reason, failed.detail) == ("failed", "engine_config", words)
    assert (failed.task_key, failed.outputs, failed.missing, failed.attempts) == ("mood", 1, 1, 0)


def test_a_record_whose_tasks_have_no_engine_at_all_fails_and_says_why(house):  # noqa: F811
    house.both()
    house.work(engine=None)
    call = house.call()
    (record,) = house.finish(call)
    assert (record.state, record.reason) == ("failed", "engine_config")
    assert "no engine is named" in record.last_error
    assert {one.state for one in house.executions(call)} == {"failed"}
    assert len(house.executions(call)) == 2
    assert house.asked() == 0


def test_a_model_that_vanished_is_named_on_the_engine_and_in_the_execution_and_the_record_waits(house):  # noqa: F811
    house.task("mood", [SENTIMENT])
    house.engine.settings["model"] = "gpt-gone"
    house.engine.save()
    house.work()
    call = house.call()
    house.sweep()
    house.engine.refresh_from_db()
    assert house.engine.missing_model == "gpt-gone"
    assert house.engine.pause_reason.startswith("Model not found: “gpt-gone”")
    (failed,) = house.executions(call)
    assert (failed.state, failed.reason) == ("failed", "engine_config")
    assert "gpt-gone" in failed.detail
    assert house.record(call).state == "in_progress"
    house.sweep()
    assert len(house.executions(call)) == 1


@pytest.mark.parametrize(
    ("model", "sent", "flags"),
    [("reason-test", "high", ["temperature_ignored"]), ("gpt-test", "", ["reasoning_ignored"])],
)
def test_effort_and_temperature_are_sent_to_models_that_take_them_and_else_the_execution_says_so(
    house,  # noqa: F811
    model,
    sent,
    flags,
):
    house.task("mood", [SENTIMENT], params={"reasoning": "high", "temperature": 0.5})
    house.engine.settings["model"] = model
    house.engine.save()
    house.work()
    call = house.call()
    house.finish(call)
    (one,) = house.executions(call)
    assert (one.state, one.flags) == ("completed", flags)
    answered = [line for line in house.emulator.journal() if line.get("completionTokens")]
    assert answered[-1]["effort"] == sent
