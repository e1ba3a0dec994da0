"""What a running stack says about itself in ``run/state.json``, and the lock that tells whether it lives."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stack.errors import EXIT_ALREADY_RUNNING, StackError
from stack.files import read_json
from stack.paths import StackPaths
from stack.processes import boot_id, start_ticks


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
    """Return the last state written, or an empty dictionary."""
    state = read_json(paths.state)
    if not isinstance(state, dict):
        return {}
    processes = state.get("processes", [])
    well_formed = isinstance(processes, list) and all(isinstance(entry, dict) for entry in processes)
    return state if well_formed else {}


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
