"""What jobs of stand-ins wait for: hearing takes its time, and under chaos some jobs never end."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from aiohttp import web

from emulators.chaos import Chaos
from emulators.hearing import AudioError, Recording, hear
from emulators.recogniser import Unheard

Outcome = TypeVar("Outcome")
# What is known so soon is told at once, as without a recogniser.
AT_ONCE_S = 2.0
# How long an answer that does not come is held, at most, and how often is looked whether anybody still waits.
LONGEST_HOLD_S = 3600.0
HOLD_TICK_S = 0.5
# Under this name a middleware leaves with a request that chaos wants its job stuck.
STUCK = "stuck"


class Work(Generic[Outcome]):
    """Something slow in a thread. ``over`` says whether the job may show what came of it."""

    def __init__(self, task: "asyncio.Future[Outcome]", stuck: Chaos | None) -> None:
        self._task, self._stuck = task, stuck

    @property
    def over(self) -> bool:
        """Done, and not stuck; chaos that is lifted lets go of what was stuck."""
        held = self._stuck is not None and bool(self._stuck.settings.stuck)
        return self._task.done() and not held

    def outcome(self) -> Outcome:
        """What came of it, once it is over; raises what the work raised."""
        return self._task.result()


class Listening(Work[Recording]):
    """A recording that is being listened to."""

    @property
    def heard(self) -> Recording | None:
        """None while it is not known, and for what is no audio or was not heard by the recogniser in time."""
        try:
            return self.outcome() if self._task.done() else None
        except (AudioError, Unheard):
            return None


async def begin(request: web.Request, chaos: Chaos, work: Callable[[], Outcome]) -> Work[Outcome]:
    """Start ``work``, which blocks, for a job; returns when it is done or takes longer than a moment."""
    return Work(await _started(work), _stuck(request, chaos))


async def listen(request: web.Request, chaos: Chaos, content: bytes, *, mix: bool = False) -> Listening:
    """Start to hear a recording for a job, as ``begin``."""
    return Listening(await _started(lambda: hear(content, mix=mix)), _stuck(request, chaos))


async def hold(request: web.Request, chaos: Chaos) -> None:
    """For transcripts that are the answer itself: where chaos wants it stuck it does not come while anybody waits."""
    stuck = _stuck(request, chaos)
    for _tick in range(int(LONGEST_HOLD_S / HOLD_TICK_S)):
        if stuck is None or not chaos.settings.stuck or request.transport is None or request.transport.is_closing():
            return
        await asyncio.sleep(HOLD_TICK_S)


async def _started(work: Callable[[], Outcome]) -> "asyncio.Future[Outcome]":
    task = asyncio.ensure_future(asyncio.to_thread(work))
    await asyncio.wait({task}, timeout=AT_ONCE_S)
    return task


def _stuck(request: web.Request, chaos: Chaos) -> Chaos | None:
    return chaos if request.pop(STUCK, False) else None
