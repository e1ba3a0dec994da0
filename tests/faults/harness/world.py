"""The tenants, jobs and calls that the trials act on, made through the product's own services."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.utils import InterfaceError, OperationalError
from django.test import Client

from accounts.models import User
from accounts.services import create_user
from benchmarks.world import Place, add_calls, make_places, make_system
from jobs.models import JobDefinition
from jobs.services import save_job
from jobs.workers.models import Worker
from queues.events import Event
from queues.models import ProcessingQueue
from queues.services import publish, save_queue
from tenants.doors import enter
from tenants.models import Tenant
from tenants.services import allow_address, create_group
from tests.faults.harness.dialects import Dialect
from tests.polling import until
from transcription.models import SpeechEngine
from transcription.services import save_engine

ACTOR = "harness"
TENANTS = 3
LEASE_S = 5
AUDIO_BYTES = 3000
SECONDS_A_CALL = 300
PASSWORD = "correct horse battery staple"
Result = TypeVar("Result")


@dataclass
class World:
    """What is there before the first trial. Two jobs, one for a tenant alone, share an engine."""

    system: Tenant
    places: list[Place]
    root: User
    engine: SpeechEngine
    jobs: list[JobDefinition]
    done: ProcessingQueue

    def wait_for_workers(self, number: int) -> None:
        """Until so many workers have said that they are up."""
        until(lambda: Worker.objects.filter(state=Worker.State.RUNNING).count() >= number, seconds=90, every=0.2)

    def publish(self, place: Place, number: int, label: str) -> list[uuid.UUID]:
        """New calls of the tenant, not published yet; their ids."""
        return sure(lambda: add_calls(place, number, label, AUDIO_BYTES))

    def ring(self, place: Place, calls: list[uuid.UUID], event: Event = Event.CALL_RECORDING_FINISHED) -> None:
        """Publish ``event`` of the calls, all in one transaction, and ring the bell."""

        def once() -> None:
            with enter(Tenant.objects.get(pk=place.tenant.pk)), transaction.atomic():
                publish(tenant=place.tenant, event=event, record_ids=calls)

        sure(once)

    def queues(self) -> list[int]:
        """The queues that the jobs read."""
        return [job.source_queue_id for job in self.jobs]

    def cookie(self) -> str:
        """A session of the platform admin, as a Cookie header."""
        client = Client()
        client.force_login(self.root, backend="accounts.backends.TenantUserBackend")
        name = settings.SESSION_COOKIE_NAME
        return f"{name}={client.cookies[name].value}"


def sure(deed: Callable[[], Result], seconds: float = 30.0) -> Result:
    """Do it, again and again while the database is away. What is done here must bear being done twice."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return deed()
        except (OperationalError, InterfaceError):
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def make_world(dialect: Dialect, provider_url: str) -> World:
    """Migrate the empty database and fill it."""
    call_command("migrate_all", verbosity=0)
    system = make_system()
    root = create_user(
        tenant=system,
        username="root",
        password=PASSWORD,
        role="platform_admin",
        group="",
        full_name="Root",
        actor=ACTOR,
    )
    places = make_places(TENANTS)
    for place in places:
        create_user(
            tenant=place.tenant,
            username="alan",
            password=PASSWORD,
            role="agent",
            group="",
            full_name="Alan",
            actor=ACTOR,
        )
    actor: dict[str, Any] = {"actor": ACTOR, "audit_tenant": system}
    allow_address(cidr="127.0.0.1/32", port=int(provider_url.rpartition(":")[2]), note=ACTOR, **actor)
    engine = save_engine(
        engine=None,
        values={
            "name": "Fake",
            "engine_type": dialect.engine_type,
            "enabled": True,
            "visibility": "global",
            "tenant": None,
        },
        settings={"server_address": provider_url, **dialect.settings},
        secrets={},
        **actor,
    )
    others = create_group(name="Others", tenants=[place.tenant for place in places[1:]], **actor)
    done = _queue("Transcribed", ["call.transcription_completed"], actor)
    alone = _queue("Alone", ["call.recording_finished"], actor, scope="one_tenant", tenant=places[0].tenant)
    shared = _queue("Others", ["call.recording_finished"], actor, scope="tenant_groups", groups=[others])
    jobs = [_job(queue, engine, done, actor) for queue in (alone, shared)]
    return World(system, places, root, engine, jobs, done)


def _queue(
    name: str, events: list[str], actor: dict[str, Any], *, scope: str = "global", tenant: Any = None, groups: Any = ()
) -> ProcessingQueue:
    values = {
        "name": name,
        "enabled": True,
        "scope": scope,
        "tenant": tenant,
        "record_type": "call",
        "events": events,
        "replicate": False,
    }
    return save_queue(queue=None, values=values, tenant_groups=list(groups), **actor)


def _job(queue: ProcessingQueue, engine: SpeechEngine, done: ProcessingQueue, actor: dict[str, Any]) -> JobDefinition:
    """Completed calls are published by the job, so that the result and the event for others can be compared (R3)."""
    values = {
        "name": f"Transcribe {queue.name}",
        "kind": "transcription",
        "enabled": True,
        "access_scope": "unrestricted",
        "tenant": None,
        "data_source": "queue",
        "source_queue": queue,
        "settings": {"engine": engine.pk},
        "filters": [{"field": "call.duration", "op": "between", "value": [2, 7200]}],
        "schedule": "continuous",
        "cron": "",
        "time_zone": "UTC",
        "lease_seconds": LEASE_S,
    }
    return save_job(job=None, values=values, tenant_groups=[], publish_to=[done], **actor)
