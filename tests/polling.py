"""Waiting in tests: ask again until it is true or the time is over, never a bare sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(condition: Callable[[], Found], *, seconds: float = 10.0, every: float = 0.05) -> Found:
    """Return what ``condition()`` is as soon as that is true; fail when it has not become true within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {seconds} seconds")
        time.sleep(every)
    return found
