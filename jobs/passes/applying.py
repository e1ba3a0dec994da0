"""Writing the changes of a batch: one transaction for all that goes well, and nothing without the fence (architecture §4.5)."""

import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.db.utils import InterfaceError, OperationalError
from django.utils import timezone
from psycopg.errors import DeadlockDetected

from core.outcomes import EngineError, ErrorClass
from jobs.figures.counting import count_changes
from jobs.kinds import KindSession, kind_of
from jobs.models import Cleanup, ErrorSignature, JobDefinition, LogEntry, Record, RecordEvent, Run
from jobs.passes.changes import Change, after, held, limits_of, under_reference
from jobs.signatures import signature_of
from jobs.verdicts import Claimed, Troubled
from licensing.ledger import release
from queues.services import put
from tenants.doors import TenantUnavailable, enter
from tenants.models import Tenant

logger = logging.getLogger(__name__)
DATABASE_IS_AWAY = (OperationalError, InterfaceError)

WRITE = """
UPDATE jobs_record AS r SET
    state = v.state, stage = v.stage, reason = v.reason, wait = v.wait,
    next_at = statement_timestamp() + make_interval(secs => v.delay), lease_until = NULL, crashes = 0,
    uploads = v.uploads, attempts = v.attempts, checks = v.checks, errors = v.errors, reference = v.reference,
    place = v.place,
    check_times = CASE WHEN v.checks > r.checks THEN r.check_times[greatest(cardinality(r.check_times) - 58, 1):]
        || (extract(epoch FROM statement_timestamp()) * 1000)::bigint ELSE r.check_times END,
    remote = v.remote::jsonb, last_error = v.last_error, signature = v.signature,
    last_processed_at = statement_timestamp(),
    mark_due = NOT v.shown AND (r.mark_due OR v.state <> 'in_progress'),
    finished_at = CASE WHEN v.state = 'in_progress' THEN NULL ELSE statement_timestamp() END
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::float8[], %s::int[],
    %s::int[], %s::int[], %s::int[], %s::text[], %s::text[], %s::int[], %s::text[], %s::text[], %s::bool[])
    AS v(id, fence, state, stage, reason, wait, delay, uploads, attempts, checks, errors, reference, remote, place,
        last_error, signature, shown)
WHERE r.id = v.id AND r.fence = v.fence AND r.state = 'in_progress'
RETURNING r.id, v.state = 'completed' AND r.lane = 0 AND r.generation = 1,
    extract(epoch FROM r.first_processed_at - r.created_at)::float8,
    extract(epoch FROM statement_timestamp() - r.first_processed_at)::float8,
    extract(epoch FROM statement_timestamp() - r.created_at)::float8
"""

INTENT = """
UPDATE jobs_record AS r SET stage = 'uploading', reference = v.reference, place = v.place,
    uploads = CASE WHEN r.place = v.place THEN r.uploads ELSE 0 END,
    attempts = CASE WHEN r.place = v.place THEN r.attempts ELSE 0 END,
    checks = CASE WHEN r.place = v.place THEN r.checks ELSE 0 END,
    uploaded_at = coalesce(r.uploaded_at, statement_timestamp())
FROM (SELECT id, fence, reference, %s::smallint AS place
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS given(id, fence, reference)) AS v
WHERE r.id = v.id AND r.fence = v.fence AND r.state = 'in_progress'
RETURNING r.id
"""


