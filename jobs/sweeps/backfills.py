"""A backfill: a manual job in full mode with a continuation token, made and started in one go (domain A4, A10, C39)."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import grouped
from core.errors import InvalidInput
from jobs.models import Continuation, DataSource, JobDefinition, Schedule
from jobs.services import save_job, start_job
from queues.models import ProcessingQueue
from tenants.models import Tenant, TenantGroup

# What a backfill is, whatever was typed.
FIXED: dict[str, Any] = {
    "enabled": True,
    "data_source": DataSource.TOKEN,
    "source_queue": None,
    "schedule": Schedule.MANUAL,
    "cron": "",
}


def start_backfill(
    *,
    values: dict[str, Any],
    tenant_groups: Sequence[TenantGroup],
    publish_to: Sequence[ProcessingQueue],
    expected: int,
    actor: str,
    audit_tenant: Tenant,
    editor: User | None = None,
) -> JobDefinition:
    """Make the job and start it; ``expected`` conversations were found by the estimate.

    Raises InvalidInput as ``save_job`` does, and when there is no throttle: without it no time could be foretold.
    """
    if values["throttle"] is None:
        raise InvalidInput("throttle", _("A backfill needs a throttle."))
    who: dict[str, Any] = {"actor": actor, "audit_tenant": audit_tenant}
    with grouped(
        tenant_id=audit_tenant.pk, actor=actor, action="job.backfill_started", target_type="job", target_id=""
    ) as entry:
        saved = save_job(
            job=None,
            values={**values, **FIXED},
            tenant_groups=tenant_groups,
            publish_to=publish_to,
            editor=editor,
            **who,
        )
        entry.target_id = str(saved.pk)
        Continuation.objects.filter(job=saved).update(expected=expected)
        start_job(job=saved, **who)
    return saved
