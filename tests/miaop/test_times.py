"""Moments as the guide writes them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from miaop.times import milliseconds, moment_of, written_moment

MOMENT = datetime(2025, 7, 15, 7, 30, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Jerusalem")


@pytest.mark.parametrize("value", [1752564600, 1752564600000, "1752564600", "1752564600000", 1752564600.0])
def test_numbers_are_seconds_or_milliseconds_by_their_size(value):
    assert moment_of(value) == MOMENT


@pytest.mark.parametrize(
    "value", ["15.07.2025 10:30", "15.07.2025 10:30:00", "2025-07-15T10:30", "2025-07-15T07:30:00Z", 1752564600]
)
def test_dates_are_of_the_tenants_zone_unless_they_name_one(value):
    assert written_moment(value, ZONE) == MOMENT


@pytest.mark.parametrize(
    "value", ["yesterday", "31.02.2025 10:30", "", None, True, [], {}, 10**18, "9" * 30, float("nan"), float("inf")]
)
def test_anything_else_is_no_moment(value):
    assert written_moment(value, ZONE) is None


def test_the_api_says_milliseconds():
    assert milliseconds(MOMENT) == 1752564600000
