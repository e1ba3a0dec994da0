"""Trying a draft: the real pipeline on a few conversations, nothing of it in the fields, all of it on the bill."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from aiassistant.executing.models import Execution
from aiassistant.models import DefaultEngine, EnginePrice
from aiassistant.playground.models import PlaygroundRun
from aiassistant.playground.results import DRAFT, Side, differing
from aiassistant.playground.services import cancel_run, claim_run, left_behind
from aiassistant.rails.models import Budget, DailyOutcome, TenantRate
from audit.models import AuditEntry
from conversations.field_models import FieldValue
from conversations.models import Call
from conversations.services import delete_call
from conversations.trial_models import TrialResult
from conversations.trials import sweep_trials, trials_of
from core.errors import Conflict, InvalidInput
from licensing.spending.models import DailySpend, SpendHold, SpendLine
from tenants.doors import enter
from tests.aiassistant.house import SENTIMENT, emulator, house  # noqa: F401
from tests.aiassistant.playground.making import started, worked

pytestmark = pytest.mark.django_db


@pytest.fixture
def tried(house):  # noqa: F811
    """A task that runs for acme with a priced engine."""
    task = house.task("mood", [SENTIMENT])
    DefaultEngine.objects.create(tenant=None, engine=house.engine)
    price = {"input": Decimal(2), "cached_input": Decimal(1), "output": Decimal(8)}
    EnginePrice.objects.create(engine=house.engine, valid_from=date(2020, 1, 1), currency="EUR", **price)
    return task


def answers(acme, run):
    with enter(acme):
        return {pk: {name: Side.loaded(side) for name, side in body.items()} for pk, body in trials_of(run.pk).items()}


def test_a_draft_stands_beside_the_version_that_runs_and_writes_no_value(house, tried, acme, people):  # noqa: F811
    calls = [house.call(), house.chat()]
    run = worked(started(tried, acme, people.platform_admin, system_template="Judge strictly."))
    assert (run.state, run.done, run.reason) == ("completed", 2, "")
    found = answers(acme, run)
    assert set(found) == {call.pk for call in calls}
    for sides in found.values():
        assert {side.state for side in sides.values()} == {"completed"}
        assert all(side.prompt and side.cost and side.values["sentiment"] for side in sides.values())
    with enter(acme):
        assert not FieldValue.objects.exists()
    assert run.figures["sides"]["draft"]["completed"] == 2
    assert set(run.figures["month"]) == {"draft", "current"}


def test_a_try_is_on_the_bill_marked_and_in_no_statistics_of_success(house, tried, acme, people):  # noqa: F811
    house.call()
    run = worked(started(tried, acme, people.tenant_admin, user_template="Other: {{transcript}}"))
    lines = SpendLine.objects.all()
    assert lines.count() == 2
    assert all(line.playground for line in lines)
    spent = sum(line.cost for line in lines)
    assert spent == sum(day.cost for day in DailySpend.objects.all()) > 0
    assert spent == sum(side["cost"]["EUR"] for side in run.figures["sides"].values())
    assert all(row.playground for row in Execution.objects.all())
    assert not DailyOutcome.objects.exists()


def test_what_was_tried_is_asked_again_by_jobs_and_uses_up_no_repetitions(house, tried, acme, people):  # noqa: F811
    call = house.call()
    for _number in range(2):
        worked(started(tried, acme, people.platform_admin, limits={"min_words": 1, "max_executions": 1}))
    house.work()
    assert [record.state for record in house.finish(call)] == ["completed"]
    assert house.values(call)


def test_a_draft_that_asks_the_same_is_tried_alone(house, tried, acme, people):  # noqa: F811
    house.call()
    run = worked(started(tried, acme, people.platform_admin, limits={"min_words": 1, "min_duration_s": 0}))
    first = next(iter(answers(acme, run).values()))
    assert set(first) == {"current", "draft"}
    stored = worked(started(tried, acme, people.platform_admin, **run.content))
    assert stored.current is not None


def test_repairs_and_what_was_wrong_are_shown(house, tried, acme, people):  # noqa: F811
    house.call()
    house.emulator.control("POST", "/_emu/behaviours", {"trick": "wrong_types", "times": 3})
    run = worked(started(tried, acme, people.platform_admin, system_template="New."))
    side = next(iter(answers(acme, run).values()))[DRAFT]
    assert (side.state, side.reason, side.repairs) == ("failed", "invalid_output", 2)
    assert any("sentiment" in problem for problem in side.problems)
    assert run.state == "completed"


def test_only_conversations_that_pass_the_filters_of_the_draft_are_taken(house, tried, acme, people):  # noqa: F811
    house.call(), house.chat()
    run = worked(started(tried, acme, people.platform_admin, applies_to="text"))
    assert [side["draft"].state for side in answers(acme, run).values()] == ["completed"]
    none = worked(started(tried, acme, people.platform_admin, limits={"min_words": 10_000, "min_duration_s": 0}))
    assert (none.state, none.reason) == ("failed", "filtered:task")
    assert "None of the newest 2 conversations" in none.detail
    assert "10000" in none.detail


def test_chosen_conversations_are_asked_about_and_told_what_the_filters_say(house, tried, acme, people):  # noqa: F811
    call = house.call()
    asked = started(
        tried,
        acme,
        people.platform_admin,
        newest=None,
        wanted=[call.pk],
        limits={"min_words": 10_000, "min_duration_s": 0},
    )
    side = answers(acme, worked(asked))[call.pk][DRAFT]
    assert side.state == "completed"
    assert "10000" in side.left_out


def test_a_hard_budget_ends_the_try_with_its_name(house, tried, acme, people):  # noqa: F811
    house.call()
    Budget.objects.create(name="Tiny", tenant=acme, hard=1)
    run = worked(started(tried, acme, people.platform_admin))
    assert (run.state, run.reason, run.detail) == ("failed", "budget_exhausted", "Tiny")
    assert house.asked() == 0
    assert not SpendHold.objects.exists()


def test_the_rate_of_the_tenant_puts_a_try_off_and_the_tick_takes_it_up(house, tried, acme, people):  # noqa: F811
    house.call()
    TenantRate.objects.create(tenant=acme, per_minute=1, spent=[[timezone.now().timestamp(), 1]])
    run = worked(started(tried, acme, people.platform_admin))
    assert run.state == "waiting"
    assert run.next_at > timezone.now()
    assert claim_run(str(run.pk)) is None
    TenantRate.objects.all().delete()
    PlaygroundRun.objects.update(next_at=timezone.now() - timedelta(seconds=5))
    assert left_behind() == [run.pk]
    assert worked(run).state == "completed"


def test_a_run_whose_worker_died_goes_on_where_it_was_and_three_deaths_end_it(house, tried, acme, people):  # noqa: F811
    house.call(), house.call()
    run = worked(started(tried, acme, people.platform_admin))
    asked = house.asked()
    past = timezone.now() - timedelta(seconds=1)
    with enter(acme):
        TrialResult.objects.filter(record_id=run.records[0]).delete()
    died = {"state": "running", "lease_until": past, "done": 1}
    PlaygroundRun.objects.update(**died)
    again = worked(run)
    assert (again.state, again.done, again.crashes) == ("completed", 2, 1)
    assert house.asked() == asked + 1 * len(again.figures["sides"])
    PlaygroundRun.objects.update(**died, crashes=2)
    ended = worked(run)
    assert (ended.state, ended.reason) == ("failed", "crashed")


def test_only_one_worker_has_a_run_and_a_late_one_writes_nothing(house, tried, acme, people, monkeypatch):  # noqa: F811
    house.call()
    run = started(tried, acme, people.platform_admin)
    mine = claim_run(str(run.pk))
    assert claim_run(str(run.pk)) is None
    PlaygroundRun.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claim_run(str(run.pk)).fence == mine.fence + 1
    monkeypatch.setattr("aiassistant.playground.trying.claim_run", lambda _run_id: mine)
    late = worked(run)
    assert (late.state, late.done) == ("running", 0)
    with enter(acme):
        assert not TrialResult.objects.exists()


def test_a_try_is_cancelled_while_it_waits_and_while_it_runs(house, tried, acme, people):  # noqa: F811
    house.call()
    run = started(tried, acme, people.tenant_admin)
    cancel_run(run=run, editor=people.tenant_admin)
    assert PlaygroundRun.objects.get().state == "cancelled"
    with pytest.raises(Conflict):
        cancel_run(run=run, editor=people.tenant_admin)
    other = started(tried, acme, people.tenant_admin)
    PlaygroundRun.objects.filter(pk=other.pk).update(stopping=True)
    assert worked(other).state == "cancelled"
    assert house.asked() == 0


def test_answers_go_with_the_conversation_and_after_a_week(house, tried, acme, people):  # noqa: F811
    call = house.call()
    house.call()
    worked(started(tried, acme, people.platform_admin))
    with enter(acme):
        delete_call(tenant=acme, call_id=call.pk, actor="test")
        assert TrialResult.objects.count() == 1
        TrialResult.objects.update(created_at=timezone.now() - timedelta(days=8))
        sweep_trials()
        assert not TrialResult.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"user_template": "{{transcript}} {{call.colour}}"}, "user_template"),
        ({"outputs": []}, "outputs"),
        ({"newest": 21}, "newest"),
        ({"newest": None}, "conversations"),
        ({"wanted": [f"00000000-0000-7000-8000-{n:012}" for n in range(21)]}, "conversations"),
    ],
)
def test_what_cannot_be_tried_is_refused_by_name(house, tried, acme, people, changes, field):  # noqa: F811
    with pytest.raises(InvalidInput) as refused:
        started(tried, acme, people.platform_admin, **changes)
    assert refused.value.field == field
    assert not PlaygroundRun.objects.exists()


def test_an_engine_that_cannot_be_asked_refuses_the_try(house, tried, acme, people):  # noqa: F811
    type(house.engine).objects.update(enabled=False)
    with pytest.raises(InvalidInput, match="disabled"):
        started(tried, acme, people.platform_admin)
    type(house.engine).objects.update(enabled=True, paused_at=timezone.now())
    with pytest.raises(InvalidInput, match="paused"):
        started(tried, acme, people.platform_admin)
    DefaultEngine.objects.all().delete()
    with pytest.raises(InvalidInput, match="no engine is named"):
        started(tried, acme, people.platform_admin)


def test_a_try_is_one_row_of_the_audit_trail_and_reaches_no_foreign_tenant(house, tried, acme, globex, people):  # noqa: F811
    started(tried, acme, people.tenant_admin)
    assert AuditEntry.objects.filter(action="ai_task.tried", tenant_id=acme.pk).count() == 1
    for tenant, editor in ((globex, people.tenant_admin), (acme, people.supervisor), (acme, people.agent)):
        with pytest.raises(Conflict):
            started(tried, tenant, editor)


def test_confidential_conversations_are_not_tried_without_the_right(house, tried, acme, people):  # noqa: F811
    call = house.call()
    with enter(acme):
        Call.objects.filter(pk=call.pk).update(confidential=True)
    run = worked(started(tried, acme, people.tenant_admin))
    assert (run.state, run.detail) == ("failed", "There is no conversation that you may read.")


def test_two_answers_differ_by_what_people_read():
    one, other = Side("completed", values={"a": "5", "b": ""}), Side("completed", values={"a": "7"})
    assert differing({"draft": one, "current": other}) == ["a"]
    assert differing({"draft": one}) == []
