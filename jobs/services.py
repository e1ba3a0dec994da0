"""Changing jobs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from audit.rivals import field_words, whose_change
from audit.services import append, changes
from core.bell import ring_after_commit
from core.errors import Conflict, InvalidInput
from core.moves import move
from jobs import filters
from jobs.actions import abort_records
from jobs.kinds import Kind, kinds
from jobs.models import JobDefinition, LogEntry, Record, Schedule
from jobs.policy.rules import policy_values
from jobs.schedules import TIMED, next_starts
from jobs.sweeps.continuing import end_on_stop, keep_place, prepare_start
from jobs.sweeps.sources import source_values
from jobs.upkeep.holding import wake_postponed
from queues.models import AccessScope, ProcessingQueue
from queues.reach import demand_queues, demand_scope
from tenants.models import Tenant, TenantGroup

NOT_SET_BY_PEOPLE = {
    "id",
    "paused_at",
    "start_requested_at",
    "next_start_at",
    "records_changed_at",
    "version",
    "created_at",
}


def save_job(
    *,
    job: JobDefinition | None,
    values: dict[str, Any],
    tenant_groups: Sequence[TenantGroup],
    publish_to: Sequence[ProcessingQueue],
    actor: str,
    audit_tenant: Tenant,
    editor: User | None = None,
) -> JobDefinition:
    """Create a job (``job`` None) or change the given version of one.

    Raises InvalidInput naming field and rule (a scope without its tenant, an engine that is missing, filters, cron, a
    queue that another enabled job reads, a scope or queue beyond the reach of ``editor``), Conflict when somebody saved it in the meantime. A disabled job is not paused.
    """
    values = checked_values(job, values, tenant_groups, publish_to)
    _demand_reach(job, values, tenant_groups, publish_to, editor)
    with transaction.atomic():
        if values["enabled"]:
            _check_sole_reader(job, values["source_queue"])
        else:
            values["paused_at"] = None
        if job is None:
            saved = JobDefinition.objects.create(**values)
        else:
            current = JobDefinition.objects.filter(pk=job.pk, version=job.version)
            old = _settings_of(JobDefinition.objects.filter(pk=job.pk).first())
            if not current.update(**values, version=F("version") + 1):
                raise Conflict(_whose_change(job, audit_tenant))
            saved = JobDefinition.objects.get(pk=job.pk)
        saved.tenant_groups.set(tenant_groups)
        saved.publish_to.set(publish_to)
        keep_place(saved, source_before=job.data_source if job is not None else "")
        if job is None:
            _audit(saved, "job.created", actor, audit_tenant)
        else:
            before, after = changes(old, _settings_of(saved))
            _audit(saved, "job.changed", actor, audit_tenant, before=before, after=after)
            if any(name in after for name in ("rate", "tenant_rate")):
                wake_postponed(saved)
        _ring(saved)
    if not saved.enabled:
        end_on_stop(saved)
        left = Record.objects.filter(job=saved)
        abort_records(records=left, actor=actor, audit_tenant=audit_tenant, chosen="job disabled")
    return saved


def _demand_reach(
    job: JobDefinition | None,
    values: dict[str, Any],
    tenant_groups: Sequence[TenantGroup],
    publish_to: Sequence[ProcessingQueue],
    editor: User | None,
) -> None:
    """Also a job of the editor's own tenants must not take from a queue of others, or put into one."""
    scope, tenant = values["access_scope"], values["tenant"]
    demand_scope(field="access_scope", scope=scope, tenant=tenant, groups=tenant_groups, editor=editor)
    source = [values["source_queue"]] if values["source_queue"] is not None else []
    read = [job.source_queue] if job is not None and job.source_queue is not None else []
    demand_queues(field="source_queue", chosen=source, stored=read, editor=editor)
    fed = list(job.publish_to.all()) if job is not None else []
    demand_queues(field="publish_to", chosen=publish_to, stored=fed, editor=editor)


def _settings_of(job: JobDefinition | None) -> dict[str, Any]:
    """What a person sets, in plain values: what the audit trail compares."""
    if job is None:
        return {}
    names = [field.name for field in JobDefinition._meta.concrete_fields if field.name not in NOT_SET_BY_PEOPLE]
    values = {name: getattr(job, name) for name in names}
    named = {name: str(value) for name, value in values.items() if isinstance(value, Tenant | ProcessingQueue)}
    return {
        **values,
        **named,
        "tenant_groups": sorted(group.name for group in job.tenant_groups.all()),
        "publish_to": sorted(queue.name for queue in job.publish_to.all()),
    }


def _whose_change(job: JobDefinition, audit_tenant: Tenant) -> str:
    """What stands above the form of the second of two people who saved the job."""
    return whose_change(
        tenant_id=audit_tenant.pk,
        target_type="job",
        target_id=str(job.pk),
        actions=["job.changed"],
        since=job.version,
        words=field_words(JobDefinition),
        otherwise=_("The job was changed by somebody else. Reload it and try again."),
    )


