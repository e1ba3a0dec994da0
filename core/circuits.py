"""The circuit breaker: when to stop asking a provider that fails, and when to try again. Pure functions.

Closed, everything goes through. A run of failures opens it: nothing is sent, what has to be done waits and is not
blamed. After a pause that grows with every failed try exactly one probe goes through; its outcome closes the circuit or
opens it again. Who keeps the state, and makes sure that there is one probe, is for the caller.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

WINDOW = timedelta(seconds=60)
# So many failures within a window, and so large a share of all calls in it.
LEAST_FAILURES = 5
LEAST_SHARE = 0.5
FIRST_PAUSE_S = 10.0
LONGEST_PAUSE_S = 600.0


@dataclass(frozen=True, slots=True)
class Window:
    """What was counted since ``began``."""

    began: datetime
    calls: int = 0
    failures: int = 0


def counted(window: Window, *, calls: int, failures: int, now: datetime) -> Window:
    """``window`` with ``calls``, ``failures`` of them failed, added; a new one when the old one is over."""
    if now - window.began >= WINDOW:
        window = Window(now)
    return replace(window, calls=window.calls + calls, failures=window.failures + failures)


def must_open(window: Window) -> bool:
    """True when so much has failed that asking further does harm: a number and a share, so that neither a few failures
    among many calls nor the first one of a quiet night count."""
    return window.failures >= LEAST_FAILURES and window.failures >= LEAST_SHARE * window.calls


def pause_s(tries: int) -> float:
    """Seconds until the probe after ``tries`` probes that failed: 10, 20, 40 … up to ten minutes."""
    return min(FIRST_PAUSE_S * 2.0 ** min(tries, 20), LONGEST_PAUSE_S)
