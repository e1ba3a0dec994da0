"""A pass: one bounded sweep of a job over its due records.

One asyncio loop carries the provider calls of all claimed records; between two steps of the loop, while it stands
still, the same thread does all database work in batches. So no ORM call runs inside a running loop, no transaction
spans a network call, and a hundred records cost a handful of statements (architecture §4, performance §2).
"""

import asyncio
import logging
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.conf import settings
from django.utils import timezone

from core.outcomes import EngineError, ErrorClass
from jobs.circuits.of_pass import OUR_FAULT, Breaker, failed
from jobs.kinds import KindPaused, KindSession, kind_of
from jobs.models import JobDefinition, LogEntry, Pass, Record, Run
from jobs.passes.applying import ChangeWriter, Intent
from jobs.passes.changes import (
    Change,
    after,
    at_engine,
    in_time,
    limits_of,
    parked,
    postponed,
)
from jobs.passes.claiming import extend_leases, give_back
from jobs.passes.crew import has_work, processes_left, share_of, slots_for, worth_staying
from jobs.passes.intake import Intake
from jobs.passes.judging import Judging
from jobs.passes.references import mark_in, new_reference
from jobs.passes.runs import beat, begin_pass, current_run, end_pass, leave_slot, log_once
from jobs.passes.turns import Turns, weights_of
from jobs.policy.lanes import held_back, under_way_due
from jobs.policy.rates import Rates
from jobs.policy.slots import Slots
from jobs.verdicts import Claimed, Go, NotSent, Onward, Outcome, Span, Troubled
from jobs.workers.stopping import heeding_sigterm, stopping

logger = logging.getLogger(__name__)

INTAKE_S = 30.0
BUSY_INTAKE_S = 300.0
STEP_S = 0.25
# What is done is written together: a batch costs little more than a record, and calls go on meanwhile. As long as more
# comes within a slice, up to so many slices.
LINGER_S = 0.25
MOST_SLICES = 3
LEAST_IN_HAND = 100
IN_HAND_PER_SLOT = 2
IN_HAND_PER_TENANT = 16
# At least this share of that is free before more is claimed, or so many seconds have passed.
CLAIM_SHARE = 0.5
CLAIM_S = 0.5
SUSPECTS_PER_PASS = 3


@dataclass(frozen=True, slots=True)
class InWork:
    """A claimed record whose provider call is running."""

    record: Claimed
    weight_s: float
    onward: Onward | None


def run_pass(job_id: int, place: int = 0) -> bool:
    """Run one pass of the job for what is due at ``place`` of its engines, or at the one that stands in for that.

    Returns False when there was nothing to do, one is running already, or we are to stop.
    """
    job = JobDefinition.objects.filter(pk=job_id, enabled=True).first()
    if job is None or stopping():
        return False
    span = kind_of(job).span(job.settings, place)
    try:
        session = kind_of(job).session(
            job.settings,
            job.filters,
            place=span.at,
            request_timeout_s=job.request_timeout_s,
            conversation_timeout_s=limits_of(job).conversation_s,
        )
    except KindPaused as paused:
        log_once(job, LogEntry.Severity.WARNING, str(paused))
        return False
    breaker = Breaker(job, session)
    if breaker.resting or not has_work(job, span) or (held_back(job) and not under_way_due(job, span)):
        return False
    run = current_run(job)
    sweep = begin_pass(job, run, job.lease_seconds, slots=slots_for(job, span), place=span.at)
    if sweep is None:
        return False
    runner = PassRunner(job, run, sweep, session, breaker, span)
    try:
        with heeding_sigterm():
            runner.run()
    except Exception as error:
        log_once(job, LogEntry.Severity.ERROR, f"A pass ended with {type(error).__name__}; its records go on.")
        end_pass(sweep, Pass.State.CRASHED, stage="crashed", **runner.counters())
        raise
    end_pass(sweep, Pass.State.FINISHED, stage="finished", **runner.counters())
    return True


