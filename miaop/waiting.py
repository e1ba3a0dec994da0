"""Waiting for a task to move on, in a request (``?wait=``): one cheap look a second, and few who wait at a time."""

import threading
import time
from collections.abc import Callable

from django.db import connection

MOST_SECONDS = 30
EVERY_S = 1.0
# Of the eight threads of a web process; who finds no place is answered at once.
PLACES = threading.BoundedSemaphore(3)


def wait_for(moved: Callable[[], bool], seconds: int) -> None:
    """Return when ``moved`` says so, after ``seconds``, or at once when too many wait already.

    ``moved`` is asked outside any tenant and any transaction; between two looks no database connection is held.
    """
    if seconds <= 0 or not PLACES.acquire(blocking=False):
        return
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not moved():
            if not connection.in_atomic_block:
                connection.close()
            time.sleep(min(EVERY_S, max(0.0, end - time.monotonic())))
    finally:
        PLACES.release()
