"""Loading and resetting the demo. Everything goes through the services of the apps; nothing is written around them."""

import base64
import hashlib
import hmac
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.realms.setup import offer
from accounts.services import create_user, key_of
from conversations.metadata import read_metadata
from conversations.models import WRITTEN, Call
from conversations.services import delete_call, ingest_call
from conversations.threads.reading import read_thread
from conversations.threads.services import import_thread
from demo import assistant, offline
from demo.manifest import CALLS, DemoTenant, Manifest, demo_threads, read_manifest
from demo.pipelines import make_job, queue_named
from jobs.actions import abort_records, delete_records
from jobs.models import JobDefinition, Record
from licensing.limits_pages.services import FIELDS, save_limits, stored_limits
from licensing.models import Bundle, Entitlement
from licensing.services import grant
from queues.events import Event, RecordType
from tenants.doors import enter
from tenants.models import Tenant
from tenants.provisioning import provision
from tenants.selectors import system_tenant
from tenants.services import create_tenant
from transcription.kind import TranscriptionKind
from transcription.models import SpeechEngine, Visibility
from transcription.services import save_engine

ACTOR = "system:demo"
ENGINE = "Bundled speech server"
QUEUE = "Recorded calls"
JOB = "Transcribe recordings"
FILTERS = (
    {"field": "user.license", "op": "is", "value": Bundle.SPEECH_ANALYTICS.value},
    {"field": "call.duration", "op": "between", "value": [15, 7200]},
)


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who may sign in to the demo, and how."""

    organisation: str
    username: str
    password: str
    role: str


def load_demo() -> list[SignIn]:
    """Create what is missing of the demo and return the sign-ins; running it again changes nothing."""
    manifest = read_manifest()
    _pipeline()
    # Before conversations come: those that come after it are asked about by themselves.
    new_queue = assistant.make_assistant(system=system_tenant(), actor=ACTOR)
    offer(tenant=system_tenant(), actor=ACTOR)
    sign_ins = []
    for demo_tenant in manifest.tenants:
        tenant = _tenant(demo_tenant)
        sign_ins += _people(tenant, demo_tenant)
        offer(tenant=tenant, actor=ACTOR)
        _limits(tenant, demo_tenant)
        assistant.enable_tasks(tenant=tenant)
        if new_queue is not None:
            assistant.take_up(tenant=tenant, queue=new_queue)
        _calls(tenant, manifest)
        _threads(tenant)
        offline.submit_task(tenant=tenant, wanted=demo_tenant, manifest=manifest)
    return sign_ins


def reset_demo() -> int:
    """Remove the demo's calls and threads with their records and load them again; returns how many were removed.

    Offline tasks stay: they are never deleted.
    """
    removed = 0
    for demo_tenant in read_manifest().tenants:
        tenant = Tenant.objects.filter(slug=demo_tenant.alias, state=Tenant.State.READY).first()
        if tenant is None:
            continue
        with enter(tenant):
            ids = list(Call.objects.filter(external_id__startswith="demo-").values_list("pk", flat=True))
            records = Record.objects.filter(tenant=tenant, record_id__in=ids, job__name__in=(JOB, assistant.JOB))
            for act in (abort_records, delete_records):
                act(records=records, actor=ACTOR, audit_tenant=tenant, chosen="demo reset")
            for call_id in ids:
                delete_call(tenant=tenant, call_id=call_id, actor=ACTOR)
            removed += len(ids)
    load_demo()
    return removed


def demo_password(organisation: str, username: str) -> str:
    """The password of a demo user: different on every installation, the same at every start of one."""
    seed = os.environ.get("PARLANCE_DEMO_SEED", "").encode()
    if not seed:
        raise RuntimeError("PARLANCE_DEMO_SEED is not set: the demo is loaded by ./parlance up.")
    digest = hmac.new(seed, f"{organisation}/{username}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode().lower()


def bundled_engine() -> SpeechEngine:
    """The engine of the bundled speech server, made or given its present address."""
    engine = SpeechEngine.objects.filter(name=ENGINE).first()
    if engine is None or engine.settings.get("server_address") != os.environ["PARLANCE_SPEECH_ADDRESS"]:
        engine = save_engine(
            engine=engine,
            values={
                "name": ENGINE,
                "engine_type": "native_v2",
                "enabled": True,
                "visibility": Visibility.GLOBAL,
                "tenant": None,
            },
            settings={"server_address": os.environ["PARLANCE_SPEECH_ADDRESS"], "ssl_verify": True, "punctuate": True},
            secrets={"token": Path(os.environ["PARLANCE_SPEECH_TOKEN_FILE"]).read_text().strip()},
            actor=ACTOR,
            audit_tenant=system_tenant(),
        )
    return engine


def demo_call_ids() -> dict[Tenant, list[uuid.UUID]]:
    """The demo's calls with a recording or without, by tenant; no threads."""
    found = {}
    for demo_tenant in read_manifest().tenants:
        tenant = Tenant.objects.filter(slug=demo_tenant.alias, state=Tenant.State.READY).first()
        if tenant is not None:
            with enter(tenant):
                calls = Call.objects.filter(external_id__startswith="demo-").exclude(WRITTEN)
                found[tenant] = list(calls.values_list("pk", flat=True))
    return found