class PassRunner:
    """The state of one running pass."""

    def __init__(
        self,
        job: JobDefinition,
        run: Run,
        sweep: Pass,
        session: KindSession,
        breaker: Breaker,
        span: Span | None = None,
    ) -> None:
        self.job, self.run_row, self.sweep, self.session, self.span = job, run, sweep, session, span or Span()
        self.breaker = breaker
        self.writer = ChangeWriter(job, run, session)
        self.taking = True
        self.alone = self.misconfigured = False
        self.suspects_left = SUSPECTS_PER_PASS
        self.in_work: dict[asyncio.Task[Outcome], InWork] = {}
        self.sent: set[int] = set()
        self.leave_at: float | None = None
        self.total = self.processed = self.uploaded = 0
        self.waiting: set[int] = set()
        self.judging = Judging(job, session)
        self.slots = Slots.of_pass(job, session.circuit, session.concurrency)
        self.turns = Turns(weights_of(job.tenant_weights), share=share_of(sweep))
        self.rates = Rates(job, self.turns.weights)
        self.intake = Intake(job, run, self.rates, self.turns, leads=sweep.leads, span=self.span)

    def counters(self) -> dict[str, int]:
        """What the pass has counted so far (domain M5)."""
        return {
            "total": self.total,
            "processed": self.processed,
            "will_check_later": len(self.waiting),
            "uploaded": self.uploaded,
            "in_hand": len(self.in_work),
        }

    def run(self) -> None:
        """Sweep until nothing is due or the time for taking in is over, then finish what is in work."""
        with asyncio.Runner() as loop:
            loop.run(self.session.open())
            try:
                self._sweep(loop)
                self.breaker.found_nothing()
            finally:
                for task in self.in_work:
                    task.cancel()
                loop.run(_settle(list(self.in_work)))
                loop.run(self.session.close())
                self.session.leave()
                self.slots.leave()

    def _sweep(self, loop: asyncio.Runner) -> None:
        started = time.monotonic()
        next_beat = next_claim = last_claim = 0.0
        while True:
            now = time.monotonic()
            if stopping():
                self._leave(loop, now)
            # A slow upload must not keep the checks of everybody else waiting: while it lasts, more is taken in.
            intake_until = started + (BUSY_INTAKE_S if self.in_work else INTAKE_S)
            room = self._room()
            worth_it = room >= self._most() * CLAIM_SHARE or (room and now >= last_claim + CLAIM_S)
            claimed: list[Claimed] = []
            if worth_it and next_claim <= now < intake_until:
                claimed = self._take_in()
                self._start(loop, claimed)
                last_claim = now
                next_claim = now if claimed else now + 1.0
            if self.in_work:
                self.slots.keep(len(self.in_work))
                self.session.tend(len(self.in_work))
                self._write(loop.run(_step(list(self.in_work))))
            elif claimed or self._stays(loop, intake_until):
                # All of them were refused or put off, and there may be more; or more is due by now.
                next_claim = 0.0
            else:
                return
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + self.job.lease_seconds / 4
                if not self._beat():
                    return

    def _stays(self, loop: asyncio.Runner, until: float) -> bool:
        """Wait a moment, when that is sooner than what the tick would do about records that are due in a second."""
        if not self.taking or time.monotonic() >= until or not worth_staying(self.job, self.span):
            return False
        self.slots.keep(0)
        loop.run(asyncio.sleep(STEP_S))
        return True

    def _leave(self, loop: asyncio.Runner, now: float) -> None:
        """The worker is to stop: what was not sent yet is given back at once, what was has a grace to come to its end."""
        if self.leave_at is None:
            self.leave_at, self.taking = now + settings.WORKER_GRACE_S, False
            leave_slot(self.sweep)
            self._give_back(loop, [task for task, work in self.in_work.items() if work.record.id not in self.sent])
        elif now >= self.leave_at:
            self._give_back(loop, list(self.in_work))

    def _give_back(self, loop: asyncio.Runner, tasks: list[asyncio.Task[Outcome]]) -> None:
        """Let go of the records of ``tasks``; one that has ended in this very moment is written instead."""
        for task in tasks:
            task.cancel()
        loop.run(_settle(tasks))
        self._write(task for task in tasks if not task.cancelled())
        left = [self.in_work.pop(task).record for task in tasks if task.cancelled()]
        number = give_back(left, "The worker was stopped")
        logger.info("Stopping: %s records of job %s given back", number, self.job.pk)

    def _most(self) -> int:
        """How many records to have in hand: enough for the engine, and for writing some of each tenant together.

        More would only make a round longer, and with it the wait of who comes next.
        """
        enough = max(LEAST_IN_HAND, IN_HAND_PER_SLOT * self.slots.gate.limit, IN_HAND_PER_TENANT * self.turns.busy)
        return min(self.job.batch_size, enough)

    def _room(self) -> int:
        """How many more may be claimed: none while intake is off or a suspect is at work."""
        if not self.in_work:
            self.alone = False
        return max(self._most() - len(self.in_work), 0) if self.taking and not self.alone else 0

    def _take_in(self) -> list[Claimed]:
        space = self.breaker.room(self._room(), len(self.in_work))
        if not space:
            return []
        claimed = self._claim(space)
        if not claimed and not self.in_work:
            self.breaker.found_nothing()
        return claimed

    def _claim(self, space: int) -> list[Claimed]:
        if not self.in_work and self.suspects_left:
            self.suspects_left -= 1
            suspects = self.intake.suspects(count=1)
            if suspects:
                # Twice at hand when a worker died: alone, so that a third death accuses nobody else (R6).
                self.alone = True
                return suspects
        return self.intake.claim(space)

    def _start(self, loop: asyncio.Runner, claimed: list[Claimed]) -> None:
        """Load and gate what was claimed, commit the intents, then start the provider calls."""
        self.total += len({record.id for record in claimed} - self.waiting)
        changes, fit = self.judging.sort_out(claimed)
        new = {record.id for record in fit if _is_new(record)}
        spent = self.rates.spend([record for record in fit if record.id in new])
        changes += [postponed(later.record, later.wait, later.delay_s) for later in spent.later]
        begun_before = [record for record in fit if record.id not in new]
        ready, ended = self.judging.judge([*spent.now, *begun_before])
        changes += ended
        begun = {record.id for record, _verdict in ready}
        self.rates.refund(spent, [record for record in spent.now if record.id not in begun])
        self._apply(changes)
        self._launch(loop, self._with_intents(ready))

    def _with_intents(self, ready: list[tuple[Claimed, Go]]) -> list[tuple[Claimed, Go]]:
        """Give each record that is to be uploaded its reference, committed before anything is sent."""
        sent = [(record, verdict) for record, verdict in ready if record.stage == Record.Stage.CHECKING]
        intents = [
            (Intent(record, self._reference(record), verdict.moved), verdict)
            for record, verdict in ready
            if record.stage != Record.Stage.CHECKING
        ]
        ours = self.writer.begin([intent for intent, _verdict in intents], self.span.at)
        return sent + [
            (
                replace(
                    at_engine(intent.record, self.span.at), stage=Record.Stage.UPLOADING, reference=intent.reference
                ),
                verdict,
            )
            for intent, verdict in intents
            if intent.record.id in ours
        ]

    def _reference(self, record: Claimed) -> str:
        """A try after a crash keeps the reference that it had, unless that is known to another engine."""
        kept = mark_in(record.reference) in ("", self.session.reference_mark)
        return record.reference if record.reference and kept else new_reference(record, self.session.reference_mark)

    def _launch(self, loop: asyncio.Runner, ready: list[tuple[Claimed, Go]]) -> None:
        async def launch() -> None:
            for record, verdict in ready:
                task = asyncio.get_running_loop().create_task(self._work(record, verdict))
                self.in_work[task] = InWork(record, verdict.weight_s, verdict.onward)
                if not self.session.many_requests:
                    self.judging.remember(record, verdict)

        loop.run(launch())

    async def _work(self, record: Claimed, verdict: Go) -> Outcome:
        await self.slots.gate.enter(record.tenant_id, self.turns.weights.get(record.tenant_id, 1))
        try:
            return await self._call(record, verdict)
        finally:
            self.slots.gate.leave()

    async def _call(self, record: Claimed, verdict: Go) -> Outcome:
        if self.misconfigured or (self.breaker.open and not self.breaker.probing):
            return NotSent(self.misconfigured)
        self.sent.add(record.id)
        limit = asyncio.timeout(None if self.session.many_requests else self.job.request_timeout_s)
        try:
            async with limit:
                if record.stage == Record.Stage.CHECKING:
                    return await self.session.advance(record, verdict.payload)
                outcome = await self.session.submit(record, verdict.payload)
                if isinstance(outcome, Troubled) and outcome.error.error_class == ErrorClass.CONFIG:
                    self.misconfigured = True
                return outcome
        except EngineError as error:
            # The others that wait at the gate would only hear the same.
            self.misconfigured = self.misconfigured or error.error_class == ErrorClass.CONFIG
            return Troubled(error)
        except Exception as error:
            if limit.expired():
                text = f"No answer within {self.job.request_timeout_s} seconds"
                return Troubled(EngineError(ErrorClass.TRANSIENT, text, code="timeout"))
            logger.exception("Engine code failed on record %s", record.id)
            text = f"Unexpected {type(error).__name__} in the engine"
            return Troubled(EngineError(ErrorClass.TRANSIENT, text, code=OUR_FAULT))

    def _write(self, done: Iterable[asyncio.Task[Outcome]]) -> None:
        changes = []
        done = list(done)
        probed = self.breaker.probing
        self.breaker.note((task.result() for task in done), self.run_row)
        for task in done:
            work = self.in_work.pop(task)
            self.sent.discard(work.record.id)
            outcome = task.result()
            if isinstance(outcome, Troubled) and failed(outcome) and (self.breaker.open or probed):
                changes.append(parked(work.record, outcome))
                continue
            if isinstance(outcome, Troubled) and outcome.error.error_class == ErrorClass.CONFIG:
                self.session.on_config_error(outcome.error)
                self.taking = False
            limits, jitter = self.writer.limits, random.random()  # noqa: S311
            change = after(
                work.record, outcome, limits=limits, weight_s=work.weight_s, jitter=jitter, onward=work.onward
            )
            changes.append(in_time(change, limits, timezone.now()))
        self._apply(changes)

    def _apply(self, changes: list[Change]) -> None:
        if not changes:
            return
        for change in self.writer.apply(changes):
            gone = change.final or change.place != change.record.place
            self.processed += gone
            self.uploaded += change.step == "uploaded"
            if gone:
                self.waiting.discard(change.record.id)
                self.judging.forget(change.record)
            else:
                self.waiting.add(change.record.id)

    def _beat(self) -> bool:
        self.breaker.beat()
        self.turns.share = share_of(self.sweep)
        # Who came to help makes room when every process is occupied: for the tick, and for the jobs that wait for one.
        self.taking = self.taking and (self.sweep.leads or processes_left() > 0)
        extend_leases([work.record for work in self.in_work.values()], self.job.lease_seconds)
        unchanged = JobDefinition.objects.filter(pk=self.job.pk, enabled=True, version=self.job.version)
        self.taking = self.taking and unchanged.exists() and self.session.usable() and self._stands()
        return beat(self.sweep, self.job.lease_seconds, stage=self._stage(), **self.counters())

    def _stands(self) -> bool:
        """Whether the places that we work for are still those: an engine that works again does its own."""
        return kind_of(self.job).span(self.job.settings, self.span.at) == self.span

    def _stage(self) -> str:
        uploading = sum(work.record.stage != Record.Stage.CHECKING for work in self.in_work.values())
        return "uploading" if uploading else "checking"


def _is_new(record: Claimed) -> bool:
    """Whether rates count it: what another engine of the job has begun was counted then."""
    return record.stage == Record.Stage.NEW and record.uploaded_at is None


async def _step(tasks: list[asyncio.Task[Outcome]]) -> set[asyncio.Task[Outcome]]:
    """Let the loop run until something is done, a quarter of a second at most, and a little longer for its company.

    Trouble does not wait for company: whether to go on asking the engine is decided by it.
    """
    done, pending = await asyncio.wait(tasks, timeout=STEP_S, return_when=asyncio.FIRST_COMPLETED)
    company = done
    for _slice in range(MOST_SLICES):
        if not company or not pending or any(isinstance(task.result(), Troubled) for task in company):
            break
        company, pending = await asyncio.wait(pending, timeout=LINGER_S)
        done |= company
    return done


async def _settle(tasks: list[asyncio.Task[Outcome]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
