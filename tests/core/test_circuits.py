"""When the circuit breaker opens, and how long it waits."""

from datetime import UTC, datetime, timedelta

import pytest

from core.circuits import LEAST_FAILURES, LONGEST_PAUSE_S, WINDOW, Window, counted, must_open, pause_s

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def window(calls, failures):
    return counted(Window(NOW), calls=calls, failures=failures, now=NOW)


@pytest.mark.parametrize(
    ("calls", "failures", "opens"),
    [
        (0, 0, False),
        (4, 4, False),
        (5, 5, True),
        (10, 5, True),
        (11, 5, False),
        (1000, 499, False),
        (1000, 500, True),
    ],
)
def test_it_takes_five_failures_and_half_of_all_calls(calls, failures, opens):
    assert must_open(window(calls, failures)) is opens


def test_what_happened_before_the_window_is_forgotten():
    almost = window(LEAST_FAILURES - 1, LEAST_FAILURES - 1)
    assert must_open(counted(almost, calls=1, failures=1, now=NOW + WINDOW - timedelta(seconds=1)))
    assert not must_open(counted(almost, calls=1, failures=1, now=NOW + WINDOW))


def test_the_pause_doubles_up_to_ten_minutes_however_long_it_lasts():
    pauses = [pause_s(tries) for tries in range(0, 3000, 1)]
    assert pauses[:4] == [10, 20, 40, 80]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_S == 600
