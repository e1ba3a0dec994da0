"""What the pipelines of the demo are made of: a queue of all tenants, and a continuous job behind it."""

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.models import DataSource, JobDefinition, Schedule
from jobs.services import save_job
from queues.events import Event, RecordType
from queues.models import AccessScope, ProcessingQueue, QueueScope
from queues.services import save_queue
from tenants.models import Tenant


def queue_named(
    name: str, *, record_type: RecordType, events: Sequence[Event], system: Tenant, actor: str
) -> ProcessingQueue:
    """The queue of this name as somebody may have changed it; a new one listens to ``events`` of all tenants."""
    queue = ProcessingQueue.objects.filter(name=name).first()
    if queue is not None:
        return queue
    return save_queue(
        queue=None,
        values={
            "name": name,
            "enabled": True,
            "scope": QueueScope.GLOBAL,
            "tenant": None,
            "record_type": record_type,
            "events": [event.value for event in events],
            "replicate": False,
        },
        tenant_groups=[],
        actor=actor,
        audit_tenant=system,
    )


def make_job(
    name: str,
    *,
    kind: str,
    queue: ProcessingQueue,
    settings: Mapping[str, Any],
    filters: Sequence[Mapping[str, Any]],
    system: Tenant,
    actor: str,
) -> JobDefinition:
    """A job of all tenants but the system that works off ``queue`` by these settings without a pause."""
    return save_job(
        job=None,
        values={
            "name": name,
            "kind": kind,
            "enabled": True,
            "access_scope": AccessScope.TENANTS_ONLY,
            "tenant": None,
            "data_source": DataSource.QUEUE,
            "source_queue": queue,
            "settings": dict(settings),
            "filters": list(filters),
            "schedule": Schedule.CONTINUOUS,
            "cron": "",
            "time_zone": "UTC",
        },
        tenant_groups=[],
        publish_to=[],
        actor=actor,
        audit_tenant=system,
    )