def write_intents(changes: Sequence[tuple[int, int, str]], place: int) -> set[int]:
    """Commit (record, fence, reference) before the upload: after a crash the provider knows the reference (R7).

    The records are then at ``place``: another engine begins anew with them (``jobs.passes.changes.at_engine``). Returns
    those that are still ours.
    """
    if not changes:
        return set()
    ids, fences, references = (list(column) for column in zip(*sorted(changes), strict=True))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(INTENT, [place, ids, fences, references])
        return {row[0] for row in cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class Intent:
    """A record as it was claimed, the reference under which it is to be uploaded, and why it changes its place if so."""

    record: Claimed
    reference: str
    moved: str = ""


class ChangeWriter:
    """Writes changes of one job's records; one a pass."""

    def __init__(self, job: JobDefinition, run: Run, session: KindSession) -> None:
        self.job, self.run, self.session = job, run, session
        self.kind = kind_of(job)
        self.limits = limits_of(job)
        self.queues: list[int] = []
        self.ask_queues_at = 0.0

    def apply(self, changes: Sequence[Change]) -> list[Change]:
        """Write changes, results, timeline, log, run counters and next queues; return those that took effect.

        A change whose fence is not ours any more changes nothing at all (R5, R10); a job that it brought into being
        at the provider is deleted there, unless the record's new holder works with the same job.
        """
        # Most changes say "not ready, ask again": nothing of a tenant shows them, so no tenant is entered for them.
        quiet = [change for change in changes if change.quiet]
        by_tenant: dict[uuid.UUID, list[Change]] = defaultdict(list)
        for change in changes:
            if not change.quiet:
                by_tenant[change.record.tenant_id].append(change)
        tenants = Tenant.objects.in_bulk(list(by_tenant))
        batch = [(tenants[tenant_id], by_tenant[tenant_id]) for tenant_id in sorted(by_tenant) if tenant_id in tenants]
        written = self._apply_together(quiet, batch)
        if written is None:
            written = self._write_outside(quiet) if quiet else []
            for tenant, group in batch:
                written += self._apply_in(tenant, group)
        taken_away = {change.record.id for change in changes} - {change.record.id for change in written}
        self._discard_orphans([change for change in changes if change.record.id in taken_away])
        return written

    def begin(self, intents: Sequence[Intent], place: int) -> set[int]:
        """Commit the intents before anything is sent; return the records that are still ours.

        A reference that another engine may know is left to the clean-up, and a change of the place to the timeline.
        """
        with transaction.atomic():
            ours = write_intents([(one.record.id, one.record.fence, one.reference) for one in intents], place)
            mine = [one for one in intents if one.record.id in ours]
            left = [one.record for one in mine if one.record.reference not in ("", one.reference)]
            self._discard([(record.tenant_id, under_reference(record.reference)) for record in left])
            now = timezone.now()
            RecordEvent.objects.bulk_create(
                RecordEvent(
                    record_id=one.record.id,
                    generation=one.record.generation,
                    at=now,
                    step="passed_on",
                    detail=one.moved[:500],
                )
                for one in mine
                if one.moved
            )
        return ours

    def _apply_together(self, quiet: list[Change], batch: list[tuple[Tenant, list[Change]]]) -> list[Change] | None:
        """All in one transaction: what is public is written once, whatever the number of tenants.

        None when it could not be, and then nothing is written: a tenant that cannot be entered, or one result that
        cannot be stored, must not take the others with it, so that each tenant has a transaction of its own.
        """
        try:
            with transaction.atomic():
                ours = _write_records([*quiet, *(change for _tenant, group in batch for change in group)])
                mine = {change.record.id for change in ours}
                for tenant, group in batch:
                    with enter(tenant):
                        self._write_inside(tenant, [change for change in group if change.record.id in mine])
                self._account(ours)
        except Exception as error:
            if isinstance(error, DATABASE_IS_AWAY) and not isinstance(error.__cause__, DeadlockDetected):
                raise
            logger.info("A batch is written tenant by tenant: %s", type(error).__name__)
            return None
        return ours

    def _apply_in(self, tenant: Tenant, changes: list[Change]) -> list[Change]:
        try:
            with enter(tenant), transaction.atomic():
                ours = _write_records(changes)
                self._write_inside(tenant, ours)
                self._account(ours)
                return ours
        except TenantUnavailable as error:
            # An end without a result needs nothing of the tenant; what the provider has done waits for it.
            ends = [change for change in changes if change.final and change.result is None]
            waits = [_hold(change, str(error)) for change in changes if not change.final or change.result is not None]
            return self._write_outside([*ends, *waits])
        except DATABASE_IS_AWAY:
            raise
        except Exception as error:
            # One result that cannot be stored must not take the others of the batch with it.
            if len(changes) > 1:
                return [done for change in changes for done in self._apply_in(tenant, [change])]
            logger.exception("The result of record %s could not be stored", changes[0].record.id)
            text = f"The result could not be stored ({type(error).__name__})"
            trouble = Troubled(EngineError(ErrorClass.TRANSIENT, text))
            return self._write_outside(
                [after(changes[0].record, trouble, limits=self.limits, weight_s=0.0, jitter=0.5)]
            )

    def _write_inside(self, tenant: Tenant, ours: list[Change]) -> None:
        """What the tenant's own rows and queues get to see of its changes."""
        told = self.session.commit(tenant, [(c.record, c.result) for c in ours if c.result is not None])
        for change in ours:
            change.told = [line.line() for line in told.get(change.record.id, ())]
        self.kind.mark(tenant, {c.record.record_id: (c.state, c.reason) for c in ours})
        completed = [c.record.record_id for c in ours if c.state == Record.State.COMPLETED]
        if completed and (self.job.clear_tag or self.job.assign_tag):
            self.kind.tag(tenant, completed, clear=self.job.clear_tag, assign=self.job.assign_tag)
        if completed and self.kind.completed_event is not None:
            put(
                tenant=tenant,
                queue_ids=self._queues(),
                record_type=self.kind.completed_event.record_type,
                record_ids=completed,
                event=self.kind.completed_event,
            )

    def _queues(self) -> list[int]:
        """Where completed records go on to, as it is now; asked once a second at most."""
        if time.monotonic() >= self.ask_queues_at:
            self.queues = list(self.job.publish_to.filter(enabled=True).values_list("pk", flat=True))
            self.ask_queues_at = time.monotonic() + 1.0
        return self.queues

    def _write_outside(self, changes: list[Change]) -> list[Change]:
        """Only the records change; the tenant's schema is not touched, so what it should show is left to a mark."""
        with transaction.atomic():
            ours = _write_records(changes, shown=False)
            self._account(ours)
        return ours

    def _account(self, ours: list[Change]) -> None:
        now = timezone.now()
        RecordEvent.objects.bulk_create(
            RecordEvent(
                record_id=c.record.id,
                generation=c.record.generation,
                at=now,
                step=c.step,
                detail=c.detail[:500],
                trace=[*c.trace, *c.told],
            )
            for c in ours
            if c.step
        )
        self._name_errors(ours)
        LogEntry.objects.bulk_create(
            LogEntry(
                job=self.job,
                run=self.run,
                record_id=c.record.id,
                tenant_id=c.record.tenant_id,
                record_uuid=c.record.record_id,
                at=now,
                severity=c.severity,
                message=c.detail[:500],
            )
            for c in ours
            if c.severity
        )
        self._discard([(c.record.tenant_id, remote) for c in ours for remote in c.discard])
        release(
            keys=[(c.record.id, c.record.generation) for c in ours if c.final and c.state != Record.State.COMPLETED]
        )
        _count(self.run, ours)
        count_changes(self.job, ours)

    def _name_errors(self, ours: list[Change]) -> None:
        """What the errors of the batch have in common, once for the job."""
        named = dict(signature_of(change.last_error) for change in ours if change.last_error)
        ErrorSignature.objects.bulk_create(
            [ErrorSignature(job=self.job, digest=key, text=text) for key, text in sorted(named.items())],
            ignore_conflicts=True,
        )

    def _discard(self, remotes: Sequence[tuple[uuid.UUID, dict[str, object]]]) -> None:
        Cleanup.objects.bulk_create(
            Cleanup(
                kind=self.job.kind,
                settings=self.kind.cleanup_settings(self.job.settings, remote),
                tenant_id=tenant_id,
                remote=remote,
                due_at=Now(),
            )
            for tenant_id, remote in remotes
        )

    def _discard_orphans(self, lost: list[Change]) -> None:
        """Uploads of records that were aborted, retried or deleted meanwhile: nobody will ever ask for them (R9)."""
        sent = [change for change in lost if change.step == "uploaded" or _unanswered(change)]
        if not sent:
            return
        holders = Record.objects.filter(pk__in=[c.record.id for c in sent], state=Record.State.IN_PROGRESS)
        alive = set(holders.values_list("pk", "generation", "reference"))
        orphans = [c for c in sent if (c.record.id, c.record.generation, c.record.reference) not in alive]
        self._discard([(c.record.tenant_id, c.remote or under_reference(c.record.reference)) for c in orphans])


def _unanswered(change: Change) -> bool:
    """An upload was sent, or was about to be, and nothing that we understand came back."""
    return change.record.stage == Record.Stage.UPLOADING and change.remote is None and bool(change.record.reference)


def _hold(change: Change, why: str) -> Change:
    """Keep what is at the provider while the tenant cannot be entered; a fresh upload's handle is kept as well."""
    waiting = held(change.record, why)
    if change.step == "uploaded":
        waiting.stage, waiting.remote, waiting.uploads = change.stage, change.remote, change.uploads
        waiting.step = change.step
    return waiting


def _write_records(changes: list[Change], *, shown: bool = True) -> list[Change]:
    """Write what is still ours. ``shown``: the business rows show it in this transaction; else ends wait for a mark."""
    if not changes:
        return []
    changes = sorted(changes, key=lambda change: change.record.id)
    columns = zip(*((*_row(change), shown and not change.quiet) for change in changes), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [list(column) for column in columns])
        rows = {record_id: (timed, *seconds) for record_id, timed, *seconds in cursor.fetchall()}
    lost = len(changes) - len(rows)
    if lost:
        logger.info("%s late results changed nothing: the records were taken over or ended", lost)
    ours = [change for change in changes if change.record.id in rows]
    for change in ours:
        timed, wait, work, total = rows[change.record.id]
        # What a person asked for again, and backfill, say nothing about how late live work is.
        change.times = (wait or 0.0, work or 0.0, total) if timed else None
    return ours


def _row(change: Change) -> tuple[object, ...]:
    return (
        change.record.id,
        change.record.fence,
        str(change.state),
        str(change.stage),
        change.reason,
        str(change.wait),
        float(change.delay_s),
        change.uploads,
        change.attempts,
        change.checks,
        change.errors,
        change.reference,
        orjson.dumps(change.remote).decode() if change.remote is not None else None,
        change.place,
        change.last_error[:500],
        signature_of(change.last_error)[0],
    )


def _count(run: Run, ours: list[Change]) -> None:
    def number(state: str) -> int:
        return sum(change.state == state for change in ours)

    Run.objects.filter(pk=run.pk).update(
        last_activity_at=timezone.now(),
        uploaded=F("uploaded") + sum(c.step == "uploaded" for c in ours),
        completed=F("completed") + number(Record.State.COMPLETED),
        failed=F("failed") + number(Record.State.FAILED),
        skipped=F("skipped") + number(Record.State.SKIPPED),
        errors=F("errors") + sum(c.errors > c.record.errors or c.state == Record.State.FAILED for c in ours),
        recovered=F("recovered") + sum(c.state == Record.State.COMPLETED and c.errors > 0 for c in ours),
        recovered_by_guide=F("recovered_by_guide") + sum(_late(c) for c in ours),
        waiting_checks=F("waiting_checks") + sum(c.checks > c.record.checks and not c.final for c in ours),
    )


def _late(change: Change) -> bool:
    """Recovered as the guide counts: done, but not at the first check, for every check is a retry (domain C20)."""
    return change.state == Record.State.COMPLETED and (change.checks >= 1 or change.errors >= 1)
