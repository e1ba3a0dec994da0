"""The slots of an engine: at most so many calls at once over all workers, all jobs and all passes.

A pass holds slots in a block and renews it about once a second; a call itself asks nobody. The claims of all are one row
for each engine, changed by an UPDATE that names the version it saw. Who dies loses the slots when the claim runs out.
"""

import asyncio
import heapq
import itertools
import time
import uuid
from collections.abc import Hashable

from django.db.models import F

from core.errors import Conflict
from jobs.models import FULL_MODES, JobDefinition, Priority
from jobs.policy.models import EngineSlots
from jobs.policy.sharing import SlotClaim, alive, allowed

RENEW_S = 1.0
# Slots are asked for in steps of an eighth of what the engine allows, so that small changes ask nobody.
STEPS = 8
TRIES = 50
WEIGHTS = {Priority.LOW: 1.0, Priority.NORMAL: 3.0, Priority.HIGH: 9.0}
# Backfill yields (``jobs.policy.lanes``); what it has under way goes on with a small share.
BACKFILL_SHARE = 0.1


class Gate:
    """A semaphore whose limit may change, and which lets nobody in after ``valid_until`` (monotonic seconds).

    Who waits is let in by turns of his ``key`` (a tenant), heavier ones more often: ten calls of one tenant do not stand
    behind five hundred of another. Each waiting call gets the virtual time at which its key is entitled to it.
    """

    def __init__(self) -> None:
        self.limit = self.running = 0
        self.valid_until = 0.0
        self._clock = 0.0
        self._behind: dict[Hashable, float] = {}
        self._numbers = itertools.count()
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []

    def resize(self, limit: int, valid_until: float) -> None:
        """Set the limit, between two steps of the loop or in it; those who are inside stay."""
        self.limit, self.valid_until = limit, valid_until
        self._wake()

    async def enter(self, key: Hashable = None, weight: float = 1.0) -> None:
        """Wait for a place. Who is cancelled has none."""
        place = None
        while (
            self.running >= self.limit
            or time.monotonic() >= self.valid_until
            or (place is None and bool(self._waiting))
        ):
            place = place or self._place(key, weight)
            turn = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (*place, turn))
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()
                raise
        self.running += 1

    def leave(self) -> None:
        """Give the place to who is next."""
        self.running -= 1
        self._wake()

    def _place(self, key: Hashable, weight: float) -> tuple[float, int]:
        if not self._waiting:
            self._behind.clear()
        start = max(self._clock, self._behind.get(key, 0.0))
        self._behind[key] = start + 1.0 / weight
        return start, next(self._numbers)

    def _wake(self) -> None:
        free = self.limit - self.running
        while self._waiting and free > 0:
            start, _number, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self._clock = max(self._clock, start)
                turn.set_result(None)
                free -= 1


class Slots:
    """The claim of one holder on the slots of the engine ``key``, which allows ``capacity`` calls at once."""

    def __init__(self, key: str, capacity: int, *, weight: float = 1.0, lease_s: float) -> None:
        self.key, self.capacity, self.weight, self.lease_s = key, capacity, weight, lease_s
        self.job: int | None = None
        self.of_job: int | None = None
        self.holder = uuid.uuid4().hex
        self.gate = Gate()
        self.asked, self.renew_at = 0, 0.0

    @classmethod
    def of_pass(cls, job: JobDefinition, key: str, capacity: int) -> "Slots":
        """Those of a pass of ``job``: by its priority, at most as many as the job may have."""
        share = BACKFILL_SHARE if job.data_source in FULL_MODES else 1.0
        slots = cls(key, capacity, weight=WEIGHTS[Priority(job.priority)] * share, lease_s=job.lease_seconds)
        slots.job, slots.of_job = job.pk, job.concurrency
        return slots

    def keep(self, calls: int) -> None:
        """Renew the claim for ``calls`` that are to be made, when it is time or they became many more."""
        wanted = self._block(calls)
        if wanted > self.asked or (time.monotonic() >= self.renew_at and (wanted or self.asked)):
            self.renew(wanted)

    def _block(self, calls: int) -> int:
        most = self.capacity if self.of_job is None else min(self.capacity, self.of_job)
        step = max(most // STEPS, 1)
        return min(-(-calls // step) * step, most)

    def renew(self, wanted: int) -> int:
        """Ask for ``wanted`` calls at once; return how many are allowed. Slots in use are kept until they are free."""
        start = time.monotonic()
        for _try in range(TRIES):
            row = EngineSlots.objects.filter(key=self.key).first()
            if row is None:
                EngineSlots.objects.bulk_create([EngineSlots(key=self.key)], ignore_conflicts=True)
                continue
            now = time.time()
            others = [claim for claim in alive(row.claims, now) if claim.holder != self.holder]
            mine = SlotClaim(self.holder, self.job, self.weight, wanted, 0, now + self.lease_s)
            limit = allowed(mine, others, capacity=self.capacity, of_job=self.of_job, now=now)
            held = max(limit, self.gate.running)
            left = [claim.row() for claim in others]
            if wanted or held:
                left.append(SlotClaim(self.holder, self.job, self.weight, wanted, held, mine.until).row())
            if left == row.claims or self._store(row, left):
                self.asked, self.renew_at = wanted, start + RENEW_S
                self.gate.resize(limit, start + self.lease_s)
                return limit
        raise Conflict(f"The slots of {self.key} were changed by others all the time.")

    def _store(self, row: EngineSlots, claims: list[list[object]]) -> bool:
        same = EngineSlots.objects.filter(key=self.key, version=row.version)
        return bool(same.update(claims=claims, version=F("version") + 1))

    def leave(self) -> None:
        """Give all slots back; no call may be running any more."""
        if self.asked or self.gate.limit:
            self.renew(0)
