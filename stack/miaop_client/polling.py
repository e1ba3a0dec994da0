"""When to ask for the task again: the rule of the guide (R8), without a clock, so that it can be tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from stack.miaop_client.errors import NOT_FINISHED, REFUSED, ClientError

PENDING, PROCESSING, DONE, ERROR = "sttPending", "sttProcessing", "sttDone", "error"
STATUSES = (PENDING, PROCESSING, DONE, ERROR)
FINAL = (DONE, ERROR)
FIRST_WAIT_S = 3.0
# A day: a server that promises more is not believed.
LONGEST_WAIT_S = 86_400.0


def next_wait(before: str, now: str, remaining: object, interval: float) -> float:
    """Seconds until the next question: what remains when the task has just begun to be processed, else the interval."""
    entered = now == PROCESSING and before != PROCESSING
    if entered and isinstance(remaining, int | float) and not isinstance(remaining, bool) and remaining > 0:
        return min(float(remaining), LONGEST_WAIT_S)
    return interval


def poll(
    ask: Callable[[], dict[str, Any]],
    *,
    pause: Callable[[float], None],
    clock: Callable[[], float],
    interval: float,
    timeout: float,
) -> Iterator[dict[str, Any]]:
    """Every state of the task until it is final, the final one last.

    Raises ClientError when it is not final within ``timeout`` seconds, or has a status the API does not know.
    """
    ends = clock() + timeout
    status, wait = "", min(FIRST_WAIT_S, interval)
    while True:
        left = ends - clock()
        if left <= 0:
            message = f"the task is still {status or 'waiting'} after {timeout:g} s; it goes on at the server"
            raise ClientError(message, exit_code=NOT_FINISHED)
        pause(min(wait, left))
        task = ask()
        now = task.get("taskStatus")
        if not isinstance(now, str) or now not in STATUSES:
            raise ClientError("the server gave the task a status that is not of the API", exit_code=REFUSED)
        yield task
        if now in FINAL:
            return
        status, wait = now, next_wait(status, now, task.get("sttRemainingTime"), interval)
