"""One engine as one pass uses it: a place, room within the minute, and a closed circuit, before each request.

The event loop of the pass waits here; what is shared with other passes is asked for between two steps of the loop
(``tend``), as the machinery of jobs does it. Whoever would have to wait long is held back instead and comes again later.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from django.utils import timezone
from django.utils.translation import gettext as _

from aiassistant.models import AIEngine
from aiassistant.pacing.turns import Turn
from aiassistant.pacing.windows import Limits, Taken, note_throttled, take
from core.outcomes import EngineError, ErrorClass
from engines.selectors import circuit_key
from engines.services import report_failing
from jobs.circuits.of_pass import Breaker
from jobs.models import JobDefinition, Record
from jobs.policy.slots import Slots
from jobs.verdicts import Finished, Outcome, Troubled

# A request waits in the pass for a place, and for room within the minute, for so many seconds; then its record waits.
PLACE_S = 20.0
ROOM_S = 1.5
BEAT_S = 1.0
# A probe whose record was left out after all is given back after so long.
UNUSED_PROBE_S = 5.0
# Without a hint, an engine that throttles is left alone for so long.
THROTTLED_S = 5.0
MOST_THROTTLED_S = 60.0


class HeldBack(EngineError):
    """Nothing was sent, by our own rules: ``wait`` says which, in the words of records that wait."""

    def __init__(self, message: str, *, wait: Record.Wait, retry_after: float) -> None:
        super().__init__(ErrorClass.RATE, message, code="other_engine", retry_after=max(retry_after, 1.0))
        self.wait = wait


@dataclass(slots=True, eq=False)
class _Wish:
    tokens: int
    answer: "asyncio.Future[Taken]"
    patient: bool


@dataclass
class Access:
    """``shared``: places and circuit of this engine are held by the pass itself, because it is the only one of its job, or
    by nobody, because no job asks."""

    engine: AIEngine
    job: JobDefinition | None
    capacity: int
    limits: Limits
    shared: bool
    inside: int = 0
    # Engines of which something was loaded since the last look are going to be asked.
    fresh: bool = True
    wishes: list[_Wish] = field(default_factory=list)
    corrections: Counter[float] = field(default_factory=Counter)
    heard: list[Outcome] = field(default_factory=list)
    probes: int = 0
    probe_given_at: float = 0.0
    beat_at: float = 0.0
    silent_until: float = 0.0
    throttled: int = 0

    def __post_init__(self) -> None:
        self.circuit = circuit_key(self.engine)
        job = None if self.shared else self.job
        self.slots = None if job is None else Slots.of_pass(job, self.circuit, self.capacity)
        self.breaker = None if job is None else Breaker(job, self)

    def on_circuit_opened(self, reason: str) -> None:
        """One row in the audit trail and one line of the worker's log."""
        report_failing(engine=self.engine, reason=reason)

    def expect(self) -> HeldBack | None:
        """None when one more execution may be begun, as the probe of a failing engine perhaps; else why it must wait.

        Asks the database.
        """
        self.fresh = True
        if self.breaker is None or not self.breaker.open:
            return None
        if not self.breaker.room(1, self.inside + self.probes):
            return self._failing()
        self.probes, self.probe_given_at = 1, time.monotonic()
        return None

    @asynccontextmanager
    async def turn(self, tokens: int, *, patient: bool = False) -> AsyncIterator[Turn]:
        """Wait for what one request needs. Raises HeldBack when that takes long, or nothing may be sent now."""
        self.inside += 1
        try:
            probe = await self._look(patient=patient)
            async with self._place(PLACE_S if not patient else None):
                if not probe:
                    await self._look(patient=patient)
                counted = await self._room(tokens, patient=patient)
                turn = Turn()
                try:
                    yield turn
                except EngineError as error:
                    self._refused(error)
                    raise
                self.heard.append(Finished(None))
                if counted is not None and turn.usage is not None and self.limits.tokens is not None:
                    taken = turn.usage.prompt + turn.usage.completion
                    self.corrections[counted] += taken - min(tokens, self.limits.tokens)
        finally:
            self.inside -= 1

    def tend(self, calls: int) -> None:
        """Between two steps of the loop: renew places for at most ``calls``, count, and learn what others found out."""
        if self.slots is not None:
            self.slots.keep(max(self.inside, calls if self.fresh else 0))
        self.fresh = False
        self._grant()
        if self.breaker is not None:
            self._judge(self.breaker)
        self.heard.clear()

    def leave(self) -> None:
        """Give back places and an unused probe, and count what came last; no request may be under way any more."""
        self._grant()
        if self.breaker is not None:
            self.breaker.note(self.heard, None)
            self.breaker.found_nothing()
        if self.slots is not None:
            self.slots.leave()

    def _judge(self, breaker: Breaker) -> None:
        if self.heard:
            breaker.note(self.heard, None)
        now = time.monotonic()
        if breaker.probing and not self.inside and now > self.probe_given_at + UNUSED_PROBE_S:
            breaker.found_nothing()
        if not breaker.probing:
            self.probes = 0
        if now >= self.beat_at:
            self.beat_at = now + BEAT_S
            breaker.beat()

    async def _look(self, *, patient: bool) -> bool:
        """True for the probe. Raises HeldBack while nothing may be sent."""
        left = self.silent_until - time.monotonic()
        if left > 0 and patient:
            await asyncio.sleep(left)
        elif left > 0:
            text = _("The engine “%(name)s” has asked to wait") % {"name": self.engine.name}
            raise HeldBack(text, wait=Record.Wait.RATE, retry_after=left)
        if self.breaker is None or not self.breaker.open:
            return False
        if not self.breaker.probing or not self.probes:
            raise self._failing()
        self.probes = 0
        return True

    def _failing(self) -> HeldBack:
        circuit = self.breaker.circuit if self.breaker is not None else None
        left = (circuit.probe_at - timezone.now()).total_seconds() if circuit is not None and circuit.probe_at else 10.0
        text = _("Nothing is sent to the engine “%(name)s”, because it fails") % {"name": self.engine.name}
        return HeldBack(text, wait=Record.Wait.CIRCUIT, retry_after=left)

    @asynccontextmanager
    async def _place(self, within_s: float | None) -> AsyncIterator[None]:
        if self.slots is None:
            yield
            return
        try:
            async with asyncio.timeout(within_s):
                await self.slots.gate.enter()
        except TimeoutError:
            text = _("All %(n)s places of the engine “%(name)s” are taken")
            shown = text % {"n": self.capacity, "name": self.engine.name}
            raise HeldBack(shown, wait=Record.Wait.RATE, retry_after=ROOM_S) from None
        try:
            yield
        finally:
            self.slots.gate.leave()

    async def _room(self, tokens: int, *, patient: bool) -> float | None:
        """The time under which the request is counted. Raises HeldBack when the minute has no room for it soon."""
        if self.limits.none:
            return None
        wish = _Wish(tokens, asyncio.get_running_loop().create_future(), patient)
        self.wishes.append(wish)
        taken = await wish.answer
        if taken.delay_s is not None:
            text = _("The limit of the engine “%(name)s” is used up: %(limits)s")
            shown = text % {"name": self.engine.name, "limits": limits_text(self.limits)}
            raise HeldBack(shown, wait=Record.Wait.RATE, retry_after=taken.delay_s)
        return taken.at

    def _grant(self) -> None:
        if self.throttled:
            note_throttled(self.engine.pk, self.throttled)
            self.throttled = 0
        self.wishes = [wish for wish in self.wishes if not wish.answer.done()]
        if self.limits.none or not (self.wishes or self.corrections):
            return
        answers = take(self.engine.pk, self.limits, [wish.tokens for wish in self.wishes], self.corrections)
        self.corrections = Counter()
        for wish, taken in zip(self.wishes, answers, strict=True):
            if taken.delay_s is None or (taken.delay_s > ROOM_S and not wish.patient):
                wish.answer.set_result(taken)

    def _refused(self, error: EngineError) -> None:
        self.heard.append(Troubled(error))
        if error.error_class == ErrorClass.RATE:
            self.throttled += 1
            asked = error.retry_after if error.retry_after is not None else THROTTLED_S
            self.silent_until = time.monotonic() + min(max(asked, 0.0), MOST_THROTTLED_S)


def limits_text(limits: Limits) -> str:
    """In words, for people."""
    parts = [
        _("%(n)s requests a minute") % {"n": f"{limits.requests:,}"} if limits.requests is not None else "",
        _("%(n)s tokens a minute") % {"n": f"{limits.tokens:,}"} if limits.tokens is not None else "",
    ]
    return ", ".join(part for part in parts if part)
