"""What the tests of the pages of jobs share: records, addresses, and the text of a page."""

import uuid
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from jobs.circuits.models import Circuit
from jobs.models import Record
from jobs.workers.models import Worker
from queues.models import ProcessingQueue
from transcription.models import SpeechEngine


def make_records(job, tenant, number=1, **changes):
    now = timezone.now()
    fields = {
        "state": "completed",
        "stage": "done",
        "next_at": now,
        "created_at": now,
        "last_processed_at": now,
        **changes,
    }
    return [
        Record.objects.create(job=job, tenant=tenant, record_type="call", record_id=uuid.uuid4(), **fields)
        for _n in range(number)
    ]


def make_worker(**changes: Any) -> Worker:
    """A worker that is alive."""
    now = timezone.now()
    fields = {"name": "celery@here", "host": "here", "pid": 77, "version": "1", "pool": "prefork", "processes": 2}
    fields |= {"prefetch": 2, "started_at": now, "heartbeat_at": now, **changes}
    return Worker.objects.create(id=uuid.uuid4(), **fields)


def failing_circuit(key: str, **changes: Any) -> Circuit:
    """An engine that fails; its probe is due in a minute."""
    now = timezone.now()
    fields = {"state": "open", "fence": 1, "window_began": now, "calls": 5, "failures": 5, "opened_at": now}
    fields |= {"reason": "HTTP 503", "probe_at": now + timedelta(minutes=1), **changes}
    return Circuit.objects.create(key=key, **fields)


def url(name, *args):
    return reverse(f"jobs:{name}", args=args)


def shown(client, address, **query):
    page = client.get(address, query)
    assert page.status_code == 200, page.content.decode()[:2000]
    return page.content.decode()


def backfill_form(engine: SpeechEngine, /, **changes: Any) -> dict[str, Any]:
    """What the backfill wizard posts to start."""
    return {
        "name": "Repair October",
        "access_scope": "tenants_only",
        "first_day": "2026-10-01",
        "last_day": "2026-10-31",
        "engine": engine.pk,
        "clause_0_field": "user.license",
        "clause_0_0": "is",
        "clause_0_1": "speech_analytics",
        "throttle": "30",
        "lag_target_s": "300",
        "time_zone": "UTC",
        "max_checks": "50",
        "max_attempts": "5",
        "batch_size": "100",
        "log_days": "60",
        "log_max_lines": "1000000",
        "action": "start",
        **changes,
    }


def job_form(queue: ProcessingQueue, engine: SpeechEngine, /, **changes: Any) -> dict[str, Any]:
    """What the job form posts."""
    return {
        "name": "Second job",
        "enabled": "on",
        "access_scope": "tenants_only",
        "data_source": "queue",
        "source_queue": queue.pk,
        "engine": engine.pk,
        "clause_0_field": "user.license",
        "clause_0_0": "is",
        "clause_0_1": "speech_analytics",
        "clause_1_field": "call.duration",
        "clause_1_0": "between",
        "clause_1_1": "0:15",
        "clause_1_2": "2:00:00",
        "schedule": "continuous",
        "time_zone": "UTC",
        "max_checks": "50",
        "max_attempts": "5",
        "batch_size": "100",
        "log_days": "60",
        "log_max_lines": "1000000",
        **changes,
    }
