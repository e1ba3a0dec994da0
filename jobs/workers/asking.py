"""Asking workers to stop, and what their page shows."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import append
from core.errors import Conflict
from core.moves import move
from jobs.models import Pass
from jobs.workers.models import DEAD_AFTER, Worker
from tenants.models import Tenant

KEPT = timedelta(days=1)


def workers_with_work() -> QuerySet[Worker]:
    """Workers of the last day; ``at_work`` of each is the list of its living passes with their jobs."""
    living = Pass.objects.filter(state__in=Pass.ALIVE, heartbeat_until__gt=timezone.now()).select_related("job")
    return Worker.objects.filter(heartbeat_at__gt=timezone.now() - KEPT).prefetch_related(
        Prefetch("sweeps", queryset=living.order_by("pk"), to_attr="at_work")
    )


@transaction.atomic
def stop_worker(*, worker: Worker, actor: str, audit_tenant: Tenant) -> None:
    """Ask a worker to give back what it holds and to end; whoever keeps it running starts a fresh one.

    It reads that with its next heartbeat, within a few seconds. Raises Conflict when it is stopping, stopped or dead.
    """
    alive = Worker.objects.filter(
        pk=worker.pk,
        state=Worker.State.RUNNING,
        stop_requested_at__isnull=True,
        heartbeat_at__gt=timezone.now() - DEAD_AFTER,
    )
    move(alive, conflict=_("The worker is not running any more."), stop_requested_at=timezone.now())
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action="worker.stop",
        target_type="worker",
        target_id=str(worker.pk),
        details={"name": worker.name, "host": worker.host, "pid": worker.pid},
    )


def stop_workers(*, workers: Iterable[Worker], actor: str, audit_tenant: Tenant) -> tuple[int, int]:
    """Ask each of ``workers`` that runs; return how many were asked and how many were not running."""
    asked = left = 0
    for worker in workers:
        try:
            stop_worker(worker=worker, actor=actor, audit_tenant=audit_tenant)
        except Conflict:
            left += 1
        else:
            asked += 1
    return asked, left
