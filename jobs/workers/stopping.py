"""Whether this worker was asked to stop: known at once in all its processes, without asking anybody.

The main process of a worker hears of it (SIGTERM); the processes that do the work are forked from it before, and share
one byte of memory with it. A process manager that sends the signal to every process of a group is understood as well.
"""

import mmap
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Anonymous shared memory outlives a fork: what the main process writes, its children read.
_word = mmap.mmap(-1, 1)
_told = threading.Event()


def ask_to_stop() -> None:
    """Tell this process and all that were forked from it. Safe in a signal handler."""
    _word[0] = 1


def stopping() -> bool:
    """True once this process was asked to stop; it never goes back."""
    return _word[0] == 1 or _told.is_set()


@contextmanager
def heeding_sigterm() -> Iterator[None]:
    """Understand SIGTERM as the request to stop while the block runs, and die of it afterwards.

    Otherwise a process of the pool would die at once with all leases in its hands. Outside the main thread, where no
    handler can be set, the block just runs.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def hear(_signum: int, _frame: FrameType | None) -> None:
        _told.set()

    before = signal.signal(signal.SIGTERM, hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if _told.is_set() and before == signal.SIG_DFL:
            os.kill(os.getpid(), signal.SIGTERM)
