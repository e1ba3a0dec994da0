"""Every page that changes something, with data it accepts and data it refuses; a new page adds its row here (A1).

Each row is a function under the page's URL name. It makes what the page needs and says what to post. ``bad`` is None
where nothing can be wrong with the data; ``EXEMPT`` says why a route has no row.
"""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.factors import services as factor_services
from accounts.models import Role, User
from accounts.security_models import UserSession
from alerts.models import AlertRule
from jobs.bulk_actions.freezing import Chosen, preview_action
from jobs.bulk_actions.services import IMMEDIATE
from jobs.bulk_models import BulkAction
from jobs.models import Continuation, JobDefinition, LogEntry, Record
from jobs.tasks import estimate
from jobs.tokens import token_of
from queues.models import ProcessingQueue, QueuePurge
from queues.replication.models import Pairing, QueueCopy, ReplicationConflict
from tenants.models import AllowedAddress, DeletionRequest, Tenant, TenantGroup
from tests.accounts.authenticator import SoftAuthenticator
from tests.accounts.signing_in import code_of, confirmed, with_authenticator
from tests.conftest import PASSWORD
from tests.jobs import pages
from tests.jobs.pages import failing_circuit
from transcription.models import SpeechEngine
from transcription.selectors import circuit_key


@dataclass
class Change:
    """What to post: ``good`` changes something and answers with a redirect, ``bad`` is refused with 4xx."""

    client: Client
    good: dict[str, Any] = field(default_factory=dict)
    bad: dict[str, Any] | None = None
    args: tuple[Any, ...] = ()
    query: str = ""
    good_status: int = 302


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
    "conversations:upload": "One row a file, each stored or refused for itself: tests/conversations/test_ingest.py.",
    "licensing:service_limits_preview": "Shows figures for what was typed and stores nothing.",
    "pairing_wire:ping": "No person: the pairing server asks, and only when it was last seen is noted.",
    "pairing_wire:queues": "No person: what the pairing server changes has its rows in tests/queues/replication.",
    "tenants:add": "Steps 1 and 2 store nothing; the last is the service behind create_tenant.",
}

# --- Queues ---

QUEUE = {"name": "New", "enabled": "on", "scope": "global", "record_type": "call", "events": ["call.created"]}


@row("queues:add")
def _(world: World) -> Change:
    return Change(world.root, QUEUE, {**QUEUE, "events": ["integration_event.created"]})


@row("queues:edit")
def _(world: World) -> Change:
    return Change(world.root, {**QUEUE, "version": 1}, {**QUEUE, "version": 7}, (world.queue.pk,))


@row("queues:bulk")
def _(world: World) -> Change:
    more = ProcessingQueue.objects.create(name="More", events=["call.created"])
    return Change(
        world.root,
        {"action": "disable", "selection": [world.queue.pk, more.pk]},
        {"action": "nonsense", "selection": [world.queue.pk]},
    )


@row("queues:purge")
def _(world: World) -> Change:
    return Change(world.root, {"confirm_name": "Calls"}, {"confirm_name": "calls"}, (world.queue.pk,))


@row("queues:keep")
def _(world: World) -> Change:
    QueuePurge.objects.create(
        queue=world.queue, until=1, total=10, actor="test", audit_tenant=world.system, asked_at=timezone.now()
    )
    return Change(world.root, args=(world.queue.pk,))


@row("queues:pause")
def _(world: World) -> Change:
    return Change(world.root, args=(world.queue.pk,))


@row("queues:resume")
def _(world: World) -> Change:
    ProcessingQueue.objects.filter(pk=world.queue.pk).update(paused=True)
    return Change(world.root, args=(world.queue.pk,))


@row("queues:enable")
def _(world: World) -> Change:
    ProcessingQueue.objects.filter(pk=world.queue.pk).update(enabled=False)
    return Change(world.root, args=(world.queue.pk,))


@row("queues:drain")
def _(world: World) -> Change:
    return Change(world.root, args=(world.queue.pk,))


