"""A worker that kills itself with SIGKILL at one named point of its first record: ``crash_child.py POINT WHEN JOB``.

``WHEN`` is ``before`` or ``after`` the function that the point names. Ends with 3 when the point was never reached.
"""

import functools
import inspect
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import django

LONGEST_S = 40

# Where the function is looked up when it is called, its name, and which of its calls is meant.
Point = tuple[str, str, Callable[..., bool]]


def _any_call(*_arguments: Any, **_named: Any) -> bool:
    return True


def _handle(_writer: Any, changes: Any) -> bool:
    return any(change.step == "uploaded" for change in changes)


def _ending(_writer: Any, changes: Any) -> bool:
    return any(change.final for change in changes)


def _moving(_writer: Any, intents: Any, _place: int) -> bool:
    return any(intent.moved for intent in intents)


def _passing_on(_writer: Any, changes: Any) -> bool:
    return any(change.step == "passed_on" for change in changes)


def _some_requests(**named: Any) -> bool:
    return bool(named["requests"])


def _some_keys(**named: Any) -> bool:
    return bool(named["keys"])


def _some_intents(intents: Any, _place: int) -> bool:
    return bool(intents)


def _second_slice(job: Any, *_arguments: Any, **_named: Any) -> bool:
    from jobs.models import Record

    return Record.objects.filter(job=job).exists()


def _request(response: Any, *_arguments: Any) -> bool:
    method, path = os.environ["REQUEST"].split()
    return bool(response.method == method and response.url.path.startswith(path))


def _poison(_session: Any, record: Any, _payload: Any) -> bool:
    return str(record.record_id) == os.environ["POISON"]


POINTS: dict[str, Point] = {
    "poison": ("transcription.session.TranscriptionSession", "submit", _poison),
    "reserve": ("transcription.session", "reserve", _some_requests),
    "intent": ("jobs.passes.applying", "write_intents", _some_intents),
    "upload": ("transcription.session.TranscriptionSession", "submit", _any_call),
    # A request named by REQUEST is on its way, or answered: behind it the answer is there, and nobody has seen it.
    "request": ("aiohttp.client_reqrep.ClientResponse", "start", _request),
    "clean-up": ("transcription.session.TranscriptionSession", "clean_up", _any_call),
    "handle saved": ("jobs.passes.applying.ChangeWriter", "apply", _handle),
    "passed on": ("jobs.passes.applying.ChangeWriter", "apply", _passing_on),
    "stood in": ("jobs.passes.applying.ChangeWriter", "begin", _moving),
    "check": ("transcription.session.TranscriptionSession", "advance", _any_call),
    "settle": ("transcription.session", "settle", _some_keys),
    "release": ("jobs.passes.applying", "release", _some_keys),
    "slice stored": ("jobs.sweeps.sweeping", "_store", _second_slice),
    "slice done": ("jobs.sweeps.sweeping", "_advance", _second_slice),
    "end saved": ("jobs.passes.applying.ChangeWriter", "apply", _ending),
}


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _deadly(function: Callable[..., Any], when: str, meant: Callable[..., bool]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def later(*arguments: Any, **named: Any) -> Any:
        if when == "before" and meant(*arguments, **named):
            _die()
        try:
            return await function(*arguments, **named)
        finally:
            if when == "after" and meant(*arguments, **named):
                _die()

    @functools.wraps(function)
    def now(*arguments: Any, **named: Any) -> Any:
        if when == "before" and meant(*arguments, **named):
            _die()
        try:
            return function(*arguments, **named)
        finally:
            if when == "after" and meant(*arguments, **named):
                _die()

    return later if inspect.iscoroutinefunction(function) else now


def arm(point: str, when: str) -> None:
    """Put the trap where the point is."""
    from django.utils.module_loading import import_string

    place, name, meant = POINTS[point]
    try:
        owner = import_string(place)
    except ImportError:
        owner = sys.modules[place]
    setattr(owner, name, _deadly(getattr(owner, name), when, meant))


def main() -> int:
    """Pass after pass until the trap springs."""
    point, when, job = sys.argv[1:]
    django.setup()
    from django.db.models import Value
    from django.db.models.functions import Now

    import jobs.passes.running
    import transcription.session  # noqa: F401
    from jobs.models import Record

    arm(point, when)
    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline:
        jobs.passes.running.run_pass(int(job))
        # Polls need not be waited for here.
        Record.objects.filter(state="in_progress", lease_until=None).update(next_at=Now(), wait=Value(""))
        time.sleep(0.05)
    return 3


if __name__ == "__main__":
    sys.exit(main())
