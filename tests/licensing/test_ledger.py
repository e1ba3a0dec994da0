"""Reserve, settle, release: once each, never past a limit, in the month of the reservation."""

from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, transaction

from core.outcomes import Reason
from licensing.ledger import Denied, Granted, release, reserve, settle
from licensing.models import Account, DailyUsage, Denial, Entry, Reservation
from tests.licensing.conftest import METER, request, revoke, set_limits, set_seats

pytestmark = pytest.mark.django_db


def ask(tenant, *requests, at=None):
    """Reserve; the outcomes in the order of the requests."""
    outcomes = reserve(tenant_id=tenant.pk, meter=METER, requests=requests, at=at)
    return [outcomes[r.key] for r in requests]


def counters(tenant) -> tuple[int, int, int, int]:
    account = Account.objects.get(tenant=tenant)
    return account.month_reserved, account.month_used, account.life_reserved, account.life_used


def test_a_request_is_reserved_then_charged_and_the_books_balance(acme, licensed):
    wanted = request(licensed.agent, 90)
    assert ask(acme, wanted) == [Granted()]
    assert counters(acme) == (90, 0, 90, 0)
    assert settle(tenant_id=acme.pk, meter=METER, keys=[wanted.key]) == 1
    assert counters(acme) == (0, 90, 0, 90)
    steps = Entry.objects.filter(record=wanted.record).order_by("id").values_list("step", "source", "target", "amount")
    assert list(steps) == [("reserve", "free", "reserved", 90), ("settle", "reserved", "used", 90)]
    day = DailyUsage.objects.get(tenant=acme)
    assert (day.used, day.requests, day.denied, day.user_id) == (90, 1, 0, licensed.agent.pk)


def test_settling_twice_or_after_a_release_charges_nothing_more(acme, licensed):
    charged, given_back = request(licensed.agent), request(licensed.agent)
    ask(acme, charged, given_back)
    assert release(keys=[given_back.key]) == 1
    for _again in range(2):
        settle(tenant_id=acme.pk, meter=METER, keys=[charged.key, given_back.key])
        release(keys=[charged.key, given_back.key])
    assert counters(acme) == (0, 60, 0, 60)
    assert Entry.objects.filter(record__in=[charged.record, given_back.record]).count() == 4


def test_the_same_generation_is_reserved_once_and_a_retry_of_a_person_anew(acme, licensed):
    first = request(licensed.agent)
    retried = request(licensed.agent, record=first.record, generation=2)
    assert ask(acme, first) == ask(acme, first) == [Granted()]
    assert counters(acme)[0] == 60
    assert ask(acme, retried) == [Granted()]
    assert counters(acme)[0] == 120


def test_a_licence_lost_after_the_reservation_changes_nothing_for_it(acme, licensed):
    wanted = request(licensed.agent)
    ask(acme, wanted)
    revoke(licensed.agent, editor=licensed.platform_admin)
    assert ask(acme, wanted) == [Granted()]
    assert ask(acme, request(licensed.agent)) == [Denied(Reason.NO_LICENSE)]


@pytest.mark.parametrize(
    ("limits", "reason", "fits"),
    [
        ({"user_month": 1}, Reason.LIMIT_USER_MONTH, 120),
        ({"org_month": 1}, Reason.LIMIT_ORG_MONTH, 60),
        ({"user_lifetime": 2}, Reason.LIMIT_USER_LIFETIME, 240),
        ({"org_lifetime": 1}, Reason.LIMIT_ORG_LIFETIME, 60),
        ({"user_month": 100, "org_month": 2}, Reason.LIMIT_ORG_MONTH, 120),
        ({"user_month": 0}, Reason.LIMIT_USER_MONTH, 0),
    ],
)
def test_each_limit_denies_the_first_second_too_much_and_not_the_last_that_fits(acme, licensed, limits, reason, fits):
    set_limits(acme, **limits)
    if fits:
        assert ask(acme, request(licensed.agent, fits)) == [Granted()]
    assert ask(acme, request(licensed.other_agent, 1)) == [Denied(reason)]
    assert counters(acme)[0] == fits


def test_in_one_batch_what_still_fits_is_granted_and_the_rest_denied(acme, licensed):
    set_limits(acme, org_month=2)
    outcomes = ask(acme, *(request(licensed.agent, seconds) for seconds in (100, 30, 20)))
    assert outcomes == [Granted(), Denied(Reason.LIMIT_ORG_MONTH), Granted()]
    assert counters(acme)[0] == 120


