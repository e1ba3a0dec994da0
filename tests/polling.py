"""Waiting in tests: ask again until it is true or the time is over, never a bare sleep."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], *, seconds: float = 10.0, every: float = 0.05) -> None:
    """Return as soon as ``condition()`` is true; fail when it has not become true within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {seconds} seconds")
        time.sleep(every)
