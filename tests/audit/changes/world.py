"""What rows are made of: the objects they may use, what they say, and the register."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.test import Client
from django.utils import timezone

from aiassistant.models import AIEngine
from jobs.models import Continuation, JobDefinition, Record
from queues.models import ProcessingQueue
from queues.replication.models import Pairing, QueueCopy, ReplicationConflict
from tenants.models import Tenant
from transcription.models import SpeechEngine


@dataclass
class Change:
    """What to post: ``good`` changes something and answers with a redirect, ``bad`` is refused with 4xx."""

    client: Client
    good: dict[str, Any] = field(default_factory=dict)
    bad: dict[str, Any] | None = None
    args: tuple[Any, ...] = ()
    query: str = ""
    good_status: int = 302


QUEUE = {"name": "New", "enabled": "on", "scope": "global", "record_type": "call", "events": ["call.created"]}


class World:
    """What rows may use."""

    def __init__(self, client_for: Callable[..., Client], people: Any, system: Tenant, acme: Tenant) -> None:
        self.client_for, self.people, self.system, self.acme = client_for, people, system, acme

    @cached_property
    def root(self) -> Client:
        """The platform admin's browser."""
        return self.client_for(self.people.platform_admin)

    @cached_property
    def ada(self) -> Client:
        """The browser of acme's administrator."""
        return self.client_for(self.people.tenant_admin)

    @cached_property
    def queue(self) -> ProcessingQueue:
        """A queue that nobody reads."""
        return ProcessingQueue.objects.create(name="Calls", events=["call.recording_finished"])

    @cached_property
    def engine(self) -> SpeechEngine:
        """An engine that no job uses."""
        return SpeechEngine.objects.create(
            name="Native", engine_type="native_v2", settings={"server_address": "https://93.184.216.34"}
        )

    @cached_property
    def ai_engine(self) -> AIEngine:
        """An AI engine that no job uses."""
        settings = {"base_url": "https://93.184.216.34/v1", "model": "gpt-test"}
        return AIEngine.objects.create(name="Model", engine_type="openai", settings=settings)

    @cached_property
    def job(self) -> JobDefinition:
        """A job that reads the queue."""
        return JobDefinition.objects.create(
            name="Transcribe", kind="transcription", source_queue=self.queue, settings={"engine": self.engine.pk}
        )

    @cached_property
    def sweeping_job(self) -> JobDefinition:
        """A job with a continuation token."""
        job = JobDefinition.objects.create(
            name="Sweep", kind="transcription", data_source="token", settings={"engine": self.engine.pk}
        )
        Continuation.objects.create(job=job)
        return job

    def record(self, state: str = "failed") -> Record:
        """A record of the job."""
        now = timezone.now()
        stage = "checking" if state == "in_progress" else "done"
        return Record.objects.create(
            job=self.job,
            tenant=self.acme,
            record_type="call",
            record_id=uuid.uuid4(),
            state=state,
            stage=stage,
            next_at=now,
            created_at=now,
        )

    def pairing(self, **values: Any) -> Pairing:
        """A pairing server whose address the outbound guard refuses, so that nothing is sent."""
        defaults = {"address": "https://127.0.0.1:1", "public_key": b"k" * 32, "confirmed_at": timezone.now()}
        return Pairing.objects.create(**{**defaults, **values})

    def conflict(self) -> ReplicationConflict:
        """A queue of the name of ours came from another installation."""
        copy = QueueCopy.objects.create(
            origin=uuid.uuid4(), origin_queue=1, origin_name="Other", seen_version=1, received_at=timezone.now()
        )
        theirs = {**QUEUE, "name": self.queue.name, "enabled": True, "tenant": "", "tenant_groups": []}
        return ReplicationConflict.objects.create(
            copy=copy, kind="saved", version=1, name=self.queue.name, reason="name", theirs=theirs, queue=self.queue
        )

    def in_state(self, state: str) -> Tenant:
        """acme in another state."""
        Tenant.objects.filter(pk=self.acme.pk).update(state=state)
        self.acme.refresh_from_db()
        return self.acme


ROWS: dict[str, Callable[[World], Change]] = {}


def row(route: str) -> Callable[[Callable[[World], Change]], Callable[[World], Change]]:
    """Register a row; a second row of a route is named ``route / what``."""

    def register(make: Callable[[World], Change]) -> Callable[[World], Change]:
        assert route not in ROWS, route
        ROWS[route] = make
        return make

    return register


EXEMPT = {
    "accounts:sign_in": "A refused sign-in has its own row too: tests/accounts/test_sign_in.py.",
    "accounts:second_factor": "A refused code, and a recovery code that is spent, have rows of their own: test_mfa.py.",
    "accounts:oidc_start": "Keeps a state in the session; a refusal has its own row: tests/accounts/test_oidc.py.",
    "accounts:confirm": "Changes the session alone; a refusal has its own row.",
    "accounts:oidc_callback": "The issuer sends browsers here by GET; sign-in and refusal: tests/accounts/test_oidc.py.",
    "accounts:theme": "Sets a cookie of the browser, nothing here.",
    "conversations:calls_bulk": "Chooses and changes nothing; what is done with it is the row of call_bulk.",
    "conversations:upload": "One row a file, each stored or refused for itself: tests/conversations/test_ingest.py.",
    "licensing:service_limits_preview": "Shows figures for what was typed and stores nothing.",
    "pairing_wire:ping": "No person: the pairing server asks, and only when it was last seen is noted.",
    "pairing_wire:queues": "No person: what the pairing server changes has its rows in tests/queues/replication.",
    "realms:token": "Scripts, not pages: sign-in, refusal and reuse have their rows in tests/accounts/test_realms.py.",
    "realms:logout": "Scripts, not pages: the row is in tests/accounts/test_realms_hostile.py.",
    "tenants:add": "Steps 1 and 2 store nothing; the last is the service behind create_tenant.",
}