@row("dead_letters:bulk")
def _(world: World) -> Change:
    record = world.record("failed")
    good = {"action": "requeue", "selection": [record.pk], "confirmed": "1"}
    return Change(world.root, good, {**good, "action": "nonsense"}, (world.queue.pk,))


# --- Replication ---


@row("pairing:edit")
def _(world: World) -> Change:
    good = {"own_name": "Home", "address": "https://93.184.216.34", "version": 0}
    good["public_key"] = "ed25519:a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
    return Change(world.root, good, {**good, "public_key": "ed25519:AAAA"})


@row("pairing:confirm")
def _(world: World) -> Change:
    world.pairing(confirmed_at=None)
    return Change(world.root, {"version": 1, "same": "on"}, {"version": 2, "same": "on"})


@row("pairing:test")
def _(world: World) -> Change:
    world.pairing()
    return Change(world.root)


@row("pairing:try_now")
def _(world: World) -> Change:
    world.pairing()
    return Change(world.root)


@row("pairing:unpair")
def _(world: World) -> Change:
    world.pairing()
    return Change(world.root)


@row("queues:detach")
def _(world: World) -> Change:
    world.conflict()
    QueueCopy.objects.update(queue=world.queue, state="attached")
    return Change(world.root, args=(world.queue.pk,))


@row("pairing:take")
def _(world: World) -> Change:
    return Change(world.root, args=(world.conflict().pk,))


@row("pairing:keep")
def _(world: World) -> Change:
    return Change(world.root, args=(world.conflict().pk,))


@row("pairing:rename")
def _(world: World) -> Change:
    return Change(world.root, {"name": "Free"}, {"name": "calls"}, args=(world.conflict().pk,))


@row("pairing:conflicts_bulk")
def _(world: World) -> Change:
    good = {"action": "keep", "selection": [world.conflict().pk], "confirmed": "1"}
    return Change(world.root, good, {**good, "action": "nonsense"})


@row("pairing:conflicts_bulk / take")
def _(world: World) -> Change:
    return Change(world.root, {"action": "take", "selection": [world.conflict().pk], "confirmed": "1"})


@row("queues:delete")
def _(world: World) -> Change:
    return Change(world.root, {"confirm_name": "Calls"}, {"confirm_name": "calls"}, (world.queue.pk,))


# --- Engines ---

ENGINE = {
    "engine_type": "native_v2",
    "name": "Speech",
    "enabled": "on",
    "visibility": "global",
    "server_address": "https://93.184.216.34:8443",
    "ssl_verify": "on",
    "punctuate": "on",
    "request_timeout_s": "60",
    "concurrency": "4",
}


@row("transcription:add")
def _(world: World) -> Change:
    return Change(world.root, ENGINE, {**ENGINE, "concurrency": "0"})


@row("transcription:add / save and test")
def _(world: World) -> Change:
    return Change(world.root, {**ENGINE, "action": "save_and_test"}, {**ENGINE, "name": ""})


@row("transcription:engine")
def _(world: World) -> Change:
    return Change(world.root, {**ENGINE, "version": 1}, {**ENGINE, "version": 9}, (world.engine.pk,))


@row("transcription:delete")
def _(world: World) -> Change:
    return Change(world.root, {"confirm_name": "Native"}, {"confirm_name": "x"}, (world.engine.pk,))


@row("transcription:resume")
def _(world: World) -> Change:
    SpeechEngine.objects.filter(pk=world.engine.pk).update(paused_at=timezone.now(), pause_reason="wrong token")
    return Change(world.root, args=(world.engine.pk,))


@row("transcription:try")
def _(world: World) -> Change:
    failing_circuit(circuit_key(world.engine))
    return Change(world.root, args=(world.engine.pk,))


@row("transcription:trust")
def _(world: World) -> Change:
    failing_circuit(circuit_key(world.engine))
    return Change(world.root, args=(world.engine.pk,))


@row("transcription:bulk")
def _(world: World) -> Change:
    good = {"action": "disable", "selection": [world.engine.pk], "confirmed": "1"}
    return Change(world.root, good, {**good, "action": "nonsense"})


