"""Hard budgets stop, and only what they count; what is admitted is held; rates make wait; repetitions end."""

import uuid

import pytest

from aiassistant.rails.admitting import Admitted, Later, Refused, admit
from aiassistant.rails.charging import charge, release
from aiassistant.rails.models import Budget, TenantRate
from core.outcomes import Reason
from licensing.spending.models import SpendHold
from tests.aiassistant.rails.conftest import attempt, budget, wanted

pytestmark = pytest.mark.django_db


def answers(tenant, *wishes):
    found = admit(tenant.pk, wishes)
    return [found[wish.key] for wish in wishes]


def stopped(name):
    return Refused(Reason.BUDGET_EXHAUSTED, name)


def test_without_budgets_and_rates_everything_is_admitted_and_nothing_is_written(
    acme, task, engine, django_assert_num_queries
):
    wishes = [wanted(task, engine) for _number in range(5)]
    with django_assert_num_queries(4):  # two looks, and the savepoint around them
        assert answers(acme, *wishes) == [Admitted()] * 5
    assert not SpendHold.objects.exists()


def test_a_hard_budget_admits_what_fits_and_names_itself_to_the_rest(acme, globex, task, engine):
    budget("Acme money", tenant=acme, currency="EUR", hard=7000)
    wishes = [wanted(task, engine) for _number in range(3)]
    assert answers(acme, *wishes) == [Admitted(), Admitted(), stopped("Acme money")]
    assert answers(globex, wanted(task, engine)) == [Admitted()]
    charge(acme.pk, [attempt(task, engine, request=wish.key, completion=10) for wish in wishes[:2]])
    assert not SpendHold.objects.filter(tenant=acme).exists()
    # Two cost 2,100 each and not 3,000: the rest of what was held is free again.
    assert answers(acme, wanted(task, engine, cost=2900)) == [stopped("Acme money")]
    assert answers(acme, wanted(task, engine, cost=2800)) == [Admitted()]


def test_what_is_given_back_or_whose_worker_died_is_free_again(acme, task, engine):
    budget("Tokens", tenant=acme, hard=1100)
    first = wanted(task, engine)
    assert answers(acme, first) == [Admitted()]
    assert answers(acme, wanted(task, engine)) == [stopped("Tokens")]
    assert answers(acme, first) == [Admitted()]
    release(acme.pk, [first.key])
    second = wanted(task, engine)
    assert answers(acme, second) == [Admitted()]
    SpendHold.objects.filter(request=second.key).update(until="2026-01-01T00:00Z")
    assert answers(acme, wanted(task, engine)) == [Admitted()]


def test_a_budget_counts_its_task_and_its_engine_alone(acme, task, other_task, engine):
    budget("One task", tenant=acme, task=task, hard=500)
    assert answers(acme, wanted(task, engine), wanted(other_task, engine)) == [stopped("One task"), Admitted()]
    Budget.objects.all().delete()
    budget("One engine", tenant=acme, engine=engine, hard=500)
    other = type(engine).objects.create(name="Other", engine_type="openai")
    assert answers(acme, wanted(task, engine), wanted(task, other)) == [stopped("One engine"), Admitted()]


def test_a_budget_without_a_tenant_counts_all_tenants_together(acme, globex, task, engine):
    budget("Everybody", currency="EUR", task=task, hard=6000)
    charge(acme.pk, [attempt(task, engine)])
    held = wanted(task, engine)
    assert answers(globex, held) == [Admitted()]
    assert answers(acme, wanted(task, engine)) == [stopped("Everybody")]


def test_money_of_another_currency_and_disabled_or_soft_budgets_stop_nothing(acme, task, engine):
    budget("Dollars", tenant=acme, currency="USD", hard=1)
    budget("Off", tenant=acme, hard=1, enabled=False)
    budget("Soft", tenant=acme, soft=1)
    assert answers(acme, wanted(task, engine)) == [Admitted()]


def test_the_rate_of_a_tenant_lets_so_many_begin_and_says_when_the_others_may(acme, globex, task, engine):
    TenantRate.objects.create(tenant=acme, per_minute=2)
    found = answers(acme, *[wanted(task, engine) for _number in range(3)])
    assert found[:2] == [Admitted()] * 2
    assert isinstance(found[2], Later)
    assert 0 < found[2].delay_s <= 60
    assert isinstance(answers(acme, wanted(task, engine))[0], Later)
    assert answers(globex, wanted(task, engine)) == [Admitted()]


def test_what_waits_for_the_rate_holds_no_budget(acme, task, engine):
    budget("Tokens", tenant=acme, hard=10_000)
    TenantRate.objects.create(tenant=acme, per_minute=1)
    answers(acme, *[wanted(task, engine) for _number in range(3)])
    assert SpendHold.objects.filter(tenant=acme).count() == 1


def test_a_conversation_has_a_task_only_so_often_within_a_day(acme, task, other_task, engine):
    record = uuid.uuid4()
    charge(acme.pk, [attempt(task, engine, record_id=record) for _number in range(2)])
    again = {"record_id": record, "max_executions": 3}
    found = answers(acme, *[wanted(task, engine, **again) for _number in range(2)], wanted(other_task, engine, **again))
    assert [type(one) for one in found] == [Admitted, Refused, Admitted]
    assert "3" in found[1].detail
