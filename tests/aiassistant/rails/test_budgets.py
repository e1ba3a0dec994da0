"""Budgets and rates: what is refused when they are saved, who may change which, and what alerts make of them."""

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from aiassistant.rails.budgets import delete_budgets, save_budget, save_rate
from aiassistant.rails.charging import charge
from aiassistant.rails.models import Budget, DailyOutcome, TenantRate
from aiassistant.rails.purging import purge_rails
from alerts.evaluating import evaluate
from alerts.models import AlertRule, Firing
from core.errors import Conflict, InvalidInput
from licensing.spending.models import Part, SpendLine
from tests.aiassistant.rails.conftest import attempt, budget

pytestmark = pytest.mark.django_db


def saved(editor, stored=None, version=0, **changes):
    values = {"name": "Month", "enabled": True, "tenant": None, "task": None, "engine": None, "currency": "EUR"}
    values |= {"soft": 5000, "hard": 10_000}
    return save_budget(budget=stored, values={**values, **changes}, version=version, editor=editor)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"soft": None, "hard": None}, "hard"),
        ({"soft": 20_000}, "soft"),
        ({"hard": -1}, "hard"),
        ({"hard": 10**16}, "hard"),
        ({"soft": 0}, "soft"),
        ({"currency": "euro"}, "currency"),
        ({"name": "TAKEN"}, "name"),
        ({"soft": 2999}, "soft"),
        ({"soft": None, "hard": 2999}, "hard"),
    ],
)
def test_a_budget_that_says_nothing_or_lies_below_what_is_spent_is_refused_by_field(
    people, acme, task, engine, changes, field
):
    budget("Taken", hard=1)
    charge(acme.pk, [attempt(task, engine)])
    with pytest.raises(InvalidInput) as refused:
        saved(people.platform_admin, **changes)
    assert refused.value.field == field
    assert not Budget.objects.filter(name="Month").exists()


def test_a_budget_may_be_exactly_what_is_spent_and_one_that_is_off_anything(people, acme, task, engine):
    charge(acme.pk, [attempt(task, engine)])
    assert saved(people.platform_admin, soft=3000).hard == 10_000
    assert not saved(people.platform_admin, name="Off", enabled=False, soft=1).enabled


def test_a_tenant_sets_budgets_of_its_own_and_does_not_touch_those_of_the_platform(people, acme, globex, task):
    ada = people.tenant_admin
    own = saved(ada, tenant=acme, task=task)
    assert not own.by_platform
    assert saved(ada, own, 1, tenant=acme, hard=20_000).version == 2
    for other in (None, globex):
        with pytest.raises(InvalidInput) as refused:
            saved(ada, name="Other", tenant=other)
        assert refused.value.field == "tenant"
    ours = saved(people.platform_admin, name="Platform", tenant=acme)
    with pytest.raises(PermissionDenied):
        saved(ada, ours, 1, name="Platform", tenant=acme, hard=10**9)
    assert delete_budgets(budgets=[own, ours], editor=ada) == 1
    assert Budget.objects.get() == ours


def test_a_budget_that_somebody_else_saved_is_not_overwritten(people):
    stored = saved(people.platform_admin)
    saved(people.platform_admin, stored, 1, hard=30_000)
    with pytest.raises(Conflict):
        saved(people.platform_admin, stored, 1, hard=1_000_000)
    assert Budget.objects.get().hard == 30_000


def test_a_task_of_another_tenant_cannot_be_named(people, acme, globex, task):
    task.tenant = globex
    task.save()
    with pytest.raises(InvalidInput) as refused:
        saved(people.platform_admin, tenant=acme, task=task)
    assert refused.value.field == "task"


def test_a_rate_is_set_changed_and_taken_away_by_version(people, acme):
    root = people.platform_admin
    save_rate(tenant=acme, per_minute=60, version=0, editor=root)
    with pytest.raises(Conflict):
        save_rate(tenant=acme, per_minute=90, version=0, editor=root)
    with pytest.raises(InvalidInput):
        save_rate(tenant=acme, per_minute=0, version=1, editor=root)
    save_rate(tenant=acme, per_minute=90, version=1, editor=root)
    assert TenantRate.objects.get(tenant=acme).per_minute == 90
    save_rate(tenant=acme, per_minute=None, version=2, editor=root)
    assert not TenantRate.objects.filter(tenant=acme).exists()


def test_the_form_takes_money_with_decimals_and_tokens_without_and_keeps_what_was_typed(client_for, people, acme):
    client = client_for(people.tenant_admin)
    url = reverse("rails:budget_add")
    good = {"name": "Month", "enabled": "on", "tenant": str(acme.pk), "currency": "eur", "hard": "12.34"}
    refused = client.post(url, {**good, "currency": "", "hard": "12.5"})
    assert refused.status_code == 422
    assert "whole numbers" in refused.content.decode()
    assert client.post(url, good).status_code == 302
    stored = Budget.objects.get()
    assert (stored.hard, stored.currency, stored.tenant, stored.by_platform) == (12_340_000, "EUR", acme, False)
    assert 'value="12.34"' in client.get(reverse("rails:budget", args=[stored.pk])).content.decode()


def test_alerts_fire_for_budgets_repetitions_and_loops_of_one_conversation(people, acme, globex, task, engine):
    soft = budget("Soft", tenant=acme, soft=6000, currency="EUR")
    charge(acme.pk, [attempt(task, engine)])
    AlertRule.objects.exclude(measure__startswith="ai_").delete()
    AlertRule.objects.filter(measure="ai_executions").update(threshold=10, minutes=0)
    AlertRule.objects.update(minutes=0)
    assert evaluate() == 0
    record = attempt(task, engine).record_id
    charge(acme.pk, [attempt(task, engine, record_id=record, prompt=60_000) for _number in range(10)])
    many = [attempt(task, engine, request="m", number=n, part=Part.REPAIR if n > 1 else Part.ASK) for n in range(1, 21)]
    charge(globex.pk, many)
    evaluate()
    fired = {firing.subject: firing.text for firing in Firing.objects.filter(state="firing")}
    assert set(fired) == {f"ai_budget:{soft.pk}", f"ai:{acme.pk}", f"ai:{globex.pk}"}
    assert "10 executions of one conversation" in fired[f"ai:{acme.pk}"]
    assert "95.0 %" in fired[f"ai:{globex.pk}"]


def test_what_is_kept_of_a_deleted_tenant_is_what_it_spent(acme, task, engine):
    budget("Acme", tenant=acme, hard=1)
    TenantRate.objects.create(tenant=acme, per_minute=1)
    charge(acme.pk, [attempt(task, engine)])
    assert purge_rails(acme.pk) == 2
    assert not Budget.objects.exists()
    assert not DailyOutcome.objects.exists()
    assert SpendLine.objects.count() == 1
