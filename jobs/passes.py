"""A pass: one bounded sweep of a job over its due records.

One asyncio loop carries the provider calls of all claimed records; between two steps of the loop, while it stands
still, the same thread does all database work in batches. So no ORM call runs inside a running loop, no transaction
spans a network call, and a hundred records cost a handful of statements (architecture §4, performance §2).
"""

import asyncio
import logging
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import F
from django.utils import timezone

from core.outcomes import EngineError, ErrorClass, Reason
from jobs.applying import apply_changes, write_intents
from jobs.changes import MAX_CRASHES, Change, Limits, after, crashed, refused
from jobs.claiming import claim_due, extend_leases, take_from_queue
from jobs.kinds import Claimed, Go, KindPaused, KindSession, Outcome, Refuse, Troubled, kind_of
from jobs.models import JobDefinition, LogEntry, Pass, Record, Run, Schedule
from jobs.runs import beat, begin_pass, current_run, end_pass, log_once
from queues.models import AccessScope, QueueItem
from tenants.doors import TenantUnavailable, enter
from tenants.models import Tenant, TenantGroup

logger = logging.getLogger(__name__)

INTAKE_S = 30.0
STEP_S = 0.25


@dataclass(frozen=True, slots=True)
class InWork:
    """A claimed record whose provider call is running."""

    record: Claimed
    weight_s: float


def run_pass(job_id: int) -> bool:
    """Run one pass of the job; return False when there was nothing to do or one is running already."""
    job = JobDefinition.objects.filter(pk=job_id, enabled=True).first()
    if job is None:
        return False
    run = current_run(job)
    try:
        session = kind_of(job).session(job.settings, job.filters)
    except KindPaused as paused:
        log_once(job, run, LogEntry.Severity.WARNING, str(paused))
        return False
    sweep = begin_pass(job, run, job.lease_seconds)
    if sweep is None:
        return False
    runner = PassRunner(job, run, sweep, session)
    try:
        runner.run()
    finally:
        end_pass(sweep, stage="finished", **runner.counters())
    return True


class PassRunner:
    """The state of one running pass."""

    def __init__(self, job: JobDefinition, run: Run, sweep: Pass, session: KindSession) -> None:
        self.job, self.run_row, self.sweep, self.session = job, run, sweep, session
        self.limits = Limits(job.max_checks, job.max_attempts)
        self.in_work: dict[asyncio.Task[Outcome], InWork] = {}
        self.total = self.processed = self.uploaded = 0
        self.waiting: set[int] = set()
        self.gate = asyncio.Semaphore(session.concurrency)
        self.scope = _tenants_in_scope(job)

    def counters(self) -> dict[str, int]:
        """What the pass has counted so far (domain M5)."""
        return {
            "total": self.total,
            "processed": self.processed,
            "will_check_later": len(self.waiting),
            "uploaded": self.uploaded,
        }

    def run(self) -> None:
        """Sweep until nothing is due or the time for taking in is over, then finish what is in work."""
        with asyncio.Runner() as loop:
            loop.run(self.session.open())
            try:
                self._sweep(loop)
            finally:
                for task in self.in_work:
                    task.cancel()
                loop.run(_settle(list(self.in_work)))
                loop.run(self.session.close())

    def _sweep(self, loop: asyncio.Runner) -> None:
        intake_until = time.monotonic() + INTAKE_S
        next_beat = next_claim = 0.0
        while True:
            now = time.monotonic()
            taking = now < intake_until
            if taking and now >= next_claim and len(self.in_work) < self.job.batch_size:
                claimed = self._take_in()
                self._start(loop, claimed)
                next_claim = now if claimed else now + 1.0
            if not self.in_work:
                return
            done = loop.run(_step(list(self.in_work)))
            self._write(done)
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + self.job.lease_seconds / 4
                if not self._beat():
                    return

    def _take_in(self) -> list[Claimed]:
        space = self.job.batch_size - len(self.in_work)
        until = self._intake_limit()
        if until is not None:
            taken, _stored = take_from_queue(self.job, self.run_row, until=until, count=space)
            if taken:
                Run.objects.filter(pk=self.run_row.pk).update(taken=F("taken") + taken)
        return claim_due(self.job, self.run_row, count=space)

    def _intake_limit(self) -> datetime | None:
        """Until which publication time queue items are taken: all, those before the start was asked for, or none."""
        if self.job.schedule == Schedule.CONTINUOUS:
            return timezone.now()
        requested = self.job.start_requested_at
        if requested is None:
            return None
        if not QueueItem.objects.filter(queue=self.job.source_queue_id, published_at__lte=requested).exists():
            JobDefinition.objects.filter(pk=self.job.pk, start_requested_at=requested).update(start_requested_at=None)
            self.job.start_requested_at = None
            return None
        return requested

    def _start(self, loop: asyncio.Runner, claimed: list[Claimed]) -> None:
        """Load and gate what was claimed, commit the intents, then start the provider calls."""
        self.total += len({record.id for record in claimed} - self.waiting)
        ready: list[tuple[Claimed, Go]] = []
        changes: list[Change] = []
        for group in _isolated(claimed):
            for record, verdict in self._judge(group):
                if isinstance(verdict, Refuse):
                    changes.append(refused(record, verdict))
                else:
                    ready.append((record, verdict))
        changes += [crashed(record) for record in claimed if record.crashes >= MAX_CRASHES]
        self._apply(changes)
        self._launch(loop, self._with_intents(ready))

    def _judge(self, records: list[Claimed]) -> Iterable[tuple[Claimed, Go | Refuse]]:
        by_tenant: dict[uuid.UUID, list[Claimed]] = defaultdict(list)
        for record in records:
            by_tenant[record.tenant_id].append(record)
        tenants = Tenant.objects.in_bulk(list(by_tenant))
        for tenant_id in sorted(by_tenant):
            group = by_tenant[tenant_id]
            if not self.scope.holds(tenants[tenant_id]):
                detail = "The tenant is outside the access scope of the job"
                refusal = Refuse(Record.State.SKIPPED, f"{Reason.FILTERED}:access_scope", detail)
                yield from ((record, refusal) for record in group)
                continue
            try:
                with enter(tenants[tenant_id]) as tenant:
                    verdicts = self.session.load(tenant, group)
            except TenantUnavailable:
                refusal = Refuse(Record.State.SKIPPED, Reason.TENANT_DISABLED, str(Reason.TENANT_DISABLED.label))
                yield from ((record, refusal) for record in group)
                continue
            yield from ((record, verdicts[record.id]) for record in group)

    def _with_intents(self, ready: list[tuple[Claimed, Go]]) -> list[tuple[Claimed, Go]]:
        """Give each record that is to be uploaded its reference, committed before anything is sent."""
        named = [
            (_named(record) if record.stage != Record.Stage.CHECKING else record, verdict) for record, verdict in ready
        ]
        intents = [(r.id, r.fence, r.reference) for r, _verdict in named if r.stage != Record.Stage.CHECKING]
        ours = write_intents(intents)
        return [(r, verdict) for r, verdict in named if r.stage == Record.Stage.CHECKING or r.id in ours]

    def _launch(self, loop: asyncio.Runner, ready: list[tuple[Claimed, Go]]) -> None:
        async def launch() -> None:
            for record, verdict in ready:
                task = asyncio.get_running_loop().create_task(self._work(record, verdict))
                self.in_work[task] = InWork(record, verdict.weight_s)

        loop.run(launch())

    async def _work(self, record: Claimed, verdict: Go) -> Outcome:
        async with self.gate:
            try:
                if record.stage == Record.Stage.CHECKING:
                    return await self.session.advance(record, verdict.payload)
                return await self.session.submit(record, verdict.payload)
            except EngineError as error:
                return Troubled(error)
            except Exception as error:
                logger.exception("Engine code failed on record %s", record.id)
                return Troubled(EngineError(ErrorClass.TRANSIENT, f"Unexpected {type(error).__name__} in the engine"))

    def _write(self, done: Iterable[asyncio.Task[Outcome]]) -> None:
        changes = []
        for task in done:
            work = self.in_work.pop(task)
            outcome = task.result()
            if isinstance(outcome, Troubled) and outcome.error.error_class == ErrorClass.CONFIG:
                self.session.on_config_error(outcome.error)
            changes.append(
                after(
                    work.record,
                    outcome,
                    limits=self.limits,
                    weight_s=work.weight_s,
                    jitter=random.random(),  # noqa: S311
                )
            )
        self._apply(changes)

    def _apply(self, changes: list[Change]) -> None:
        if not changes:
            return
        for change in apply_changes(self.job, self.run_row, self.session, changes):
            self.processed += change.final
            self.uploaded += change.step == "uploaded"
            if change.final:
                self.waiting.discard(change.record.id)
            else:
                self.waiting.add(change.record.id)

    def _beat(self) -> bool:
        extend_leases([work.record for work in self.in_work.values()], self.job.lease_seconds)
        return beat(self.sweep, self.job.lease_seconds, stage=self._stage(), **self.counters())

    def _stage(self) -> str:
        uploading = sum(work.record.stage != Record.Stage.CHECKING for work in self.in_work.values())
        return "uploading" if uploading else "checking"