def test_denied_is_counted_once_for_each_generation(acme, licensed):
    set_limits(acme, org_month=0)
    refused = request(licensed.agent)
    for _again in range(3):
        ask(acme, refused)
    assert DailyUsage.objects.get(tenant=acme).denied == 1
    denial = Denial.objects.get(tenant=acme)
    assert denial.reason == Reason.LIMIT_ORG_MONTH
    assert denial.trace[-1] == {"gate": "limit_org_month", "passed": False, "seen": 0, "allowed": 0, "amount": 60}


def test_seats_go_to_the_first_by_user_name_whatever_its_case(acme, licensed):
    set_seats(acme, 1)
    assert ask(acme, request(licensed.agent), request(licensed.other_agent)) == [
        Granted(),
        Denied(Reason.SEAT_EXCEEDED),
    ]
    set_seats(acme, 2)
    assert ask(acme, request(licensed.other_agent)) == [Granted()]


def test_the_pool_counts_only_users_with_a_seat(acme, licensed):
    set_limits(acme, user_month=1)
    set_seats(acme, 1)
    assert ask(acme, request(licensed.agent, 61)) == [Denied(Reason.LIMIT_USER_MONTH)]
    set_seats(acme, 2)
    assert ask(acme, request(licensed.agent, 61)) == [Granted()]


def test_with_a_maximum_for_each_user_nobody_uses_the_minutes_of_others(acme, licensed):
    set_limits(acme, user_month=1, per_user="hard")
    assert ask(acme, request(licensed.agent, 61)) == [Denied(Reason.LIMIT_USER_MONTH)]
    assert ask(acme, request(licensed.agent, 60), request(licensed.agent, 1)) == [
        Granted(),
        Denied(Reason.LIMIT_USER_MONTH),
    ]
    assert ask(acme, request(licensed.other_agent, 60)) == [Granted()]


def test_a_tenant_that_was_suspended_meanwhile_is_denied(acme, licensed):
    type(acme).objects.filter(pk=acme.pk).update(state="suspended")
    assert ask(acme, request(licensed.agent)) == [Denied(Reason.TENANT_DISABLED)]
    type(acme).objects.filter(pk=acme.pk).update(state="ready")
    assert ask(acme, request(licensed.agent)) == [Granted()]


def test_the_hold_policy_waits_until_the_month_resets(acme, licensed):
    set_limits(acme, org_month=0, policy="hold")
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert ask(acme, request(licensed.agent), at=at) == [
        Denied(Reason.LIMIT_ORG_MONTH, datetime(2026, 12, 1, tzinfo=UTC))
    ]


def test_a_charge_belongs_to_the_month_of_its_reservation(acme, licensed):
    set_limits(acme, org_month=1)
    november = request(licensed.agent)
    ask(acme, november, at=datetime(2026, 11, 30, 23, 59, 59, 999999, tzinfo=UTC))
    december = request(licensed.agent)
    assert ask(acme, december, at=datetime(2026, 12, 1, tzinfo=UTC)) == [Granted()]
    settle(tenant_id=acme.pk, meter=METER, keys=[november.key])
    assert counters(acme) == (60, 0, 60, 60)
    assert DailyUsage.objects.get(tenant=acme).period == "2026-11"
    settle(tenant_id=acme.pk, meter=METER, keys=[december.key])
    assert counters(acme) == (0, 60, 0, 120)


def test_a_new_zone_counts_from_the_next_month_on(acme, licensed):
    ask(acme, request(licensed.agent), at=datetime(2026, 11, 10, tzinfo=UTC))
    type(acme).objects.filter(pk=acme.pk).update(time_zone="Pacific/Kiritimati")
    late = request(licensed.agent)
    ask(acme, late, at=datetime(2026, 11, 30, 12, tzinfo=UTC))
    assert Reservation.objects.get(record=late.record).zone == "UTC"
    first = request(licensed.agent)
    ask(acme, first, at=datetime(2026, 12, 1, tzinfo=UTC))
    assert Reservation.objects.get(record=first.record).zone == "Pacific/Kiritimati"


@pytest.mark.parametrize("change", ["UPDATE licensing_entry SET amount = 1", "DELETE FROM licensing_entry"])
def test_entries_can_be_added_and_never_changed(acme, licensed, change):
    from django.db import connection

    ask(acme, request(licensed.agent))
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)
    assert Entry.objects.count() == 1
