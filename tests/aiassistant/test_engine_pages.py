"""Pages of AI engines: how one fares, prices with their history, what its server can do, default engines."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from aiassistant.engines.base import Usage
from aiassistant.executing.models import Execution
from aiassistant.models import AIEngine, DefaultEngine, EnginePrice
from aiassistant.pacing.windows import Limits, note_throttled, take
from aiassistant.pricing import cost_micros, price_at
from aiassistant.selectors import adapter_for, prices_of
from core.ids import uuid7
from tests.aiassistant.house import make_engine
from tests.jobs.pages import failing_circuit

pytestmark = pytest.mark.django_db
PRICE = {"model_pattern": "*", "valid_from": "2026-01-01", "currency": "eur", "input": "2", "output": "10"}


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.fixture
def engine(system):
    settings = {"base_url": "https://93.184.216.34/v1", "model": "gpt-test", "requests_per_minute": 60}
    return make_engine("openai", settings, {}, system)


def page(name, *args):
    return reverse(f"aiassistant:{name}", args=args)


def execution(engine, tenant, number, **changes):
    now = timezone.now() - timedelta(minutes=number)
    values = {"record_type": "call", "record_id": uuid7(), "task_key": "t", "task_label": f"Task {number}"}
    values |= {"task_version": 1, "engine": engine, "engine_name": engine.name, "state": "completed", "attempts": 1}
    return Execution.objects.create(tenant=tenant, started_at=now, ended_at=now, **{**values, **changes})


def test_a_price_is_added_used_by_its_day_and_model_and_kept_as_history(root, engine):
    add = page("price_add", engine.pk)
    later = (timezone.localdate() + timedelta(days=9)).isoformat()
    for change in ({}, {"input": "1", "reasoning": "20"} | {"model_pattern": "gpt-*"}, {"valid_from": later}):
        assert root.post(add, {**PRICE, **change}).status_code == 302
    rows = prices_of([engine.pk])[engine.pk]
    today = timezone.localdate()
    exact = price_at(rows, model="gpt-test", day=today)
    assert (exact.input, exact.cached_input, exact.reasoning, exact.currency) == (1, 1, 20, "EUR")
    assert cost_micros(exact, Usage(prompt=100, completion=50, reasoning=30)) == 100 + 20 * 10 + 30 * 20
    assert price_at(rows, model="other", day=today).reasoning is None
    shown = root.get(page("prices", engine.pk)).content.decode()
    assert shown.count("In force") == 2
    assert "Coming" in shown
    file = root.get(page("prices", engine.pk) + "?format=csv")
    assert len(b"".join(file.streaming_content).decode().strip().splitlines()) == 4
    file.close()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("input", "-1", "cannot be negative"),
        ("output", "-0.01", "cannot be negative"),
        ("reasoning", "-1", "cannot be negative"),
        ("currency", "E1", "three capital letters"),
        ("model_pattern", "*gpt", "beginning and *"),
        ("valid_from", "tomorrow", "valid date"),
    ],
)
def test_a_price_that_breaks_a_rule_is_refused_at_its_field(root, engine, field, value, words):
    refused = root.post(page("price_add", engine.pk), {**PRICE, field: value})
    assert refused.status_code == 422
    assert words in str(refused.context["form"].errors[field])
    assert not EnginePrice.objects.exists()


def test_only_a_price_that_does_not_hold_yet_can_be_deleted(root, engine):
    values = {"currency": "EUR", "input": 1, "cached_input": 1, "output": Decimal(2)}
    holding = EnginePrice.objects.create(engine=engine, valid_from=date(2026, 1, 1), **values)
    coming = EnginePrice.objects.create(engine=engine, valid_from=date(2126, 1, 1), **values)
    assert root.post(page("price_delete", engine.pk, holding.pk)).status_code == 409
    assert root.post(page("price_delete", engine.pk, coming.pk)).status_code == 302
    assert list(EnginePrice.objects.all()) == [holding]


def test_what_people_say_of_a_server_counts_above_what_was_found_out(root, engine):
    AIEngine.objects.filter(pk=engine.pk).update(capabilities={"json_schema": True, "max_context": 9000})
    values = {"json_schema": "no", "max_context": "", "version": str(engine.version)}
    assert root.post(page("abilities", engine.pk), values).status_code == 302
    engine.refresh_from_db()
    assert engine.overrides == {"json_schema": False}
    known = adapter_for(engine).capabilities
    assert (known.json_schema, known.max_context, known.rung) == (False, 9000, "json_object")
    again = root.post(page("abilities", engine.pk), values)
    assert again.status_code == 302
    stale = root.post(page("abilities", engine.pk), {**values, "json_schema": "yes"})
    assert stale.status_code == 409
    shown = root.get(page("overview", engine.pk)).content.decode()
    assert "set by hand" in shown
    assert "not probed yet" in shown


@pytest.mark.parametrize("value", ["63", "4000001", "1.5"])
def test_a_window_that_no_model_has_is_refused(root, engine, value):
    refused = root.post(page("abilities", engine.pk), {"max_context": value, "version": "1"})
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["max_context"])


def test_the_page_of_an_engine_shows_latency_errors_throttling_limits_and_the_last_executions(root, engine, acme):
    for number in range(20):
        execution(engine, acme, number, latency_ms=100 * (number + 1))
    execution(engine, acme, 30, state="failed", reason="engine_transient")
    note_throttled(engine.pk, 3)
    take(engine.pk, Limits(requests=60), [1, 1])
    failing_circuit(f"aiassistant:{engine.pk}")
    shown = root.get(page("overview", engine.pk))
    tiles = {tile["label"]: tile["value"] for tile in shown.context["tiles"]}
    assert tiles["Failed"] == "4.8 %"
    assert tiles["95 % answered within"] == "1,900 ms"
    assert tiles["Asked to wait (429)"] == "3"
    assert ("Requests in this minute", "2 of 60") in shown.context["facts"]
    assert shown.context["state"] == ("error", "Failing")
    assert [one["label"] for one in shown.context["executions"]] == [f"Task {number}" for number in range(10)]


def test_an_engine_whose_model_is_gone_says_so_in_the_list_and_on_its_page(root, engine):
    why = "Model not found: “gpt-test”."
    AIEngine.objects.filter(pk=engine.pk).update(paused_at=timezone.now(), pause_reason=why, missing_model="gpt-test")
    for address in (page("engines"), page("overview", engine.pk)):
        shown = root.get(address).content.decode()
        assert "Model not found" in shown
        assert why in shown


def test_default_engines_are_set_changed_and_cleared(root, engine, acme):
    add = page("default_add")
    assert root.post(add, {"tenant": "", "engine": engine.pk}).status_code == 302
    assert root.post(add, {"tenant": acme.pk, "engine": engine.pk}).status_code == 302
    assert set(DefaultEngine.objects.values_list("tenant", flat=True)) == {None, acme.pk}
    shown = root.get(page("defaults")).content.decode()
    assert "The system" in shown
    assert acme.name in shown
    own = DefaultEngine.objects.get(tenant=acme)
    assert root.post(page("default_clear", own.pk)).status_code == 302
    assert list(DefaultEngine.objects.values_list("tenant", flat=True)) == [None]


def test_a_default_that_the_tenant_may_not_use_is_refused_at_the_engine(root, engine, acme, globex):
    AIEngine.objects.filter(pk=engine.pk).update(visibility="one_tenant", tenant=globex)
    for tenant in ("", acme.pk):
        refused = root.post(page("default_add"), {"tenant": tenant, "engine": engine.pk})
        assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["engine"])
    assert not DefaultEngine.objects.exists()