@row("transcription:bulk / test")
def _(world: World) -> Change:
    return Change(world.root, {"action": "test", "selection": [world.engine.pk], "confirmed": "1"})


@row("transcription:test_start")
def _(world: World) -> Change:
    return Change(world.root, args=(world.engine.pk,))


# --- Jobs ---


def job_form(world: World, **changes: Any) -> dict[str, Any]:
    """What the job form posts."""
    return pages.job_form(world.queue, world.engine, **changes)


@row("jobs:add")
def _(world: World) -> Change:
    return Change(world.root, job_form(world), job_form(world, engine=""))


@row("jobs:add / save and start")
def _(world: World) -> Change:
    return Change(world.root, job_form(world, action="save_and_start"), job_form(world, name=""))


@row("jobs:edit")
def _(world: World) -> Change:
    return Change(world.root, job_form(world, version=1), job_form(world, version=5), (world.job.pk,))


@row("jobs:delete")
def _(world: World) -> Change:
    return Change(world.root, {"confirm_name": "Transcribe"}, {"confirm_name": "no"}, (world.job.pk,))


@row("jobs:start")
def _(world: World) -> Change:
    return Change(world.root, args=(world.job.pk,))


@row("jobs:pause")
def _(world: World) -> Change:
    return Change(world.root, args=(world.job.pk,))


@row("jobs:start / after a pause")
def _(world: World) -> Change:
    JobDefinition.objects.filter(pk=world.job.pk).update(paused_at=timezone.now())
    return Change(world.root, args=(world.job.pk,))


@row("jobs:clone")
def _(world: World) -> Change:
    return Change(world.root, {"name": "Twin"}, {"name": "Transcribe"}, (world.job.pk,))


@row("jobs:jobs_bulk")
def _(world: World) -> Change:
    good = {"action": "pause", "selection": [world.job.pk], "confirmed": "1"}
    return Change(world.root, good, {**good, "action": "nonsense"})


@row("jobs:stop")
def _(world: World) -> Change:
    return Change(world.root, args=(world.job.pk,))


@row("jobs:enable")
def _(world: World) -> Change:
    JobDefinition.objects.filter(pk=world.job.pk).update(enabled=False)
    return Change(world.root, args=(world.job.pk,))


@row("jobs:backfill")
def _(world: World) -> Change:
    good = pages.backfill_form(world.engine)
    estimate(world.root.post(reverse("jobs:backfill"), {**good, "action": "preview"}).context["estimate_key"])
    return Change(world.root, good, {**good, "first_day": "2027-01-01"})


@row("jobs:token")
def _(world: World) -> Change:
    token = token_of(Continuation.objects.get(job=world.sweeping_job))
    return Change(world.root, {"token": token}, {"token": token[:-20]}, (world.sweeping_job.pk,))


@row("jobs:token_reset")
def _(world: World) -> Change:
    return Change(world.root, args=(world.sweeping_job.pk,))


@row("jobs:records_bulk / export")
def _(world: World) -> Change:
    good = {"action": "export", "selection": [world.record().pk]}
    return Change(world.root, good, {"action": ""}, (world.job.pk,), good_status=200)


def preview(world: World, number: int = 1) -> BulkAction:
    """A bulk action that waits for its start."""
    ticked = [world.record().pk for _n in range(number)]
    chosen = Chosen("records", world.job.pk, ticked=ticked)
    root = world.people.platform_admin
    return preview_action(action="retry", chosen=chosen, user=root, actor=root.actor, audit_tenant=world.system)


@row("jobs:bulk_start")
def _(world: World) -> Change:
    return Change(world.root, args=(preview(world, 2).pk,))


@row("jobs:bulk_start / in the background")
def _(world: World) -> Change:
    return Change(world.root, args=(preview(world, IMMEDIATE + 1).pk,), good={"reason": "why not"})


@row("jobs:bulk_abort")
def _(world: World) -> Change:
    return Change(world.root, args=(preview(world).pk,))


@row("jobs:logs_bulk")
def _(world: World) -> Change:
    entry = LogEntry.objects.create(job=world.job, at=timezone.now(), severity="error", message="m")
    good = {"action": "delete", "selection": [entry.pk], "confirmed": "1"}
    return Change(world.root, good, {"action": "nonsense"}, (world.job.pk,))