def _named(record: Claimed) -> Claimed:
    """The record in stage uploading with our reference; a try after a crash keeps the reference it had."""
    reference = record.reference or f"parlance-{record.id}-{record.generation}-{uuid.uuid4().hex[:12]}"
    return replace(record, stage=Record.Stage.UPLOADING, reference=reference)


def _isolated(claimed: list[Claimed]) -> list[list[Claimed]]:
    """Records that were at hand when a worker died are loaded one by one, so that one poison record spares the rest."""
    healthy = [record for record in claimed if record.crashes == 0]
    suspects = [record for record in claimed if 0 < record.crashes < MAX_CRASHES]
    return [group for group in [healthy, *([record] for record in suspects)] if group]


@dataclass(frozen=True)
class Scope:
    """Which tenants a job works for (domain C33)."""

    access_scope: str
    tenant_ids: frozenset[uuid.UUID]

    def holds(self, tenant: Tenant) -> bool:
        """True when records of ``tenant`` belong to the job."""
        if self.access_scope == AccessScope.UNRESTRICTED:
            return True
        if self.access_scope == AccessScope.TENANTS_ONLY:
            return not tenant.is_system
        return tenant.pk in self.tenant_ids


def _tenants_in_scope(job: JobDefinition) -> Scope:
    ids: set[uuid.UUID] = set()
    if job.access_scope == AccessScope.ONE_TENANT and job.tenant_id is not None:
        ids = {job.tenant_id}
    elif job.access_scope == AccessScope.TENANT_GROUPS:
        groups = TenantGroup.objects.filter(jobdefinition=job)
        ids = set(groups.values_list("tenants__pk", flat=True)) - {None}
    return Scope(job.access_scope, frozenset(ids))


async def _step(tasks: list[asyncio.Task[Outcome]]) -> set[asyncio.Task[Outcome]]:
    """Let the loop run until something is done, a quarter of a second at most."""
    done, _pending = await asyncio.wait(tasks, timeout=STEP_S, return_when=asyncio.FIRST_COMPLETED)
    return done


async def _settle(tasks: list[asyncio.Task[Outcome]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
