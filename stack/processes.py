"""Facts about processes, read from /proc, so that nothing is ever signalled by name or by a recycled id."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

POLL_S = 0.02


def start_ticks(pid: int) -> int | None:
    """Return the start time of ``pid`` in clock ticks since boot, or None when there is no such (living) process.

    A process id together with this number names one process for ever; the id alone may be given out again.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, ValueError):
        return None
    # The second field is the command in brackets and may itself hold blanks and brackets.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in ("Z", "X"):
        return None
    return int(fields[19])


def boot_id() -> str:
    """Return the id of this boot of the machine; start ticks are only comparable within one boot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    """Say whether ``pid`` is a living process (a zombie is not)."""
    return start_ticks(pid) is not None


def command_line(pid: int) -> str:
    """Return the command line of ``pid`` with blanks between the arguments; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def pids_in_directory(directory: Path) -> list[int]:
    """Return the living processes whose working directory is ``directory``."""
    found = []
    wanted = str(directory.resolve())
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            at_home = os.readlink(f"/proc/{entry}/cwd") == wanted
        except OSError:
            continue
        if at_home and is_alive(int(entry)):
            found.append(int(entry))
    return found


def send(pid: int, signum: signal.Signals) -> None:
    """Send a signal; a process that has gone meanwhile is not an error."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)


def wait_until(condition: Callable[[], bool], timeout_s: float, poll_s: float = POLL_S) -> bool:
    """Poll ``condition`` until it holds or ``timeout_s`` seconds are over; return whether it held."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return condition()
        time.sleep(poll_s)
    return True