@row("jobs:record_retry")
def _(world: World) -> Change:
    return Change(world.root, args=(world.job.pk, world.record().pk))


@row("jobs:record_abort")
def _(world: World) -> Change:
    return Change(world.root, args=(world.job.pk, world.record("in_progress").pk))


# --- Addresses ---


@row("tenants:allowed_address_add")
def _(world: World) -> Change:
    good = {"cidr": "10.1.2.3/32", "port": 8600, "note": ""}
    return Change(world.root, good, {**good, "cidr": "169.254.169.254/32"})


@row("tenants:allowed_addresses_bulk")
def _(world: World) -> Change:
    made = [AllowedAddress.objects.create(cidr="10.1.2.3", prefix_length=32, port=port) for port in (80, 8600)]
    good = {"action": "delete", "selection": [address.pk for address in made], "confirmed": "1"}
    return Change(world.root, good, {**good, "action": "nonsense"})


@row("tenants:allowed_address_delete")
def _(world: World) -> Change:
    listed = AllowedAddress.objects.create(cidr="10.1.2.3", prefix_length=32, port=8600)
    return Change(world.root, args=(listed.pk,))


# --- Tenants ---


@row("tenants:tenant")
def _(world: World) -> Change:
    good = {"name": "Acme Ltd", "time_zone": "Europe/London", "language": "en-gb", "version": world.acme.version}
    return Change(world.root, good, {**good, "name": ""}, (world.acme.pk,))


@row("tenants:retention")
def _(world: World) -> Change:
    good = {"audio_days": "90", "job_history_days": "30", "version": world.acme.version}
    return Change(world.root, good, {**good, "audio_days": "-1"}, (world.acme.pk,))


@row("tenants:suspend")
def _(world: World) -> Change:
    return Change(world.root, args=(world.acme.pk,))


@row("tenants:resume")
def _(world: World) -> Change:
    return Change(world.root, args=(world.in_state("suspended").pk,))


@row("tenants:close")
def _(world: World) -> Change:
    tenant = world.in_state("suspended")
    return Change(world.root, {"confirm_name": tenant.name}, {"confirm_name": "no"}, (tenant.pk,))


@row("tenants:deletion")
def _(world: World) -> Change:
    return Change(world.root, {"reason": "Contract ended"}, {"reason": " "}, (world.in_state("closed").pk,))


def asked(world: World) -> Tenant:
    """A closed tenant whose deletion somebody else has asked for."""
    tenant = world.in_state("closed")
    DeletionRequest.objects.create(
        tenant=tenant, reason="Contract ended", requested_by_id=uuid.uuid4(), requested_by="rita@system"
    )
    return tenant


@row("tenants:deletion_confirm")
def _(world: World) -> Change:
    tenant = asked(world)
    return Change(world.root, {"confirm_name": tenant.name}, {"confirm_name": "no"}, (tenant.pk,))


@row("tenants:deletion_cancel")
def _(world: World) -> Change:
    return Change(world.root, args=(asked(world).pk,))


@row("tenants:leave_view")
def _(world: World) -> Change:
    world.root.post(reverse("tenants:view_as", args=[world.acme.pk]), {"reason": "Ticket 17"})
    return Change(world.root)


@row("tenants:view_as")
def _(world: World) -> Change:
    return Change(world.root, {"reason": "Ticket 17"}, {"reason": ""}, (world.acme.pk,))


@row("tenants:group_add")
def _(world: World) -> Change:
    return Change(world.root, {"name": "Gold", "tenants": [world.acme.pk]}, {"name": ""})


@row("tenants:group")
def _(world: World) -> Change:
    group = TenantGroup.objects.create(name="Gold")
    return Change(
        world.root,
        {"name": "Silver", "tenants": [world.acme.pk], "version": 1},
        {"name": "", "version": 1},
        (group.pk,),
    )


@row("tenants:group_delete")
def _(world: World) -> Change:
    return Change(world.root, args=(TenantGroup.objects.create(name="Gold").pk,))


