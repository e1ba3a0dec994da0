"""The first peer: one Celery task for each step, ``retry(countdown)`` between checks, ``save()`` at each change.

What a careful Django project would write: one keep-alive connection a process, atomic where two
rows change together, the product's own functions for gates, ledger and transcripts, called for one record at a time.
"""

import http.client
import uuid
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import orjson
from celery import Task, shared_task
from django.db import transaction
from django.utils import timezone

from conversations.audio import read_recording
from conversations.preparing import prepare_transcript
from conversations.selectors import call_facts
from conversations.services import NewTranscript, store_transcripts
from jobs.models import JobDefinition, Record, RecordEvent
from licensing.ledger import Granted, Request, reserve, settle
from licensing.models import Meter
from queues.events import RecordType
from tenants.doors import enter
from tenants.keys import data_key
from tenants.models import Tenant
from transcription.engines.native.answers import Job, read_result, to_transcript
from transcription.models import SpeechEngine

MAX_CHECKS = 50
BOUNDARY = "parlance-benchmark"


@shared_task
def start(tenant_id: str, call_id: str) -> None:
    """The event's task: make the record, judge it, reserve."""
    tenant, job = Tenant.objects.get(pk=tenant_id), JobDefinition.objects.get()
    now = timezone.now()
    with enter(tenant):
        call = call_facts([uuid.UUID(call_id)])[uuid.UUID(call_id)]
        record = Record.objects.create(
            job=job,
            tenant=tenant,
            record_type=RecordType.CALL,
            record_id=call_id,
            next_at=now,
            created_at=now,
            first_processed_at=now,
        )
        wish = Request(record.pk, 1, call.call_id, call.user_id, call.duration_ms // 1000, "Instant", call.language)
        outcome = reserve(tenant_id=tenant.pk, meter=Meter.TRANSCRIPTION_SECONDS, requests=[wish])
        if outcome[record.pk, 1] != Granted():
            record.state = Record.State.SKIPPED
            record.save()
            return
    submit.delay(record.pk)


@shared_task(bind=True, max_retries=5)
def submit(self: Task, pk: int) -> None:  # type: ignore[type-arg]
    """Upload the audio."""
    record = Record.objects.select_related("tenant", "job").get(pk=pk)
    with enter(record.tenant):
        call = call_facts([record.record_id])[record.record_id]
    assert call.recording is not None
    record.reference = f"step-{record.pk}"
    record.stage = Record.Stage.UPLOADING
    record.save()
    audio = b"".join(read_recording(call.recording.storage_key, data_key(record.tenant)))
    config = {"language": call.language, "words": True, "channels": "separate", "metadata": {"ref": record.reference}}
    try:
        answer = _call("POST", "", body=_form(config, audio), reference=record.reference)
    except (OSError, http.client.HTTPException) as error:
        raise self.retry(exc=error, countdown=2) from error
    with transaction.atomic():
        record.remote = {"id": Job.model_validate_json(answer).id}
        record.stage = Record.Stage.CHECKING
        record.uploads += 1
        record.last_processed_at = timezone.now()
        record.save()
        RecordEvent.objects.create(record=record, generation=1, at=timezone.now(), step="uploaded")
    check.apply_async([pk], countdown=1)


@shared_task(bind=True, max_retries=MAX_CHECKS)
def check(self: Task, pk: int) -> None:  # type: ignore[type-arg]
    """Ask once; try again in a second while it is not ready."""
    record = Record.objects.get(pk=pk)
    job = Job.model_validate_json(_call("GET", f"/{record.remote['id']}"))
    record.checks += 1
    record.last_processed_at = timezone.now()
    record.save()
    if job.status != "completed":
        raise self.retry(countdown=1)
    fetch.delay(pk)


@shared_task
def fetch(pk: int) -> None:
    """Get the result, store it and charge for it."""
    record = Record.objects.select_related("tenant").get(pk=pk)
    result = read_result(_call("GET", f"/{record.remote['id']}/result"))
    prepared = prepare_transcript(to_transcript(result), result.duration_ms)
    remote = record.remote
    with enter(record.tenant), transaction.atomic():
        item = NewTranscript(record.record_id, prepared, "Instant")
        store_transcripts(tenant=record.tenant, items=[item])
        settle(tenant_id=record.tenant_id, meter=Meter.TRANSCRIPTION_SECONDS, keys=[(pk, 1)])
        record.state, record.stage, record.remote = Record.State.COMPLETED, Record.Stage.DONE, None
        record.finished_at = timezone.now()
        record.save()
        RecordEvent.objects.create(record=record, generation=1, at=timezone.now(), step="completed")
    clean_up.delay(remote["id"])


@shared_task
def clean_up(identity: str) -> None:
    """Delete the job at the provider."""
    _call("DELETE", f"/{identity}")


@lru_cache(maxsize=1)
def _connection() -> http.client.HTTPConnection:
    address = urlsplit(SpeechEngine.objects.get().settings["server_address"])
    return http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)


def _call(method: str, path: str, *, body: bytes | None = None, reference: str = "") -> bytes:
    headers: dict[str, Any] = {}
    if body is not None:
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Idempotency-Key": reference}
    connection = _connection()
    connection.request(method, f"/v2/transcriptions{path}", body=body, headers=headers)
    response = connection.getresponse()
    content = response.read()
    if response.status not in (200, 202, 204):
        raise http.client.HTTPException(f"HTTP {response.status}")
    return content


def _form(config: dict[str, Any], audio: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="config"\r\nContent-Type: application/json\r\n\r\n'
    middle = (
        f'\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="audio"; filename="call.ogg"\r\n'
        "Content-Type: audio/ogg\r\n\r\n"
    )
    return head.encode() + orjson.dumps(config) + middle.encode() + audio + f"\r\n--{BOUNDARY}--\r\n".encode()
