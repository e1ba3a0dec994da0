"""Changing jobs and acting on their records."""

import zoneinfo
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cronsim import CronSim, CronSimError
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import append
from core.bell import ring_after_commit
from core.errors import Conflict, InvalidInput
from core.outcomes import Reason
from jobs import filters
from jobs.kinds import kinds
from jobs.models import Cleanup, JobDefinition, LogEntry, Record, RecordEvent, Schedule
from queues.models import AccessScope, ProcessingQueue
from tenants.models import Tenant, TenantGroup

BATCH = 1000


@transaction.atomic
def save_job(
    *,
    job: JobDefinition | None,
    values: dict[str, Any],
    tenant_groups: Sequence[TenantGroup],
    publish_to: Sequence[ProcessingQueue],
    actor: str,
    audit_tenant: Tenant,
) -> JobDefinition:
    """Create a job (``job`` None) or change the given version of one.

    Raises InvalidInput naming field and rule (a scope without its tenant, an engine that is missing, filters, cron),
    Conflict when somebody saved it in the meantime.
    """
    values = _checked(values, tenant_groups, publish_to)
    if job is None:
        saved = JobDefinition.objects.create(**values)
    else:
        if not JobDefinition.objects.filter(pk=job.pk, version=job.version).update(**values, version=F("version") + 1):
            raise Conflict(_("The job was changed by somebody else. Reload it and try again."))
        saved = JobDefinition.objects.get(pk=job.pk)
    saved.tenant_groups.set(tenant_groups)
    saved.publish_to.set(publish_to)
    _audit(saved, "job.created" if job is None else "job.changed", actor, audit_tenant)
    ring_after_commit([saved.source_queue_id])
    return saved


def _checked(
    values: dict[str, Any], tenant_groups: Sequence[TenantGroup], publish_to: Sequence[ProcessingQueue]
) -> dict[str, Any]:
    kind = kinds().get(values["kind"])
    if kind is None:
        raise InvalidInput("kind", _("There is no such type of job."))
    if values["access_scope"] == AccessScope.ONE_TENANT and values["tenant"] is None:
        raise InvalidInput("tenant", _("The scope “One tenant” needs a tenant."))
    if values["access_scope"] == AccessScope.TENANT_GROUPS and not tenant_groups:
        raise InvalidInput("tenant_groups", _("The scope “Tenant groups” needs at least one group."))
    if values["source_queue"] in publish_to:
        raise InvalidInput("publish_to", _("A job cannot publish to the queue it reads: it would never end."))
    values = {**values, "settings": kind.clean_settings(values["settings"])}
    values["filters"] = filters.validate(values["filters"], kind.filter_fields)
    values["next_start_at"] = None
    if values["schedule"] == Schedule.CRON:
        values["next_start_at"] = next_start(values["cron"], values["time_zone"])
    return values


def next_start(cron: str, time_zone: str, after: datetime | None = None) -> datetime:
    """The next time that a five-field cron expression names, in its zone. Raises InvalidInput("cron", …)."""
    if len(cron.split()) != 5:
        raise InvalidInput("cron", _("A cron expression has five fields: minute, hour, day, month, weekday."))
    start = (after or timezone.now()).astimezone(zoneinfo.ZoneInfo(time_zone))
    try:
        return next(CronSim(cron, start))
    except CronSimError as error:
        raise InvalidInput("cron", _("This is no valid cron expression: %(why)s") % {"why": error}) from error
    except StopIteration as error:
        raise InvalidInput("cron", _("This cron expression names a time that never comes.")) from error


@transaction.atomic
def delete_job(*, job: JobDefinition, actor: str, audit_tenant: Tenant) -> None:
    """Delete a job with its history; remote jobs of records in work are deleted at the provider first in line."""
    abort_records(records=Record.objects.filter(job=job), actor=actor)
    _audit(job, "job.deleted", actor, audit_tenant)
    job.delete()


@transaction.atomic
def set_enabled(*, job: JobDefinition, enabled: bool, actor: str, audit_tenant: Tenant) -> None:
    """Enable or stop the job; a stopped job keeps its records, nothing is aborted."""
    JobDefinition.objects.filter(pk=job.pk).update(enabled=enabled, version=F("version") + 1)
    _audit(job, "job.enabled" if enabled else "job.stopped", actor, audit_tenant)
    ring_after_commit([job.source_queue_id])