# --- Roles ---


def own_role(world: World) -> Role:
    """A role of acme."""
    return Role.objects.create(tenant=world.acme, name="Own", scope="user", granted=["home.view"])


@row("accounts:role_add")
def _(world: World) -> Change:
    good = {"name": "New role", "scope": "user", "granted": ["home.view"]}
    return Change(world.ada, good, {**good, "name": ""})


@row("accounts:role")
def _(world: World) -> Change:
    good = {"name": "Renamed", "scope": "user", "granted": ["home.view"], "version": 1}
    return Change(world.ada, good, {**good, "name": ""}, (own_role(world).pk,))


@row("accounts:role_clone")
def _(world: World) -> Change:
    supervisor = Role.objects.get(key="supervisor")
    return Change(world.ada, {"name": "My supervisor"}, {"name": ""}, (supervisor.pk,))


@row("accounts:role_delete")
def _(world: World) -> Change:
    return Change(world.ada, args=(own_role(world).pk,))


@row("accounts:sign_out")
def _(world: World) -> Change:
    return Change(world.root)


# --- Profile and sign-in ---


def recently_signed_in(world: World) -> Client:
    """The platform admin, whose password was asked a moment ago."""
    return confirmed(world.root)


def a_session_of(user: User) -> UserSession:
    """A session of somebody."""
    now = timezone.now()
    return UserSession.objects.create(user=user, session_key=uuid.uuid4().hex, seen_at=now, ends_at=now)


@row("accounts:profile")
def _(world: World) -> Change:
    good = {"full_name": "Rita Root", "time_zone": "Asia/Tokyo", "language": "", "version": 1}
    return Change(world.root, good, {**good, "time_zone": "Mars"})


@row("accounts:password")
def _(world: World) -> Change:
    new = "another long pass phrase"
    good = {"current": PASSWORD, "new": new, "repeat": new}
    return Change(world.root, good, {**good, "repeat": "not the same pass phrase"})


@row("accounts:authenticator")
def _(world: World) -> Change:
    secret = factor_services.begin_totp(user=world.people.platform_admin)
    return Change(recently_signed_in(world), {"code": code_of(secret)}, {"code": "x"}, good_status=200)


@row("accounts:passkey_add")
def _(world: World) -> Change:
    # A challenge is good for one answer, so a refused answer has nothing to be posted with.
    client = recently_signed_in(world)
    options = client.get(reverse("accounts:passkey_add")).context["passkey_options"]
    answer = SoftAuthenticator("http://testserver", "testserver").create(options)
    return Change(client, {"name": "Key", "credential": answer}, good_status=200)


@row("accounts:factor_remove")
def _(world: World) -> Change:
    with_authenticator(world.people.platform_admin)
    factor = factor_services.of(world.people.platform_admin).get()
    return Change(recently_signed_in(world), args=(factor.pk,))


@row("accounts:recovery_codes")
def _(world: World) -> Change:
    with_authenticator(world.people.platform_admin)
    return Change(recently_signed_in(world), good_status=200)


@row("accounts:session_end")
def _(world: World) -> Change:
    return Change(world.root, args=(a_session_of(world.people.platform_admin).pk,))


@row("accounts:sessions_end_others")
def _(world: World) -> Change:
    a_session_of(world.people.platform_admin)
    return Change(world.root)


@row("accounts:tenant_sign_in")
def _(world: World) -> Change:
    good = {"version": 0, "require_second_factor": "on", "oidc_match": "email"}
    return Change(recently_signed_in(world), good, {**good, "oidc_enabled": "on"}, (world.acme.pk,))


@row("accounts:user_reset_second_factor")
def _(world: World) -> Change:
    with_authenticator(world.people.agent)
    return Change(recently_signed_in(world), args=(world.people.agent.pk,))


@row("accounts:user_end_sessions")
def _(world: World) -> Change:
    a_session_of(world.people.agent)
    return Change(recently_signed_in(world), args=(world.people.agent.pk,))


