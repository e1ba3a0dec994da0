"""What operators do to records: retry, abort, skip, delete; in batches, each with its audit row in its transaction."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from audit.services import append
from core.moves import move
from core.outcomes import Reason
from jobs.figures.counting import count_ends
from jobs.kinds import kinds
from jobs.models import Cleanup, JobDefinition, Record, RecordEvent
from jobs.passes.changes import under_reference
from licensing.ledger import release
from tenants.models import Tenant

BATCH = 1000
UNANSWERED_S = 60
FINAL = (Record.State.COMPLETED, Record.State.FAILED, Record.State.SKIPPED, Record.State.ABORTED)
Act = Callable[[list[Record], str], None]


def retry_records(*, records: QuerySet[Record], actor: str, audit_tenant: Tenant, chosen: str = "") -> int:
    """Start a new generation of every record of ``records`` that is in a final state; return how many.

    History stays; checks, attempts and reason start anew (domain C31). ``chosen`` says in the audit trail how the
    records were chosen.
    """
    final = records.exclude(state=Record.State.IN_PROGRESS)
    return _act(final, "retry", retry, actor, audit_tenant, chosen)


def abort_records(*, records: QuerySet[Record], actor: str, audit_tenant: Tenant, chosen: str = "") -> int:
    """Abort what is in progress; answers that come later change nothing; remote jobs are deleted (security R9)."""
    running = records.filter(state=Record.State.IN_PROGRESS)
    return _act(running, "abort", abort, actor, audit_tenant, chosen)


def delete_records(*, records: QuerySet[Record], actor: str, audit_tenant: Tenant, chosen: str = "") -> int:
    """Delete processing records in a final state, not the calls (domain C31); what is in progress stays."""
    final = records.exclude(state=Record.State.IN_PROGRESS)
    return _act(final, "delete", delete, actor, audit_tenant, chosen)


def _act(records: QuerySet[Record], action: str, act: Act, actor: str, audit_tenant: Tenant, chosen: str) -> int:
    """Apply ``act`` in batches of locked rows; the ids are fixed first, because acting changes what matches."""
    ids = list(records.order_by("pk").values_list("pk", flat=True))
    changed = 0
    for start in range(0, len(ids), BATCH):
        with transaction.atomic():
            chunk = records.filter(pk__in=ids[start : start + BATCH])
            rows = list(chunk.select_for_update(of=("self",)).select_related("job").order_by("pk"))
            if not rows:
                continue
            act(rows, actor)
            append(
                tenant_id=audit_tenant.pk,
                actor=actor,
                action=f"records.{action}",
                target_type="job",
                target_id=",".join(sorted({str(row.job_id) for row in rows}))[:64],
                details={"count": len(rows), "chosen": chosen[:500], "first": rows[0].pk, "last": rows[-1].pk},
            )
        changed += len(rows)
    return changed


def retry(rows: list[Record], actor: str) -> None:
    """Start a new generation of ``rows``, which the caller has locked in final states. Raises Conflict otherwise."""
    reopen(rows, step="retried", detail=actor)


def reopen(rows: list[Record], *, step: str, detail: str, **changes: object) -> None:
    """A new generation of ``rows``, which the caller has locked in final states. Raises Conflict otherwise.

    History stays; checks, attempts and reason start anew (domain C31). ``step`` and ``detail`` are for the timeline,
    ``changes`` further values of the records.
    """
    _move(
        rows,
        FINAL,
        state=Record.State.IN_PROGRESS,
        stage=Record.Stage.NEW,
        generation=F("generation") + 1,
        fence=F("fence") + 1,
        reason="",
        wait=Record.Wait.NONE,
        uploads=0,
        attempts=0,
        checks=0,
        errors=0,
        crashes=0,
        reference="",
        remote=None,
        place=0,
        last_error="",
        signature="",
        lease_until=None,
        finished_at=None,
        uploaded_at=None,
        next_at=Now(),
        mark_due=True,
        **changes,
    )
    _note(((row.pk, row.generation + 1) for row in rows), step, detail)


def abort(rows: list[Record], actor: str) -> None:
    """End ``rows``, which the caller has locked in progress, as Aborted. Raises Conflict otherwise."""
    _end(rows, Record.State.ABORTED, Reason.ABORTED, actor)


def skip(rows: list[Record], actor: str) -> None:
    """End ``rows``, which the caller has locked in progress, as Skipped by an operator. Raises Conflict otherwise."""
    _end(rows, Record.State.SKIPPED, Reason.SKIPPED_BY_OPERATOR, actor)


def _end(rows: list[Record], state: Record.State, reason: Reason, actor: str) -> None:
    discard_remotes(rows)
    _move(
        rows,
        (Record.State.IN_PROGRESS,),
        state=state,
        stage=Record.Stage.DONE,
        reason=reason,
        wait=Record.Wait.NONE,
        fence=F("fence") + 1,
        remote=None,
        lease_until=None,
        finished_at=timezone.now(),
        mark_due=True,
    )
    release(keys=[(row.pk, row.generation) for row in rows])
    count_ends(rows, state, reason)
    _note(((row.pk, row.generation) for row in rows), str(state), actor)


def discard_remotes(rows: Sequence[Record]) -> None:
    """Have deleted at the provider what ``rows``, which are ending, have there; in the transaction of their end.

    Of an upload whose answer has not come only our reference is known: what arrives under it meanwhile is looked up
    when the worker that sends it has noticed the end, or has died.
    """
    now = Now()
    known = [(row, row.remote, now) for row in rows if row.remote is not None]
    sent = [row for row in rows if row.remote is None and row.stage == Record.Stage.UPLOADING and row.reference]
    later = now + timedelta(seconds=UNANSWERED_S)
    Cleanup.objects.bulk_create(
        Cleanup(
            kind=row.job.kind,
            settings=kinds()[row.job.kind].cleanup_settings(row.job.settings, remote),
            tenant_id=row.tenant_id,
            remote=remote,
            due_at=due_at,
        )
        for row, remote, due_at in [*known, *((row, under_reference(row.reference), later) for row in sent)]
    )


def delete(rows: list[Record], _actor: str) -> None:
    """Delete ``rows``, which the caller has locked in final states, with their timelines."""
    Record.objects.filter(pk__in=[row.pk for row in rows], state__in=FINAL).delete()
    _tell_pages(rows)


def _move(rows: list[Record], states: Sequence[Record.State], **values: Any) -> None:
    chosen = Record.objects.filter(pk__in=[row.pk for row in rows], state__in=states)
    move(chosen, expect=len(rows), **values)
    _tell_pages(rows)


def _tell_pages(rows: list[Record]) -> None:
    """Pages that poll ask the job, not its records, whether anything has changed."""
    jobs = JobDefinition.objects.filter(pk__in={row.job_id for row in rows})
    jobs.update(records_changed_at=timezone.now())


def _note(rows: Iterable[tuple[int, int]], step: str, actor: str) -> None:
    now = timezone.now()
    RecordEvent.objects.bulk_create(
        RecordEvent(record_id=pk, generation=generation, at=now, step=step, detail=actor) for pk, generation in rows
    )