def checked_values(
    job: JobDefinition | None,
    values: dict[str, Any],
    tenant_groups: Sequence[TenantGroup],
    publish_to: Sequence[ProcessingQueue],
) -> dict[str, Any]:
    """The values as they would be stored, with the next start. Raises InvalidInput as ``save_job``; stores nothing."""
    kind = kinds().get(values["kind"])
    if kind is None:
        raise InvalidInput("kind", _("There is no such type of job."))
    values = policy_values(job, source_values(job, values))
    _check_queues(values["source_queue"], publish_to, kind)
    if values["access_scope"] == AccessScope.ONE_TENANT and values["tenant"] is None:
        raise InvalidInput("tenant", _("The scope “One tenant” needs a tenant."))
    if values["access_scope"] == AccessScope.TENANT_GROUPS and not tenant_groups:
        raise InvalidInput("tenant_groups", _("The scope “Tenant groups” needs at least one group."))
    if values.get("assign_tag") and values["assign_tag"] == values.get("clear_tag"):
        raise InvalidInput("assign_tag", _("A job cannot clear and assign the same tag."))
    values = {**values, "settings": kind.clean_settings(values["settings"])}
    values["filters"] = filters.validate(values["filters"], kind.filter_fields)
    values["next_start_at"] = None
    if values["schedule"] in TIMED:
        [values["next_start_at"]] = next_starts(values["cron"], values["time_zone"], timezone.now())
    return values


def _check_queues(source: ProcessingQueue | None, publish_to: Sequence[ProcessingQueue], kind: Kind) -> None:
    if source is not None and source in publish_to:
        raise InvalidInput("publish_to", _("A job cannot publish to the queue it reads: it would never end."))
    if source is not None and source.record_type not in kind.record_types:
        raise InvalidInput("source_queue", _("The queue collects records of another type."))
    if publish_to and kind.completed_event is None:
        raise InvalidInput("publish_to", _("A job of this type publishes to no queue."))
    if any(queue.record_type not in kind.record_types for queue in publish_to):
        raise InvalidInput("publish_to", _("A queue of the list collects records of another type."))


def _check_sole_reader(job: JobDefinition | None, source: ProcessingQueue | None) -> None:
    """A pending record goes to one reader only: two enabled jobs would take it away from each other.

    The queue is locked, so that of two jobs that are enabled at once one finds the other. Raises InvalidInput.
    """
    if source is None:
        return
    ProcessingQueue.objects.select_for_update().get(pk=source.pk)
    others = JobDefinition.objects.filter(source_queue=source, enabled=True).exclude(pk=job.pk if job else 0)
    reader = others.order_by("pk").first()
    if reader is not None:
        text = _("The job “%(job)s” reads this queue already. Make a queue of its own for each job.")
        raise InvalidInput("source_queue", text % {"job": reader.name})


@transaction.atomic
def delete_job(*, job: JobDefinition, actor: str, audit_tenant: Tenant) -> None:
    """Delete a job with its history. Raises Conflict while it has records in progress: stop the job first.

    Also while calls still wait to show what became of its records: without these they would look at work for ever.
    The lock keeps a pass from moving queue items into a job that is about to go.
    """
    JobDefinition.objects.select_for_update().get(pk=job.pk)
    records = Record.objects.filter(job=job)
    if records.filter(state=Record.State.IN_PROGRESS).exists():
        raise Conflict(_("The job has records in progress. Stop it first: that aborts them."))
    if records.filter(mark_due=True).exists():
        raise Conflict(_("Some calls do not show yet what became of them in this job. Try again in a minute."))
    _audit(job, "job.deleted", actor, audit_tenant)
    job.delete()


@transaction.atomic
def clone_job(*, job: JobDefinition, name: str, actor: str, audit_tenant: Tenant) -> JobDefinition:
    """Copy the job under a new name, disabled, without its history. Raises InvalidInput when the name is taken."""
    if JobDefinition.objects.filter(name__iexact=name).exists():
        raise InvalidInput("name", _("There is a job with this name."))
    groups, queues = list(job.tenant_groups.all()), list(job.publish_to.all())
    left_out = {*NOT_SET_BY_PEOPLE, "name", "enabled"}
    copied = [field.attname for field in JobDefinition._meta.concrete_fields if field.name not in left_out]
    values = {attname: getattr(job, attname) for attname in copied}
    made = JobDefinition.objects.create(**values, name=name, enabled=False)
    made.tenant_groups.set(groups)
    made.publish_to.set(queues)
    keep_place(made, source_before="")
    _audit(made, "job.cloned", actor, audit_tenant, original=job.pk)
    return made


