"""Named crash points: a process that passes one with a trap set kills itself with SIGKILL.

A trap is a file ``POINT.N`` in the directory that PARLANCE_CRASH_TRAPS names: the N-th process that comes by dies. It is
renamed from N to N - 1, which exactly one process can do, so one trap kills once however many workers there are. With
``whole`` as its content the process takes its worker, the pool's main process, with it. The product knows nothing of
this: the settings of the harness put the points around its functions in every child of the pool.
"""

import functools
import inspect
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRAPS = "PARLANCE_CRASH_TRAPS"
DEEPEST = 2


@dataclass(frozen=True)
class Point:
    """Where the function is looked up when it is called, its name, and which results count as coming by."""

    place: str
    name: str
    counts: Callable[[Any], bool] = bool
    before: bool = False


def _any(_result: Any) -> bool:
    return True


def _took_some(result: Any) -> bool:
    return result[0] > 0


def _finished(result: Any) -> bool:
    return type(result).__name__ == "Finished"


def _committed(changes: Any) -> bool:
    return any(change.final for change in changes or ())


POINTS: dict[str, Point] = {
    "after take": Point("jobs.passes.intake", "take_from_queue", _took_some),
    "after claim": Point("jobs.passes.intake", "claim_due"),
    "after reserve": Point("transcription.session", "reserve"),
    "after intent": Point("jobs.passes.applying", "write_intents"),
    "after submit": Point("transcription.session.TranscriptionSession", "submit"),
    "after poll": Point("ENGINE", "poll", _any),
    "after fetch": Point("transcription.session.TranscriptionSession", "advance", _finished),
    "inside commit": Point("transcription.session", "settle"),
    "before bell": Point("core.bell", "_ring", _any, before=True),
    "after commit": Point("jobs.passes.applying.ChangeWriter", "_apply_together", _committed),
    "in cleanup": Point("transcription.session.TranscriptionSession", "clean_up", _any),
}


def set_trap(directory: Path, point: str, hit: int, *, whole: bool) -> None:
    """The ``hit``-th process that comes by ``point`` dies; 1 is the first. Raises KeyError for an unknown point."""
    assert POINTS[point]
    assert 1 <= hit <= DEEPEST
    made = directory / f"new {point}"
    made.write_text("whole" if whole else "child")
    made.rename(_file(directory, point, hit))


def sprung(directory: Path, point: str) -> bool:
    """Whether the trap has killed."""
    return _file(directory, point, 0).exists()


def clear_traps(directory: Path) -> None:
    """Take all traps away."""
    for file in directory.iterdir():
        file.unlink(missing_ok=True)


def arm() -> None:
    """Put a hook around every point, in this process; without a trap it costs two failing renames."""
    from django.conf import settings
    from django.utils.module_loading import import_string

    directory = Path(os.environ[TRAPS])
    for key, point in POINTS.items():
        places = settings.SPEECH_ENGINES.values() if point.place == "ENGINE" else [point.place]
        for place in places:
            owner = _owner(place, import_string)
            setattr(owner, point.name, _hooked(getattr(owner, point.name), directory, key, point))


def _owner(place: str, import_string: Callable[[str], Any]) -> Any:
    try:
        return __import__(place, fromlist=["_"])
    except ModuleNotFoundError:
        return import_string(place)


def _file(directory: Path, point: str, hit: int) -> Path:
    return directory / f"{point}.{hit}"


def _come_by(directory: Path, key: str) -> None:
    for hit in range(1, DEEPEST + 1):
        try:
            _file(directory, key, hit).rename(_file(directory, key, hit - 1))
        except FileNotFoundError:
            continue
        if hit == 1:
            whole = _file(directory, key, 0).read_text() == "whole"
            if whole:
                os.killpg(os.getpgrp(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        return


def _hooked(function: Callable[..., Any], directory: Path, key: str, point: Point) -> Callable[..., Any]:
    @functools.wraps(function)
    async def later(*arguments: Any, **named: Any) -> Any:
        result = await function(*arguments, **named)
        if point.counts(result):
            _come_by(directory, key)
        return result

    @functools.wraps(function)
    def now(*arguments: Any, **named: Any) -> Any:
        if point.before:
            _come_by(directory, key)
        result = function(*arguments, **named)
        if not point.before and point.counts(result):
            _come_by(directory, key)
        return result

    return later if inspect.iscoroutinefunction(function) else now
