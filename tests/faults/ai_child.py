"""A worker of an AI job that kills itself with SIGKILL at one named point: ``ai_child.py POINT WHEN JOB``.

As ``crash_child``, with the points between admission and the end of the record.
"""

import sys
import time
from typing import Any

import django

from tests.faults import crash_child
from tests.faults.crash_child import LONGEST_S, Point


def _any(*_arguments: Any, **_named: Any) -> bool:
    return True


def _with_results(*arguments: Any, **_named: Any) -> bool:
    return bool(arguments[1])


POINTS: dict[str, Point] = {
    "admitted": ("aiassistant.executing.session", "admit_plans", _any),
    "intent": crash_child.POINTS["intent"],
    "asked": ("aiassistant.executing.session.AISession", "submit", _any),
    "values written": ("aiassistant.executing.storing", "write_values", _any),
    "charged": ("aiassistant.executing.storing", "charge", _with_results),
    "stored": ("aiassistant.executing.session", "store", _with_results),
    "end saved": crash_child.POINTS["end saved"],
}


def main() -> int:
    """Pass after pass until the trap springs."""
    point, when, job = sys.argv[1:]
    django.setup()
    from django.db.models import Value
    from django.db.models.functions import Now

    import aiassistant.kind  # noqa: F401
    import jobs.passes.running
    from jobs.models import Record

    crash_child.POINTS.update(POINTS)
    crash_child.arm(point, when)
    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline:
        jobs.passes.running.run_pass(int(job))
        Record.objects.filter(state="in_progress", lease_until=None).update(next_at=Now(), wait=Value(""))
        time.sleep(0.05)
    return 3


if __name__ == "__main__":
    sys.exit(main())
