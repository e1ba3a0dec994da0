"""Tenants, people, calls with audio, and a transcription job: what several benchmarks act on."""

import os
import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Any

from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from accounts.models import Role, User
from benchmarks.provider import MINUTES
from conversations.audio import storage_key
from conversations.models import Call, Recording
from core.files import save_encrypted
from core.ids import uuid7
from jobs.models import JobDefinition
from jobs.services import save_job
from licensing.models import Bundle, UserLicence
from licensing.statements import entitlements_changed
from queues.models import ProcessingQueue
from queues.services import save_queue
from tenants.doors import enter
from tenants.keys import data_key
from tenants.models import Tenant
from tenants.provisioning import provision
from tenants.services import allow_address, create_tenant
from transcription.engines.base import AudioSource
from transcription.models import SpeechEngine
from transcription.services import save_engine

USERS = 5
AUDIO_BYTES = 50_000
ACTOR = "bench"


@dataclass(frozen=True, slots=True)
class Place:
    """A tenant with its licensed users."""

    tenant: Tenant
    users: list[uuid.UUID]


def make_system() -> Tenant:
    """The System tenant, provisioned."""
    system = create_tenant(slug="system", name="System", actor=ACTOR, is_system=True)
    provision(system.pk)
    return system


def make_places(number: int) -> list[Place]:
    """Provisioned tenants whose users hold the licence."""
    return [_make_place(index) for index in range(number)]


def _make_place(index: int) -> Place:
    made = create_tenant(slug=f"bench-{index}", name=f"Bench {index}", actor=ACTOR)
    provision(made.pk)
    agent = Role.objects.get(key="agent")
    people = User.objects.bulk_create(
        User(tenant=made, username=f"user{n}", username_key=f"user{n}", role=agent, password=secrets.token_hex())
        for n in range(USERS)
    )
    UserLicence.objects.bulk_create(UserLicence(user=user, bundle=Bundle.SPEECH_ANALYTICS) for user in people)
    entitlements_changed(made.pk)
    return Place(Tenant.objects.get(pk=made.pk), [user.pk for user in people])


def make_tenant_rows(number: int) -> None:
    """Ready tenants without schemas, for what never enters one."""
    rows = (
        Tenant(slug=f"row-{n}", name=f"Row {n}", state=Tenant.State.READY, wrapped_data_key=b"none")
        for n in range(number)
    )
    Tenant.objects.bulk_create(rows, batch_size=1000)


def add_calls(place: Place, number: int, label: str, audio_bytes: int = AUDIO_BYTES) -> list[uuid.UUID]:
    """Calls of five minutes with an encrypted file each; one sound for all, as nobody listens to it."""
    sound = os.urandom(audio_bytes)
    audio = AudioSource("call.ogg", "audio/ogg", audio_bytes, MINUTES * 60_000, 2, lambda: iter([sound]))
    return add_recorded(place, number, label, audio)


def add_recorded(place: Place, number: int, label: str, audio: AudioSource) -> list[uuid.UUID]:
    """Calls whose recordings are all ``audio``, Opus in two channels."""
    started, sound, key = timezone.now() - timedelta(hours=1), b"".join(audio.open()), data_key(place.tenant)
    length = timedelta(milliseconds=audio.duration_ms)
    calls, recordings = [], []
    for index in range(number):
        call = Call(
            external_id=f"{label}-{index}",
            started_at=started,
            ended_at=started + length,
            duration_ms=audio.duration_ms,
            user_id=place.users[index % len(place.users)],
        )
        identity = uuid7()
        name = storage_key(place.tenant.pk, identity)
        save_encrypted(default_storage, name, BytesIO(sound), data_key=key, context=identity.bytes)
        recordings.append(
            Recording(
                pk=identity,
                call=call,
                storage_key=name,
                sha256=secrets.token_hex(32),
                label=f"{index}.ogg",
                mime=audio.mime,
                codec="opus",
                channels=2,
                sample_rate=16_000,
                duration_ms=audio.duration_ms,
                bytes_plain=audio.size,
            )
        )
        calls.append(call)
    with enter(place.tenant):
        Call.objects.bulk_create(calls, batch_size=1000)
        Recording.objects.bulk_create(recordings, batch_size=1000)
    return [call.pk for call in calls]


def make_job(system: Tenant, provider: str, **changes: Any) -> JobDefinition:
    """An engine at ``provider`` (its URL) and a job over it."""
    actor: dict[str, Any] = {"actor": ACTOR, "audit_tenant": system}
    allow_address(cidr="127.0.0.1/32", port=int(provider.rpartition(":")[2]), note="bench", **actor)
    common = {"enabled": True, "tenant": None}
    engine = save_engine(
        engine=None,
        values={**common, "name": "Instant", "engine_type": "native_v2", "visibility": "global"},
        settings={"server_address": provider, "concurrency": 64},
        secrets={},
        **actor,
    )
    return make_job_over(system, engine, **changes)


def make_job_over(system: Tenant, engine: SpeechEngine, **changes: Any) -> JobDefinition:
    """A queue for finished recordings and the job that reads it."""
    actor: dict[str, Any] = {"actor": ACTOR, "audit_tenant": system}
    common = {"enabled": True, "tenant": None}
    values = {
        "name": f"Recorded for {engine.name}",
        "scope": "global",
        "record_type": "call",
        "events": ["call.recording_finished"],
    }
    queue = save_queue(queue=None, values={**common, **values, "replicate": False}, tenant_groups=[], **actor)
    return save_job(
        job=None,
        values={
            **common,
            "name": "Transcribe",
            "kind": "transcription",
            "access_scope": "unrestricted",
            "data_source": "queue",
            "source_queue": queue,
            "settings": {"engine": engine.pk},
            "filters": [
                {"field": "user.license", "op": "is", "value": "speech_analytics"},
                {"field": "call.duration", "op": "between", "value": [15, 7200]},
            ],
            "schedule": "continuous",
            "cron": "",
            "time_zone": "UTC",
            **changes,
        },
        tenant_groups=[],
        publish_to=[],
        **actor,
    )


def make_queue_and_job() -> tuple[ProcessingQueue, JobDefinition]:
    """A queue and a job as bare rows, for what never runs a pass."""
    queue = ProcessingQueue.objects.create(name="Rows", events=["call.recording_finished"])
    job = JobDefinition.objects.create(name="Rows", kind="transcription", source_queue=queue, settings={"engine": 0})
    return queue, job


def analyze() -> None:
    """Fresh statistics and no dead rows, as autovacuum would have seen to."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