@transaction.atomic
def request_start(*, job: JobDefinition, actor: str, audit_tenant: Tenant) -> None:
    """Start now: a manual job takes what is in its queue at this moment, a continuous one is woken."""
    if not job.enabled:
        raise Conflict(_("The job is disabled. Enable it first."))
    if job.schedule != Schedule.CONTINUOUS:
        JobDefinition.objects.filter(pk=job.pk).update(start_requested_at=timezone.now())
    _audit(job, "job.started", actor, audit_tenant)
    ring_after_commit([job.source_queue_id])


def request_due_starts() -> None:
    """Ask for a start of every enabled cron job whose time has come, and note its next time."""
    now = timezone.now()
    for job in JobDefinition.objects.filter(enabled=True, schedule=Schedule.CRON, next_start_at__lte=now):
        # The old time in the condition: two ticks at once must not start the job twice.
        JobDefinition.objects.filter(pk=job.pk, next_start_at=job.next_start_at).update(
            start_requested_at=now, next_start_at=next_start(job.cron, job.time_zone, now)
        )


def retry_records(*, records: QuerySet[Record], actor: str) -> int:
    """Start a new generation of every record of ``records`` that is in a final state; return how many.

    History stays; checks, attempts and reason start anew (domain C31). In batches, so that a hundred thousand records
    hold no long transaction.
    """
    final = records.exclude(state=Record.State.IN_PROGRESS)
    changed = 0
    for ids in _batches(final):
        with transaction.atomic():
            rows = list(final.filter(pk__in=ids).select_for_update().values_list("pk", "generation", "job_id"))
            now = timezone.now()
            Record.objects.filter(pk__in=[pk for pk, _g, _j in rows]).update(
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
                last_error="",
                lease_until=None,
                finished_at=None,
                next_at=now,
            )
            _note(rows, "retried", actor, now)
            changed += len(rows)
    return changed


def abort_records(*, records: QuerySet[Record], actor: str) -> int:
    """Abort what is in progress; answers that come later change nothing; remote jobs are deleted."""
    running = records.filter(state=Record.State.IN_PROGRESS)
    changed = 0
    for ids in _batches(running):
        with transaction.atomic():
            found = running.filter(pk__in=ids).select_for_update(of=("self",)).select_related("job")
            rows = list(found)
            now = timezone.now()
            Cleanup.objects.bulk_create(
                Cleanup(
                    kind=row.job.kind, settings=row.job.settings, tenant_id=row.tenant_id, remote=row.remote, due_at=now
                )
                for row in rows
                if row.remote is not None
            )
            Record.objects.filter(pk__in=[row.pk for row in rows]).update(
                state=Record.State.ABORTED,
                stage=Record.Stage.DONE,
                reason=Reason.ABORTED,
                fence=F("fence") + 1,
                remote=None,
                lease_until=None,
                finished_at=now,
            )
            _note([(row.pk, row.generation - 1, row.job_id) for row in rows], "aborted", actor, now)
            changed += len(rows)
    return changed


def delete_records(*, records: QuerySet[Record], actor: str) -> int:
    """Delete processing records, not the calls (domain C31); what is in progress is aborted first."""
    abort_records(records=records, actor=actor)
    deleted = 0
    for ids in _batches(records):
        with transaction.atomic():
            deleted += Record.objects.filter(pk__in=ids).delete()[1].get("jobs.Record", 0)
    return deleted


@transaction.atomic
def audit_bulk(*, job: JobDefinition, action: str, count: int, query: str, actor: str, audit_tenant: Tenant) -> None:
    """One audit row for a bulk action: what was done, to how many, by which filter."""
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action=f"records.{action}",
        target_type="job",
        target_id=str(job.pk),
        details={"count": count, "filter": query[:500]},
    )


@transaction.atomic
def delete_logs(*, job: JobDefinition, entries: QuerySet[LogEntry], actor: str, audit_tenant: Tenant) -> int:
    """Delete log lines of the job that match."""
    deleted, _by_model = entries.delete()
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action="job.logs_deleted",
        target_type="job",
        target_id=str(job.pk),
        details={"count": deleted},
    )
    return deleted


def _batches(records: QuerySet[Record]) -> list[list[int]]:
    ids = list(records.filter(Q(pk__isnull=False)).order_by("pk").values_list("pk", flat=True))
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]


def _note(rows: Sequence[tuple[int, int, int]], step: str, actor: str, now: datetime) -> None:
    RecordEvent.objects.bulk_create(
        RecordEvent(record_id=pk, generation=generation + 1, at=now, step=step, detail=actor)
        for pk, generation, _job_id in rows
    )


def _audit(job: JobDefinition, action: str, actor: str, audit_tenant: Tenant) -> None:
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action=action,
        target_type="job",
        target_id=str(job.pk),
        details={"name": job.name, "enabled": job.enabled, "schedule": job.schedule, "scope": job.access_scope},
    )