def set_enabled(*, job: JobDefinition, enabled: bool, actor: str, audit_tenant: Tenant) -> None:
    """Enable or stop the job; stopping aborts its records in progress and ends a pause (domain C30).

    Raises Conflict when it is already what is asked for, or when another enabled job reads its queue.
    """
    with transaction.atomic():
        if enabled:
            try:
                _check_sole_reader(job, job.source_queue)
            except InvalidInput as error:
                raise Conflict(error.message) from error
        as_it_was = JobDefinition.objects.filter(pk=job.pk, enabled=not enabled)
        move(
            as_it_was,
            conflict=_("The job was changed by somebody else."),
            enabled=enabled,
            paused_at=None,
            next_start_at=_next_start(job),
            version=F("version") + 1,
        )
        job.enabled = enabled
        if not enabled:
            end_on_stop(job)
        _audit(job, "job.enabled" if enabled else "job.stopped", actor, audit_tenant)
        _ring(job)
    if not enabled:
        abort_records(
            records=Record.objects.filter(job=job), actor=actor, audit_tenant=audit_tenant, chosen="job stopped"
        )


@transaction.atomic
def pause_job(*, job: JobDefinition, actor: str, audit_tenant: Tenant) -> None:
    """Claim nothing new; what is under way is finished. Unlike a stop it aborts nothing; Start lets the job go on.

    Raises Conflict when the job is disabled or paused already.
    """
    awake = JobDefinition.objects.filter(pk=job.pk, enabled=True, paused_at__isnull=True)
    text = _("Only an enabled job that is not paused can be paused.")
    # The new version makes a pass that is running take in no more.
    move(awake, conflict=text, paused_at=timezone.now(), version=F("version") + 1)
    _audit(job, "job.paused", actor, audit_tenant)


@transaction.atomic
def resume_job(*, job: JobDefinition, actor: str, audit_tenant: Tenant) -> None:
    """End a pause. Starts that fell into it are not made up for. Raises Conflict when the job is not paused."""
    paused = JobDefinition.objects.filter(pk=job.pk, enabled=True, paused_at__isnull=False)
    text = _("The job is not paused.")
    move(paused, conflict=text, paused_at=None, next_start_at=_next_start(job), version=F("version") + 1)
    _audit(job, "job.resumed", actor, audit_tenant)
    _ring(job)


@transaction.atomic
def request_start(*, job: JobDefinition, actor: str, audit_tenant: Tenant) -> None:
    """Start now: a manual job takes what is in its queue at this moment, a continuous one is woken, a sweep goes on.

    Raises Conflict when the job is disabled or paused, or its continuation token is at the end.
    """
    now = None if job.schedule == Schedule.CONTINUOUS else timezone.now()
    awake = JobDefinition.objects.filter(pk=job.pk, enabled=True, paused_at__isnull=True)
    move(awake, conflict=_("The job is disabled or paused. Enable it first."), start_requested_at=now)
    prepare_start(job)
    _audit(job, "job.started", actor, audit_tenant)
    _ring(job)


def start_job(*, job: JobDefinition, actor: str, audit_tenant: Tenant) -> bool:
    """The button Start: let a paused job go on (True), or start it now (False). Raises Conflict as these do."""
    act = request_start if job.paused_at is None else resume_job
    act(job=job, actor=actor, audit_tenant=audit_tenant)
    return job.paused_at is not None


def request_due_starts() -> None:
    """Ask for a start of every enabled timed job whose time has come, and note its next time."""
    now = timezone.now()
    awake = JobDefinition.objects.filter(enabled=True, paused_at__isnull=True, schedule__in=TIMED)
    for job in awake.filter(next_start_at__lte=now):
        # The old time in the condition: two ticks at once must not start the job twice.
        _start_at_its_time(job, now)


@transaction.atomic
def _start_at_its_time(job: JobDefinition, now: datetime) -> None:
    """One start; a sweep whose continuation token is at the end is not started."""
    mine = JobDefinition.objects.filter(pk=job.pk, next_start_at=job.next_start_at)
    if not mine.update(start_requested_at=now, next_start_at=next_starts(job.cron, job.time_zone, now)[0]):
        return
    try:
        prepare_start(job)
    except Conflict:
        JobDefinition.objects.filter(pk=job.pk).update(start_requested_at=None)


def _ring(job: JobDefinition) -> None:
    """The readers of the job's queue are called; a sweep is found by the next tick."""
    if job.source_queue_id is not None:
        ring_after_commit([job.source_queue_id])


def _next_start(job: JobDefinition) -> datetime | None:
    """From now on: what a job missed while it was stopped or paused is not made up for."""
    return next_starts(job.cron, job.time_zone, timezone.now())[0] if job.schedule in TIMED else None


@transaction.atomic
def delete_logs(*, job: JobDefinition, entries: QuerySet[LogEntry], actor: str, audit_tenant: Tenant) -> int:
    """Delete log lines of the job that match."""
    deleted, _by_model = entries.delete()
    JobDefinition.objects.filter(pk=job.pk).update(records_changed_at=timezone.now())
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action="job.logs_deleted",
        target_type="job",
        target_id=str(job.pk),
        details={"count": deleted},
    )
    return deleted


def _audit(
    job: JobDefinition,
    action: str,
    actor: str,
    audit_tenant: Tenant,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    **details: Any,
) -> None:
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action=action,
        target_type="job",
        target_id=str(job.pk),
        details={
            "name": job.name,
            "enabled": job.enabled,
            "schedule": job.schedule,
            "scope": job.access_scope,
            "version": job.version,
            **details,
        },
        before=before,
        after=after,
    )
