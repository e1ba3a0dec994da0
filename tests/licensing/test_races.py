"""64 rivals at one ledger: no limit is overshot by a second, whatever changes meanwhile (security R12, R14)."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.db.models import F, Sum

from accounts.models import User
from licensing.ledger import Granted, release, reserve, settle
from licensing.models import Account, DailyUsage, Entry, Reservation
from licensing.reconciling import differences
from tenants.models import Tenant
from tests.databases import db  # noqa: F401 - rivals see only what is committed
from tests.licensing.conftest import METER, request, revoke, set_limits, set_seats

# Their connections fill the server: one race at a time.
pytestmark = pytest.mark.xdist_group("races")
RIVALS = 64
WISHES = 20
SECONDS = 7


def race(tenant, users, *, meanwhile: Callable[[], None] | None = None) -> None:
    """Every rival wishes, and settles or gives back some of what he gets; in the middle somebody does ``meanwhile``."""
    together = threading.Barrier(RIVALS)
    under_way = threading.Event()

    def rival(number: int) -> None:
        dice = random.Random(number)
        try:
            together.wait(60)
            for turn in range(WISHES):
                wanted = request(users[(number + turn) % len(users)], SECONDS)
                outcome = reserve(tenant_id=tenant.pk, meter=METER, requests=[wanted])[wanted.key]
                if outcome == Granted() and (choice := dice.random()) < 0.5:
                    if choice < 0.25:
                        settle(tenant_id=tenant.pk, meter=METER, keys=[wanted.key])
                    else:
                        release(keys=[wanted.key])
                if turn == 2:
                    under_way.set()
        finally:
            connection.close()

    def somebody() -> None:
        under_way.wait(60)
        try:
            if meanwhile is not None:
                meanwhile()
        finally:
            connection.close()

    with ThreadPoolExecutor(RIVALS + 1) as pool:
        futures = [pool.submit(rival, number) for number in range(RIVALS)] + [pool.submit(somebody)]
        for future in futures:
            future.result(120)


def highest(tenant, *, after: int = 0, **which) -> int:
    """The most that was reserved or used just after a reservation with an id above ``after``, by the entries."""
    taken = most = 0
    for pk, step, amount in (
        Entry.objects.filter(tenant=tenant, **which).order_by("pk").values_list("pk", "step", "amount")
    ):
        taken += {"reserve": amount, "settle": 0, "release": -amount}[step]
        most = max(most, taken) if step == "reserve" and pk > after else most
    return most


def newest_entry() -> int:
    return Entry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def close_the_books(tenant) -> None:
    """Charge what is open; then nothing is reserved, and entries, counters and daily usage say the same."""
    open_ones = Reservation.objects.filter(tenant=tenant, state="open").values_list("record", "generation")
    settle(tenant_id=tenant.pk, meter=METER, keys=list(open_ones))
    assert differences() == []
    account = Account.objects.get(tenant=tenant)
    assert (account.month_reserved, account.life_reserved) == (0, 0)
    charged = Entry.objects.filter(tenant=tenant, step="settle").aggregate(sum=Sum("amount"))["sum"]
    daily = DailyUsage.objects.filter(tenant=tenant).aggregate(sum=Sum("used"))["sum"]
    assert account.month_used == account.life_used == charged == daily


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        ({"user_month": 20}, 2400),
        ({"org_month": 40}, 2400),
        ({"user_lifetime": 20}, 2400),
        ({"org_lifetime": 40}, 2400),
        ({"user_month": 20, "per_user": "hard"}, 2400),
    ],
)
def test_64_rivals_fill_a_limit_to_the_last_request_that_fits_and_not_a_second_more(acme, licensed, limits, allowed):
    set_limits(acme, **limits)
    race(acme, [licensed.agent, licensed.other_agent])
    assert allowed - 2 * SECONDS < highest(acme) <= allowed
    if "per_user" in limits:
        for user in (licensed.agent, licensed.other_agent):
            assert highest(acme, user_id=user.pk) <= allowed // 2
    close_the_books(acme)


def test_a_limit_lowered_in_mid_race_holds_from_that_moment_on(acme, licensed):
    set_limits(acme, org_month=60)
    marks = []

    def lower() -> None:
        with transaction.atomic():
            set_limits(acme, org_month=20)
            marks.append(newest_entry())

    race(acme, [licensed.agent, licensed.other_agent], meanwhile=lower)
    taken = Entry.objects.filter(tenant=acme, pk__lte=marks[0], step="reserve").count()
    assert taken > 0
    assert highest(acme, after=marks[0]) <= 20 * 60
    close_the_books(acme)


@pytest.mark.parametrize("what", ["seats", "licence", "user"])
def test_who_loses_the_seat_in_mid_race_reserves_nothing_more_and_the_pool_shrinks_with_him(acme, licensed, what):
    set_limits(acme, user_month=60)
    set_seats(acme, 2)
    marks = []

    def take_away() -> None:
        with transaction.atomic():
            if what == "seats":
                set_seats(acme, 1)
            elif what == "licence":
                revoke(licensed.other_agent, editor=licensed.platform_admin)
            else:
                User.objects.filter(pk=licensed.other_agent.pk).update(is_active=False)
                Tenant.objects.filter(pk=acme.pk).update(people_version=F("people_version") + 1)
                Account.objects.select_for_update().get(tenant=acme)
            marks.append(newest_entry())

    race(acme, [licensed.agent, licensed.other_agent], meanwhile=take_away)
    lost = Entry.objects.filter(tenant=acme, step="reserve", user_id=licensed.other_agent.pk)
    assert lost.filter(pk__lte=marks[0]).exists()
    assert not lost.filter(pk__gt=marks[0]).exists()
    assert Entry.objects.filter(tenant=acme, pk__gt=marks[0]).exists()
    assert highest(acme, after=marks[0]) <= 60 * 60
    close_the_books(acme)


def test_64_rivals_for_the_same_record_reserve_it_once(acme, licensed):
    wanted = request(licensed.agent, SECONDS)

    def rival(_number: int) -> object:
        try:
            outcome = reserve(tenant_id=acme.pk, meter=METER, requests=[wanted])[wanted.key]
            settle(tenant_id=acme.pk, meter=METER, keys=[wanted.key])
            return outcome
        finally:
            connection.close()

    with ThreadPoolExecutor(RIVALS) as pool:
        assert set(pool.map(rival, range(RIVALS))) == {Granted()}
    close_the_books(acme)
    assert Account.objects.get(tenant=acme).life_used == SECONDS
