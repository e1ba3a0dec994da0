"""What people do to the position of a sweep: begin anew, go on from a token; and what a start means for it."""

from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import append
from core.errors import Conflict
from jobs.models import SWEEPING, Continuation, DataSource, JobDefinition
from jobs.sweeps.tokens import position_of, token_of
from tenants.models import Tenant

FRESH: dict[str, Any] = {
    "state": Continuation.State.READY,
    "until": None,
    "at_tenant": None,
    "after_time": None,
    "after_id": None,
    "tenants": 0,
    "seen": 0,
    "taken": 0,
    "again": 0,
    "seconds": 0,
    "started_at": None,
    "ended_at": None,
}


def keep_place(job: JobDefinition, *, source_before: str) -> None:
    """Give a job that sweeps its row; another data source than before begins anew. In the caller's transaction.

    The source by change looks for what is stored or changed from this moment on.
    """
    if job.data_source not in SWEEPING:
        return
    now = timezone.now()
    place, created = Continuation.objects.get_or_create(job=job, defaults={"since": now})
    if not created and job.data_source != source_before:
        _anew(place, since=now)


def prepare_start(job: JobDefinition) -> None:
    """Make the position ready for a start. Raises Conflict when a continuation token has reached the end.

    Full mode on each run begins anew, unless the sweep of an earlier start is still under way: it is finished first.
    A sweep that its budget stopped tries again.
    """
    if job.data_source not in SWEEPING:
        return
    place = Continuation.objects.select_for_update().get(job=job)
    if place.state == Continuation.State.STOPPED:
        Continuation.objects.filter(pk=place.pk).update(state=Continuation.State.RUNNING, version=F("version") + 1)
    elif place.state == Continuation.State.DONE:
        if job.data_source == DataSource.TOKEN:
            raise Conflict(_("The sweep is at its end. Reset the continuation token to begin anew."))
        _anew(place)


@transaction.atomic
def end_on_stop(job: JobDefinition) -> None:
    """A stop ends the sweep of Full mode on each run, so that the next start begins anew; a token stays where it is."""
    if job.data_source == DataSource.FULL:
        ended = Continuation.objects.filter(job=job)
        ended.update(state=Continuation.State.DONE, ended_at=timezone.now(), version=F("version") + 1)
        JobDefinition.objects.filter(pk=job.pk).update(start_requested_at=None)


@transaction.atomic
def reset_token(*, job: JobDefinition, actor: str, audit_tenant: Tenant) -> None:
    """Begin anew: the next pass starts at the first tenant, with all counts at nought. What was made stays.

    Raises Conflict for a job without a continuation token.
    """
    place = _place_of(job)
    before = token_of(place)
    _anew(place)
    _audit(job, "job.token_reset", actor, audit_tenant, before, "")


@transaction.atomic
def import_token(*, job: JobDefinition, text: str, actor: str, audit_tenant: Tenant) -> None:
    """Go on from a token that this job had before. Raises InvalidInput("token", …) naming the rule that is broken."""
    place = _place_of(job)
    position = position_of(text, job.pk)
    if position["state"] == Continuation.State.STOPPED:
        position["state"] = Continuation.State.RUNNING
    before = token_of(place)
    changes = {**position, "next_at": timezone.now(), "version": F("version") + 1}
    Continuation.objects.filter(pk=place.pk).update(**changes)
    _audit(job, "job.token_imported", actor, audit_tenant, before, text)


def _place_of(job: JobDefinition) -> Continuation:
    if job.data_source != DataSource.TOKEN:
        raise Conflict(_("Only a job with the data source “Full mode with continuation token” has a token."))
    return Continuation.objects.select_for_update().get(job=job)


def _anew(place: Continuation, **changes: Any) -> None:
    begun = 1 if place.started_at is not None else 0
    values = {**FRESH, "number": F("number") + begun, "next_at": timezone.now(), "version": F("version") + 1, **changes}
    Continuation.objects.filter(pk=place.pk).update(**values)


def _audit(job: JobDefinition, action: str, actor: str, audit_tenant: Tenant, before: str, after: str) -> None:
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action=action,
        target_type="job",
        target_id=str(job.pk),
        details={"name": job.name, "before": " ".join(before.split()), "after": " ".join(after.split())},
    )
