"""Tokens and money in the ledger: a line for each attempt, once, with its price; sums by tenant, task, engine and day."""

import uuid
from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, transaction

from aiassistant.rails.charging import charge
from licensing.reconciling import differences, rebuild
from licensing.spending import book
from licensing.spending.models import DailySpend, Part, SpendLine, SpendTotal
from tests.aiassistant.rails.conftest import attempt

pytestmark = pytest.mark.django_db


def test_each_attempt_and_repair_has_its_own_line_with_the_price_row(acme, task, engine):
    record = uuid.uuid4()
    rows = [
        attempt(task, engine, request="a", number=1, cached=400, record_id=record),
        attempt(task, engine, request="a", number=2, part=Part.RETRY, record_id=record, estimated=True),
        attempt(task, engine, request="a", number=3, part=Part.REPAIR, prompt=1200, completion=90, record_id=record),
    ]
    charge(acme.pk, rows)
    lines = list(SpendLine.objects.filter(tenant=acme).order_by("number"))
    assert [(line.part, line.cost, line.price, line.currency) for line in lines] == [
        ("ask", 2 * 600 + 400 + 1000, 7, "EUR"),
        ("retry", 3000, 7, "EUR"),
        ("repair", 2400 + 900, 7, "EUR"),
    ]
    day = DailySpend.objects.get(tenant=acme)
    assert (day.task, day.engine, day.model) == (task.pk, engine.pk, "gpt-test")
    assert (day.executions, day.requests, day.again, day.estimated) == (1, 3, 2, 1)
    assert (day.prompt, day.cached, day.completion) == (3200, 400, 290)
    assert (day.cost, day.again_cost, day.again_tokens) == (2600 + 6300, 6300, 1100 + 1290)


def test_charging_twice_is_charging_once_and_a_further_attempt_adds_only_itself(acme, task, engine):
    first = attempt(task, engine, request="a")
    charge(acme.pk, [first])
    charge(acme.pk, [first, attempt(task, engine, request="a", number=2, part=Part.REPAIR)])
    charge(acme.pk, [first])
    assert SpendLine.objects.filter(tenant=acme).count() == 2
    assert DailySpend.objects.get(tenant=acme).cost == 6000
    assert sum(SpendTotal.objects.values_list("cost", flat=True)) == 6000


def test_the_same_key_of_another_tenant_is_another_line(acme, globex, task, engine):
    for tenant in (acme, globex):
        charge(tenant.pk, [attempt(task, engine, request="same")])
    assert [DailySpend.objects.get(tenant=tenant).cost for tenant in (acme, globex)] == [3000, 3000]


def test_a_line_is_never_changed_nor_deleted(acme, task, engine):
    charge(acme.pk, [attempt(task, engine)])
    lines = SpendLine.objects.filter(tenant=acme)
    for change in (lambda: lines.update(cost=1), lines.delete):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()


def test_a_line_belongs_to_the_day_and_month_of_its_tenants_zone(acme, globex, task, engine):
    acme.time_zone = "Pacific/Auckland"
    acme.save()
    at = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
    for tenant in (acme, globex):
        book.charge(tenant_id=tenant.pk, lines=[attempt(task, engine).line()], at=at)
    days = {day.tenant_id: (day.period, str(day.day)) for day in DailySpend.objects.all()}
    assert days == {acme.pk: ("2026-12", "2026-12-01"), globex.pk: ("2026-11", "2026-11-30")}
    assert set(SpendTotal.objects.values_list("month", flat=True)) == {"2026-11"}


def test_without_a_price_row_tokens_count_and_money_does_not(acme, task, engine):
    charge(acme.pk, [attempt(task, engine, price=None)])
    line = SpendLine.objects.get(tenant=acme)
    assert (line.prompt, line.cost, line.currency, line.price) == (1000, 0, "", None)


def test_what_a_server_says_of_cached_and_reasoning_tokens_is_never_more_than_the_whole(acme, task, engine):
    charge(acme.pk, [attempt(task, engine, prompt=10, completion=5, cached=99, reasoning=99)])
    line = SpendLine.objects.get(tenant=acme)
    assert (line.cached, line.reasoning, line.cost) == (10, 5, 10 * 1 + 5 * 10)


def test_a_batch_is_one_statement_whatever_its_size(acme, task, engine, django_assert_num_queries):
    with django_assert_num_queries(2):
        charge(acme.pk, [attempt(task, engine) for _number in range(50)])
    assert DailySpend.objects.get(tenant=acme).executions == 50


def test_sums_that_differ_from_the_lines_are_found_and_made_anew(acme, globex, task, engine):
    for tenant in (acme, globex):
        charge(tenant.pk, [attempt(task, engine), attempt(task, engine, number=2, part=Part.REPAIR)])
    assert differences() == []
    DailySpend.objects.filter(tenant=acme).update(cost=1)
    found = differences()
    assert [(one.tenant_id, one.kind, one.meter) for one in found] == [(acme.pk, "daily spend", "EUR")]
    rebuild(tenant_id=acme.pk, actor="system:test")
    assert differences() == []
    assert DailySpend.objects.get(tenant=acme).cost == 6000