def _pipeline() -> None:
    """The three parts of the guide (domain T7): engine, queue, job."""
    system = system_tenant()
    engine = bundled_engine()
    events = (Event.CALL_RECORDING_FINISHED,)
    queue = queue_named(QUEUE, record_type=RecordType.CALL, events=events, system=system, actor=ACTOR)
    if not JobDefinition.objects.filter(name=JOB).exists():
        make_job(
            JOB,
            kind=TranscriptionKind.key,
            queue=queue,
            settings={"engine": engine.pk, "talk_fields": True},
            filters=FILTERS,
            system=system,
            actor=ACTOR,
        )


def _tenant(wanted: DemoTenant) -> Tenant:
    tenant = Tenant.objects.filter(slug=wanted.alias).first()
    if tenant is None:
        # Atomic, so that a crash does not leave a tenant that the next start would take for a finished one.
        with transaction.atomic():
            tenant = create_tenant(
                slug=wanted.alias,
                name=wanted.name,
                time_zone=wanted.time_zone,
                language=wanted.language,
                actor=ACTOR,
            )
            provision(tenant.pk)
    else:
        provision(tenant.pk)
    tenant.refresh_from_db()
    return tenant


def _people(tenant: Tenant, wanted: DemoTenant) -> list[SignIn]:
    sign_ins = []
    for person in wanted.users:
        password = demo_password(tenant.slug, person.username)
        user = User.objects.filter(tenant=tenant, username_key=key_of(person.username)).first()
        if user is None:
            user = create_user(
                tenant=tenant,
                username=person.username,
                password=password,
                role=person.role,
                full_name=person.full_name,
                group=person.group,
                actor=ACTOR,
            )
            if person.licensed:
                grant(user=user, bundle=Bundle.SPEECH_ANALYTICS, actor=ACTOR)
        sign_ins.append(SignIn(tenant.slug, person.username, password, person.role))
    return sign_ins


def _limits(tenant: Tenant, wanted: DemoTenant) -> None:
    """Once, after its people: what somebody sets later stays."""
    if not Entitlement.objects.filter(tenant=tenant).exists():
        first = stored_limits(tenant)
        values = {name: getattr(first, name) for name in FIELDS} | wanted.minutes
        save_limits(tenant=tenant, version=first.version, values=values, actor=ACTOR)


def _calls(tenant: Tenant, manifest: Manifest) -> None:
    now = timezone.now()
    with enter(tenant):
        there = set(Call.objects.filter(external_id__startswith="demo-").values_list("external_id", flat=True))
        for demo_call in manifest.calls:
            fields = demo_call.metadata()
            if demo_call.tenant != tenant.slug or fields["external_id"] in there:
                continue
            audio = fields.pop("audio")
            ingest_call(
                tenant=tenant,
                metadata=read_metadata(fields, base_time=now),
                audio_path=CALLS / audio if audio else None,
                label=audio or "",
                actor=ACTOR,
                source="demo",
            )


def _threads(tenant: Tenant) -> None:
    """Those that are missing: their times count from the first load, so a later one would move them."""
    now = timezone.now()
    with enter(tenant):
        there = set(Call.objects.filter(WRITTEN, external_id__startswith="demo-").values_list("external_id", flat=True))
        for fields in demo_threads(tenant.slug):
            if fields["external_id"] not in there:
                thread = read_thread(fields, base_time=now)
                import_thread(tenant=tenant, thread=thread, actor=ACTOR, source="demo")
