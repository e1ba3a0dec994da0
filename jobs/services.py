"""Changing jobs."""

import zoneinfo
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cronsim import CronSim, CronSimError
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import append
from core.bell import ring_after_commit
from core.errors import Conflict, InvalidInput
from core.moves import move
from jobs import filters
from jobs.actions import abort_records
from jobs.kinds import Kind, kinds
from jobs.models import JobDefinition, LogEntry, Record, Schedule
from queues.models import AccessScope, ProcessingQueue
from tenants.models import Tenant, TenantGroup


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
    values = _checked(job, values, tenant_groups, publish_to)
    with transaction.atomic():
        if job is None:
            saved = JobDefinition.objects.create(**values)
        else:
            current = JobDefinition.objects.filter(pk=job.pk, version=job.version)
            text = _("The job was changed by somebody else. Reload it and try again.")
            move(current, conflict=text, **values, version=F("version") + 1)
            saved = JobDefinition.objects.get(pk=job.pk)
        saved.tenant_groups.set(tenant_groups)
        saved.publish_to.set(publish_to)
        _audit(saved, "job.created" if job is None else "job.changed", actor, audit_tenant)
        ring_after_commit([saved.source_queue_id])
    if not saved.enabled:
        left = Record.objects.filter(job=saved)
        abort_records(records=left, actor=actor, audit_tenant=audit_tenant, chosen="job disabled")
    return saved


def _checked(
    job: JobDefinition | None,
    values: dict[str, Any],
    tenant_groups: Sequence[TenantGroup],
    publish_to: Sequence[ProcessingQueue],
) -> dict[str, Any]:
    kind = kinds().get(values["kind"])
    if kind is None:
        raise InvalidInput("kind", _("There is no such type of job."))
    _check_queues(job, values["source_queue"], publish_to, kind)
    if values["access_scope"] == AccessScope.ONE_TENANT and values["tenant"] is None:
        raise InvalidInput("tenant", _("The scope “One tenant” needs a tenant."))
    if values["access_scope"] == AccessScope.TENANT_GROUPS and not tenant_groups:
        raise InvalidInput("tenant_groups", _("The scope “Tenant groups” needs at least one group."))
    values = {**values, "settings": kind.clean_settings(values["settings"])}
    values["filters"] = filters.validate(values["filters"], kind.filter_fields)
    values["next_start_at"] = None
    if values["schedule"] == Schedule.CRON:
        values["next_start_at"] = next_start(values["cron"], values["time_zone"])
    return values


def _check_queues(
    job: JobDefinition | None, source: ProcessingQueue, publish_to: Sequence[ProcessingQueue], kind: Kind
) -> None:
    if source in publish_to:
        raise InvalidInput("publish_to", _("A job cannot publish to the queue it reads: it would never end."))
    if source.record_type != kind.record_type:
        raise InvalidInput("source_queue", _("The queue collects records of another type."))
    if any(queue.record_type != kind.record_type for queue in publish_to):
        raise InvalidInput("publish_to", _("A queue of the list collects records of another type."))
    reader = JobDefinition.objects.filter(source_queue=source).exclude(pk=job.pk if job else 0).first()
    if reader is not None:
        # A pending record goes to one reader only: two jobs would take it away from each other.
        text = _("The job “%(job)s” reads this queue already. Make a queue of its own for each job.")
        raise InvalidInput("source_queue", text % {"job": reader.name})


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
    """Delete a job with its history. Raises Conflict while it has records in progress: stop the job first.

    The lock keeps a pass from moving queue items into a job that is about to go.
    """
    JobDefinition.objects.select_for_update().get(pk=job.pk)
    if Record.objects.filter(job=job, state=Record.State.IN_PROGRESS).exists():
        raise Conflict(_("The job has records in progress. Stop it first: that aborts them."))
    _audit(job, "job.deleted", actor, audit_tenant)
    job.delete()


def set_enabled(*, job: JobDefinition, enabled: bool, actor: str, audit_tenant: Tenant) -> None:
    """Enable or stop the job; stopping aborts its records in progress (domain C30).

    Raises Conflict when it is already what is asked for.
    """
    with transaction.atomic():
        as_it_was = JobDefinition.objects.filter(pk=job.pk, enabled=not enabled)
        move(as_it_was, conflict=_("The job was changed by somebody else."), enabled=enabled, version=F("version") + 1)
        _audit(job, "job.enabled" if enabled else "job.stopped", actor, audit_tenant)
        ring_after_commit([job.source_queue_id])
    if not enabled:
        abort_records(
            records=Record.objects.filter(job=job), actor=actor, audit_tenant=audit_tenant, chosen="job stopped"
        )


@transaction.atomic
def request_start(*, job: JobDefinition, actor: str, audit_tenant: Tenant) -> None:
    """Start now: a manual job takes what is in its queue at this moment, a continuous one is woken.

    Raises Conflict when the job is disabled.
    """
    now = None if job.schedule == Schedule.CONTINUOUS else timezone.now()
    enabled = JobDefinition.objects.filter(pk=job.pk, enabled=True)
    move(enabled, conflict=_("The job is disabled. Enable it first."), start_requested_at=now)
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


def _audit(job: JobDefinition, action: str, actor: str, audit_tenant: Tenant) -> None:
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action=action,
        target_type="job",
        target_id=str(job.pk),
        details={"name": job.name, "enabled": job.enabled, "schedule": job.schedule, "scope": job.access_scope},
    )