def alert_rule(**changes: Any) -> AlertRule:
    """A rule that nobody has touched."""
    return AlertRule.objects.create(name="Watch", measure="lag", threshold=60, **changes)


RULE = {"name": "New rule", "measure": "lag", "threshold": "60", "minutes": "5", "enabled": "on"}


@row("alerts:add")
def _(world: World) -> Change:
    return Change(world.root, RULE, {**RULE, "threshold": "-1"})


@row("alerts:edit")
def _(world: World) -> Change:
    return Change(world.root, {**RULE, "version": 1}, {**RULE, "version": 7}, (alert_rule().pk,))


@row("alerts:delete")
def _(world: World) -> Change:
    return Change(world.root, args=(alert_rule().pk,))


@row("alerts:bulk")
def _(world: World) -> Change:
    good = {"action": "disable", "selection": [alert_rule().pk]}
    return Change(world.root, good, {**good, "action": "nonsense"})


@row("alerts:snooze")
def _(world: World) -> Change:
    return Change(world.root, {"hours": "8"}, {"hours": "100000"}, (alert_rule().pk,))


@row("alerts:test")
def _(world: World) -> Change:
    return Change(world.root, args=(alert_rule(recipients=["ops@parlance.example"]).pk,))


@row("workers:stop")
def _(world: World) -> Change:
    return Change(world.root, args=(pages.make_worker().pk,))


@row("workers:bulk")
def _(world: World) -> Change:
    good = {"action": "stop", "selection": [str(pages.make_worker().pk)], "confirmed": "1"}
    return Change(world.root, good, {**good, "action": "nonsense"})


# --- Users, licences, seats ---


def person(user: User | None = None, **changes: Any) -> dict[str, Any]:
    """What the form of a user posts."""
    values = {"username": "nora", "is_active": "on", "role": Role.objects.get(key="agent").pk, "version": 1}
    if user is not None:
        values |= {"username": user.username, "full_name": user.full_name, "group": user.group, "role": user.role_id}
    return {**values, **changes}


@row("licensing:user_add")
def _(world: World) -> Change:
    good = person(password=PASSWORD, licences=["speech_analytics"])
    return Change(world.ada, good, {**good, "username": "not a name"})


@row("licensing:user_edit")
def _(world: World) -> Change:
    agent = world.people.agent
    good = person(agent, full_name="New", licences=["call_recording"], version=agent.version)
    return Change(world.ada, good, {**good, "version": 99}, (agent.pk,))


@row("licensing:user_password")
def _(world: World) -> Change:
    good, bad = {"password": PASSWORD + "!"}, {"password": "short"}
    return Change(confirmed(world.ada), good, bad, (world.people.agent.pk,))


@row("licensing:users_bulk")
def _(world: World) -> Change:
    good = {"action": "licence_add", "licence": "speech_analytics", "confirmed": "1"}
    return Change(world.ada, good, {"action": "nonsense"})


@row("licensing:user_import")
def _(world: World) -> Change:
    data = b"username,full_name\nalan,Alan Again\n"
    good = {"file": SimpleUploadedFile("users.csv", data), "do": "apply", "expected": hashlib.sha256(data).hexdigest()}
    bad = {"file": SimpleUploadedFile("users.csv", b"wrong\n1\n"), "do": "apply"}
    return Change(world.ada, good, bad)


@row("licensing:service_limits")
def _(world: World) -> Change:
    rules = {"policy": "drop", "per_user": "pool", "month_zone": "tenant", "version": "1"}
    good = {"user_month": "", "user_lifetime": "", "org_month": "15000", "org_lifetime": "", **rules}
    return Change(world.root, good, {**good, "org_month": "-1"}, (world.acme.pk,))


@row("licensing:licence_limits")
def _(world: World) -> Change:
    return Change(world.root, {"speech_analytics": "50"}, {"speech_analytics": "-1"}, (world.acme.pk,))


@row("licensing:tenants_bulk")
def _(world: World) -> Change:
    good = {"action": "suspend", "selection": [str(world.acme.pk)], "confirmed": "1"}
    return Change(world.root, good, {"action": "nonsense"})
