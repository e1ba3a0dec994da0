"""What a running stack says about itself in ``run/state.json``, and the lock that tells whether it lives."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import NoneType
from typing import Any

from stack.demofigures import FIGURES
from stack.errors import EXIT_ALREADY_RUNNING, StackError
from stack.files import read_json
from stack.paths import StackPaths
from stack.processes import boot_id, start_ticks

# Types of what is there (nothing has to be, but for NEEDED). A mapping stands for an object of that shape, a list for a
# list of such objects.
TICKS = (int, NoneType)
STATE: dict[str, Any] = {
    "supervisor": {"pid": int, "started": TICKS},
    "boot_id": str,
    "port": int,
    "url": str,
    "with_demo": bool,
    "phase": str,
    "message": str,
    "error": (str, NoneType),
    "healthy": bool,
    "ready_at": (int, float),
    "demo": dict.fromkeys(FIGURES, int),
    "processes": [{"name": str, "pid": TICKS, "started": TICKS, "state": str, "restarts": int}],
}
NEEDED = {"name", *FIGURES}


@contextmanager
def supervisor_lock(paths: StackPaths) -> Iterator[None]:
    """Hold the lock of the living supervisor; raises :class:`StackError` (already running) when another one has it.

    The kernel drops the lock when the process ends, however it ends; there is no stale lock to clean.
    """
    descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError("The stack is already running", exit_code=EXIT_ALREADY_RUNNING) from None
        yield
    finally:
        os.close(descriptor)


def is_supervised(paths: StackPaths) -> bool:
    """Say whether a supervisor of this data directory lives."""
    try:
        descriptor = os.open(paths.lock, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_state(paths: StackPaths) -> dict[str, Any]:
    """Return the last state written, or an empty dictionary when there is none or it is damaged in any way."""
    state = read_json(paths.state)
    return state if _has_shape(state, STATE) and 0 <= state.get("port", 0) <= 65535 else {}


def orphans(paths: StackPaths) -> list[dict[str, Any]]:
    """Return the recorded processes that still live although their supervisor may not.

    A process counts only when boot, id and start time are those recorded: an id given to a stranger never does.
    """
    state = read_state(paths)
    if state.get("boot_id") != boot_id():
        return []
    return [
        entry
        for entry in state.get("processes", [])
        if entry.get("pid") and start_ticks(entry["pid"]) == entry.get("started")
    ]


def _has_shape(value: Any, shape: Any) -> bool:
    if isinstance(shape, list):
        return isinstance(value, list) and all(_has_shape(entry, shape[0]) for entry in value)
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(
            _has_shape(value[name], wanted) if name in value else name not in NEEDED for name, wanted in shape.items()
        )
    return isinstance(value, shape)
