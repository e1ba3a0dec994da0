"""Months begin when the tenant's clock says so, in every zone, and no second falls into a wrong one (security R15, M12)."""

import zoneinfo
from datetime import UTC, date, datetime, timedelta

import pytest

from licensing.ledger import reserve, settle
from licensing.models import DailyUsage, Reservation
from licensing.periods import day_of, days_until_reset, month_of, month_start, next_month_start, settled_month
from licensing.reconciling import differences
from tests.licensing.conftest import METER, request

ZONES = sorted(zoneinfo.available_timezones() - {"Factory", "localtime"})
MONTHS = [(year, month) for year in range(2024, 2029) for month in range(1, 13)]
TICK, HOUR = timedelta(microseconds=1), timedelta(hours=1)
LEDGER_ZONES = [
    "UTC",
    "America/Havana",
    "America/Asuncion",
    "Pacific/Kiritimati",
    "Pacific/Niue",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/St_Johns",
    "Asia/Beirut",
    "Pacific/Chatham",
]


def offset_at(zone: zoneinfo.ZoneInfo, at: datetime) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def first_instant(zone: zoneinfo.ZoneInfo, year: int, month: int) -> datetime:
    """When the local clock first shows the month; by arithmetic on offsets, without any local time of the library.

    Looks for the earliest second whose wall clock is past midnight, by halving the two days around it.
    """
    wall = datetime(year, month, 1, tzinfo=UTC)
    low, high = wall - timedelta(days=1), wall + timedelta(days=1)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if middle + offset_at(zone, middle) >= wall:
            high = middle
        else:
            low = middle
    return high


@pytest.mark.timeout(280)
def test_in_every_zone_and_month_four_instants_around_the_rollover_fall_into_the_right_month():
    wrong, cases = [], 0
    for name in ZONES:
        zone = zoneinfo.ZoneInfo(name)
        for year, month in MONTHS:
            this = f"{year:04d}-{month:02d}"
            last = f"{year - (month == 1):04d}-{(month - 2) % 12 + 1:02d}"
            start = first_instant(zone, year, month)
            for at, expected in ((start - HOUR, last), (start - TICK, last), (start, this), (start + HOUR, this)):
                cases += 1
                if (
                    month_of(at, name) != expected
                    or settled_month(at, period=last, zone=name, wanted=name)[0] != expected
                ):
                    wrong.append((name, at, expected))
            if month_start(this, name) != start or next_month_start(last, name) != start:
                wrong.append((name, start, "month_start"))
    assert wrong == []
    assert cases == len(ZONES) * len(MONTHS) * 4
    assert len(ZONES) > 500


def test_havana_where_midnight_comes_twice_begins_november_with_the_first_of_them():
    first, second = datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2026, 11, 1, 5, tzinfo=UTC)
    assert month_start("2026-11", "America/Havana") == first
    assert month_of(first - TICK, "America/Havana") == "2026-10"
    assert {month_of(at, "America/Havana") for at in (first, second - TICK, second)} == {"2026-11"}


def test_asuncion_where_midnight_is_left_out_begins_october_an_hour_into_the_day():
    start = datetime(2023, 10, 1, 4, tzinfo=UTC)
    assert month_start("2023-10", "America/Asuncion") == start
    assert month_of(start - TICK, "America/Asuncion") == "2023-09"
    assert month_of(start, "America/Asuncion") == "2023-10"


def test_the_earliest_and_the_latest_zone_begin_a_month_25_hours_apart():
    kiritimati, niue = month_start("2026-12", "Pacific/Kiritimati"), month_start("2026-12", "Pacific/Niue")
    assert (kiritimati, niue) == (datetime(2026, 11, 30, 10, tzinfo=UTC), datetime(2026, 12, 1, 11, tzinfo=UTC))


def test_a_zone_changed_in_mid_month_counts_from_the_next_month_and_no_month_comes_back():
    def month(at: datetime, wanted: str) -> tuple[str, str]:
        return settled_month(at, period="2026-11", zone="Pacific/Kiritimati", wanted=wanted)

    over = month_start("2026-12", "Pacific/Kiritimati")
    assert month(over - TICK, "Pacific/Niue") == ("2026-11", "Pacific/Kiritimati")
    # In Niue it is still November: that month goes on, in the new zone, and ends there.
    assert month(over, "Pacific/Niue") == ("2026-11", "Pacific/Niue")
    assert month(over, "Pacific/Kiritimati") == ("2026-12", "Pacific/Kiritimati")
    assert month(datetime(2026, 10, 1, tzinfo=UTC), "Pacific/Niue") == ("2026-11", "Pacific/Kiritimati")


def test_days_until_the_reset_count_local_days():
    assert days_until_reset(datetime(2026, 11, 20, 12, tzinfo=UTC), "2026-11", "UTC") == 11
    assert days_until_reset(datetime(2026, 11, 30, 9, 59, tzinfo=UTC), "2026-11", "Pacific/Kiritimati") == 1


@pytest.mark.django_db
@pytest.mark.parametrize("zone", LEDGER_ZONES)
def test_the_ledger_keeps_the_month_of_the_reservation_in_the_zone_of_the_tenant(acme, licensed, zone):
    type(acme).objects.filter(pk=acme.pk).update(time_zone=zone)
    expected = {}
    for year, month in [(2026, 10), (2026, 11), (2026, 12), (2027, 1)]:
        start = first_instant(zoneinfo.ZoneInfo(zone), year, month)
        for at in (start - HOUR, start - TICK, start, start + HOUR):
            wanted = request(licensed.agent, 60)
            reserve(tenant_id=acme.pk, meter=METER, requests=[wanted], at=at)
            before = date(year, month, 1) - timedelta(days=1)
            expected[wanted.record] = f"{year}-{month:02d}" if at >= start else f"{before:%Y-%m}"
    settle(tenant_id=acme.pk, meter=METER, keys=[(record, 1) for record in expected])
    stored = Reservation.objects.filter(tenant=acme).values_list("record", "period", "day", "at")
    assert {record: period for record, period, _day, _at in stored} == expected
    assert all(day == day_of(at, zone) for _record, _period, day, at in stored)
    assert sum(DailyUsage.objects.filter(tenant=acme).values_list("used", flat=True)) == 60 * len(expected)
    assert differences() == []


@pytest.mark.django_db
def test_a_clock_that_was_set_back_does_not_lead_back_into_a_month_that_is_over(acme, licensed):
    start = datetime(2026, 12, 1, tzinfo=UTC)
    for at in (start + HOUR, start - HOUR):
        reserve(tenant_id=acme.pk, meter=METER, requests=[request(licensed.agent, 60)], at=at)
    stored = Reservation.objects.filter(tenant=acme).order_by("pk").values_list("period", "at")
    assert list(stored) == [("2026-12", start + HOUR), ("2026-12", start)]
    assert differences() == []
