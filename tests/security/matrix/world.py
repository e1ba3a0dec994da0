"""Twin tenants full of canaries, one object of every kind and relation, and a signed-in client for every principal."""

import hashlib
import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import Role, User
from accounts.permissions import ALL_CODES
from accounts.realms.keys import signing_key
from accounts.realms.models import RealmSession, RealmSetting, TrustedIssuer
from accounts.security_models import SecondFactor, UserSession
from aiassistant.executing.models import Execution
from aiassistant.library.models import AITask, AITaskVersion, TaskLabel, TaskPolicy
from aiassistant.models import AIEngine, AIEngineTest, Budget, DefaultEngine, EnginePrice
from aiassistant.playground.models import PlaygroundRun
from alerts.models import AlertRule
from conversations.audio import save_recording, storage_key
from conversations.bulk.choosing import Choice, keep
from conversations.models import Call, Recording
from core.ids import uuid7
from customfields.models import CustomField
from jobs.bulk_actions.models import BulkAction
from jobs.models import Continuation, JobDefinition, LogEntry, Record, Run
from miaop.models import Task
from queues.models import ProcessingQueue
from queues.replication.models import Pairing, QueueCopy, ReplicationConflict
from tenants import viewing
from tenants.doors import enter
from tenants.keys import data_key
from tenants.models import AllowedAddress, Tenant, TenantGroup
from tests.conversations.calls import START, transcribed
from tests.conversations.threads import stored_thread
from tests.jobs.pages import make_worker
from transcription.languages.models import Language
from transcription.models import EngineTest, SpeechEngine, SpeechPrice

# In every text of globex; what is in the calls may not even be seen by platform staff.
FOREIGN, FOREIGN_CALL = "canary-globex", "canary-globex-call"
# Words of acme's transcripts, and of its confidential call.
WORDS, SECRET = "canarywords", "canary-confidential"
BACKEND = "accounts.backends.TenantUserBackend"
LOOKING = ["calls.own.view", "calls.others.view"]
READING = [*LOOKING, "call_attributes.transcript.view"]
PLAYING = [*LOOKING, "calls.own.playback", "calls.others.playback"]
LOOKING_ONLY = sorted(code for code in ALL_CODES if code.endswith(".view"))
DOWNLOADING = ["calls.own.download", "calls.others.download"]


@dataclass
class World:
    """Clients by principal (their letter), and ids by kind and relation."""

    acme: Tenant
    globex: Tenant
    clients: dict[str, Client] = field(default_factory=dict)
    ids: dict[str, dict[str, Any]] = field(default_factory=dict)
    checksum: Callable[[], str] = str
    untouched: str = ""

    def first(self, kind: str) -> Any:
        """The first object of a kind: one of acme's, or the only one."""
        return next(iter(self.ids[kind].values()))


def build(folder: Path) -> World:
    """Make the world inside the test's transaction."""
    acme, globex, system = (Tenant.objects.get(slug=slug) for slug in ("acme", "globex", "system"))
    Tenant.objects.filter(pk=globex.pk).update(name=f"{FOREIGN}-name", contact_name=f"{FOREIGN}-contact")
    world = World(acme, globex)
    group = TenantGroup.objects.create(name="Group of acme")
    group.tenants.add(acme)
    _clients(world, acme, system, group)
    _calls(world, folder)
    _people(world)
    _pipeline(world, group)
    _audit(world)
    _fields(world)
    _tasks(world)
    _tries(world)
    world.ids["tenant"] = {"own": acme.pk, "foreign": globex.pk, "unknown": uuid.uuid4()}
    world.ids["tenant group"] = {"there": group.pk, "unknown": 2**40}
    world.checksum = _checksum_of(globex)
    world.untouched = world.checksum()
    return world


def _user(tenant: Tenant, name: str, role: Role | str, **fields: Any) -> User:
    if isinstance(role, str):
        role = Role.objects.get(key=role)
    return User.objects.create(tenant=tenant, username=name, username_key=name, role=role, **fields)


def _role(tenant: Tenant, name: str, codes: list[str], scope: str = "system") -> Role:
    return Role.objects.create(tenant=tenant, name=name, platform=tenant.is_system, scope=scope, granted=sorted(codes))


def _clients(world: World, acme: Tenant, system: Tenant, group: TenantGroup) -> None:
    named = {name: User.objects.get(username=name) for name in ("alan", "sue", "ada", "root")}
    regional = _user(system, "regional", _role(system, "Regional", sorted(ALL_CODES), "managed_groups"))
    regional.managed_tenant_groups.add(group)
    closed = Tenant.objects.create(slug="closed", name="Closed", state=Tenant.State.SUSPENDED)
    people = {
        "A": named["alan"],
        "S": named["sue"],
        "T": named["ada"],
        "U": _user(acme, "aurelia", "auditor"),
        "I": _user(acme, "ivan", "integrator"),
        "L": _user(acme, "lola", _role(acme, "Looker", READING)),
        "N": _user(acme, "noel", _role(acme, "Listener", PLAYING)),
        "C": _user(acme, "cleo", _role(acme, "Cleared", [*READING, *PLAYING, *DOWNLOADING, "calls.confidential.view"])),
        "X": _user(acme, "xeno", _role(acme, "Bare", ["home.view"])),
        "Y": _user(acme, "yuri", _role(acme, "Role reader", ["home.view", "roles.view", "sign_in.edit"])),
        "Z": _user(acme, "zoe", _role(acme, "User reader", ["home.view", "users.view"])),
        "P": named["root"],
        "R": regional,
        "V": _user(system, "vera", "platform_admin"),
        "W": _user(system, "walt", _role(system, "Platform looker", LOOKING_ONLY)),
        "1": _user(acme, "sally", "tenant_admin"),
        "2": _user(closed, "theo", "tenant_admin"),
    }
    world.clients = {letter: _client(user) for letter, user in people.items()} | {
        "0": Client(raise_request_exception=False)
    }
    User.objects.filter(pk=people["1"].pk).update(is_active=False)
    session = world.clients["V"].session
    viewing.begin(session=session, user=people["V"], tenant=acme, reason="matrix")
    session.save()


def _client(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user, backend=BACKEND)
    return client


def _calls(world: World, folder: Path) -> None:
    alan, olga, stan = (User.objects.get(username=name) for name in ("alan", "olga", "stan"))
    with enter(world.acme):
        ids = {
            "agent's": _call(world.acme, "call-a", alan, folder),
            "other's": _call(world.acme, "call-o", olga, folder),
            "confidential": _call(world.acme, SECRET, alan, folder, confidential=True),
        }
    with enter(world.globex):
        ids["foreign"] = _call(world.globex, FOREIGN_CALL, stan, folder)
    world.ids["call"] = {**ids, "unknown": uuid7()}
    _threads(world)
    _offline_tasks(world)


def _offline_tasks(world: World) -> None:
    """Offline tasks without files."""

    def task(name: str, user: str, **columns: Any) -> uuid.UUID:
        sender = User.objects.get(username=user)
        made = Task.objects.create(
            task_id=name,
            name=name,
            digest="0" * 64,
            members={},
            base_languages=["English"],
            submitted_by=sender,
            **columns,
        )
        return made.pk

    with enter(world.acme):
        ids = {"supervisor's": task("task-s", "sue"), "other's": task("task-o", "ada")}
    with enter(world.globex):
        ids["foreign"] = task(FOREIGN_CALL, "stan", supervisor_name=FOREIGN_CALL)
    world.ids["offline task"] = {**ids, "unknown": uuid7()}


def _threads(world: World) -> None:
    """Chats with the words of the calls, in the same relations."""
    with enter(world.acme):
        ids = {
            "agent's": _thread(world.acme, "thread-a", "alan", WORDS),
            "other's": _thread(world.acme, "thread-o", "olga", WORDS),
            "confidential": _thread(world.acme, "thread-c", "alan", SECRET, confidential=True),
        }
    with enter(world.globex):
        ids["foreign"] = _thread(world.globex, "thread-f", "stan", FOREIGN_CALL)
    world.ids["thread"] = {**ids, "unknown": uuid7()}


def _thread(tenant: Tenant, name: str, username: str, canary: str, **fields: Any) -> uuid.UUID:
    """The canary is in all that is written; the audit trail may show the external id."""
    writer = {"id": "c", "role": "customer", "name": "" if canary == WORDS else f"{canary}-from"}
    return stored_thread(
        tenant, name, f"{canary} {name}", subject=canary, participants=[writer], username=username, **fields
    ).pk


def _call(tenant: Tenant, name: str, user: User, folder: Path, *, confidential: bool = False) -> uuid.UUID:
    texts = {"from_name": f"{name}-from", "to_name": f"{name}-to", "queue_name": f"{name}-queue", "tags": [name]}
    call = Call.objects.create(
        external_id=name,
        started_at=START,
        duration_ms=3000,
        user=user,
        group=user.group,
        confidential=confidential,
        **texts,
    )
    path = folder / f"{call.pk}.ogg"
    path.write_bytes(f"audio of {name}".encode())
    recording = Recording(pk=uuid7(), call=call, sha256=hashlib.sha256(name.encode()).hexdigest(), label=f"{name}.ogg")
    recording.storage_key = storage_key(tenant.pk, recording.pk)
    recording.mime, recording.channels, recording.duration_ms = "audio/ogg", 1, 3000
    recording.bytes_plain = save_recording(path, recording.storage_key, data_key(tenant))
    recording.save(force_insert=True)
    transcribed(tenant, call, f"{FOREIGN_CALL} words" if user.tenant.slug == "globex" else f"{WORDS} {name}")
    return call.pk


def _fields(world: World) -> None:
    names = {"own": world.acme, "of all": None, "foreign": world.globex}
    world.ids["custom field"] = {
        name: CustomField.objects.create(
            tenant=tenant, type="text", key=name.replace(" ", "_"), name=FOREIGN if name == "foreign" else name
        ).pk
        for name, tenant in names.items()
    } | {"unknown": 2**40}


def _tasks(world: World) -> None:
    TaskPolicy.objects.create(tenant=world.acme, own_tasks=True)
    world.ids["ai task"] = {
        name: _task(name.replace(" ", "_"), FOREIGN if name == "foreign" else name, tenant)
        for name, tenant in {"of all": None, "own": world.acme, "foreign": world.globex}.items()
    } | {"unknown": 2**40}


def _tries(world: World) -> None:
    task = AITask.objects.get(pk=world.ids["ai task"]["of all"])
    world.ids["playground run"] = {
        name: PlaygroundRun.objects.create(task=task, tenant=tenant, content={}, newest=1).pk
        for name, tenant in {"own": world.acme, "foreign": world.globex}.items()
    } | {"unknown": uuid.uuid4()}


def _task(key: str, title: str, tenant: Tenant | None) -> int:
    task = AITask.objects.create(key=key, title=title, tenant=tenant)
    asked = {"system_template": title, "user_template": title, "overflow": "fail", "overwrite": "always"}
    version = AITaskVersion.objects.create(task=task, number=1, author=title, **asked)
    TaskLabel.objects.create(task=task, name="production", points_to=version)
    return task.pk


def _people(world: World) -> None:
    codes = ["home.view", "calls.own.view"]
    _user(world.globex, "gus", "agent")
    theirs = _role(world.globex, f"{FOREIGN}-role", codes)
    User.objects.filter(tenant=world.globex).update(full_name=f"{FOREIGN}-person", email=f"{FOREIGN}@example.com")
    world.ids["role"] = {
        "own": _role(world.acme, "Own role", codes, "user").pk,
        "built in": Role.objects.get(key="agent").pk,
        "foreign": theirs.pk,
        "unknown": 2**40,
    }
    stranger, olga = User.objects.get(username="stan"), User.objects.get(username="olga")
    later = timezone.now() + timedelta(hours=1)
    session = UserSession.objects.create(user=olga, session_key="olga", seen_at=later, ends_at=later)
    factor = SecondFactor.objects.create(user=olga, kind=SecondFactor.Kind.TOTP, name="Phone", secret=b"-")
    world.ids["session"] = {"another's": session.pk, "unknown": 2**40}
    world.ids["factor"] = {"another's": factor.pk, "unknown": 2**40}
    _realm(world, olga, stranger)
    world.ids["user"] = {"agent": olga.pk, "foreign": stranger.pk, "unknown": uuid.uuid4()}


def _realm(world: World, olga: User, stranger: User) -> None:
    """Acme offers the offline-task API; sessions of two tenants, and issuers that they trust."""
    RealmSetting.objects.create(tenant=world.acme, enabled=True)
    signing_key(world.acme)
    soon = timezone.now() + timedelta(minutes=30)
    common = {"client": "browser_client", "scope": "email", "seen_at": soon, "ends_at": soon}
    mine, theirs = (
        RealmSession.objects.create(user=user, refresh_id=uuid.uuid4(), **common) for user in (olga, stranger)
    )
    world.ids["api session"] = {"another's": mine.pk, "unknown": uuid.uuid4()}
    for kind in ("session of acme's", "session of the agent"):
        world.ids[kind] = {"own": mine.pk, "foreign": theirs.pk, "unknown": uuid.uuid4()}
    own, foreign = (
        TrustedIssuer.objects.create(tenant=tenant, issuer=f"https://93.184.216.34/{name}")
        for tenant, name in ((world.acme, "own"), (world.globex, FOREIGN))
    )
    world.ids["trusted issuer"] = {"own": own.pk, "foreign": foreign.pk, "unknown": 2**40}


def _job_with_token(engine: SpeechEngine) -> JobDefinition:
    job = JobDefinition.objects.create(
        name="Sweep", kind="transcription", data_source="token", schedule="manual", settings={"engine": engine.pk}
    )
    Continuation.objects.create(job=job)
    return job


def _pipeline(world: World, group: TenantGroup) -> None:
    now, count = timezone.now(), itertools.count(1)
    queue = ProcessingQueue.objects.create(name="Queue", events=["call.recording_finished"])
    engine = SpeechEngine.objects.create(
        name="Engine", engine_type="native_v2", settings={"server_address": "http://127.0.0.1:1"}
    )
    test = EngineTest.objects.create(engine=engine)
    ai_engine = AIEngine.objects.create(
        name="AI", engine_type="openai", settings={"base_url": "http://127.0.0.1:1/v1", "model": "gpt-test"}
    )
    ai_price = EnginePrice.objects.create(
        engine=ai_engine, valid_from="2126-01-01", currency="EUR", input=1, cached_input=1, output=1
    )
    speech_price = SpeechPrice.objects.create(engine=engine, valid_from="2126-01-01", currency="EUR", per_minute=1)
    job = JobDefinition.objects.create(
        name="Job", kind="transcription", source_queue=queue, settings={"engine": engine.pk}
    )
    run = Run.objects.create(job=job, number=1, day=now.date(), started_at=now, last_activity_at=now)

    def record(tenant: Tenant, call: uuid.UUID) -> int:
        made = Record.objects.create(
            job=job, tenant=tenant, run=run, record_type="call", record_id=call, next_at=now, created_at=now
        )
        message = f"{FOREIGN}-log" if tenant == world.globex else f"line {next(count)}"
        LogEntry.objects.create(job=job, run=run, record=made, at=now, severity="info", message=message)
        return made.pk

    calls = world.ids["call"]
    root = User.objects.get(username="root")
    bulk = BulkAction.objects.create(
        action="retry",
        source="records",
        source_id=job.pk,
        state="ready",
        user=root,
        actor=f"{FOREIGN}-actor",
        audit_tenant=root.tenant,
    )
    world.ids |= {
        "call action": {"another's": _choice(), "unknown": uuid.uuid4()},
        "bulk action": {"another's": bulk.pk, "unknown": uuid.uuid4()},
        "queue": {
            "of all": queue.pk,
            "of acme's group": _narrow(ProcessingQueue(name="Narrow", events=[]), group),
            "unknown": 2**40,
        },
        "queue conflict": {"there": _conflict(), "unknown": 2**40},
        "engine": {"there": engine.pk, "unknown": 2**40},
        "speech price": {"there": speech_price.pk, "unknown": 2**40},
        "ai engine": {"there": ai_engine.pk, "unknown": 2**40},
        "ai price": {"there": ai_price.pk, "unknown": 2**40},
        "ai default": {"there": DefaultEngine.objects.create(engine=ai_engine).pk, "unknown": 2**40},
        "ai engine test": {"there": AIEngineTest.objects.create(engine=ai_engine).pk, "unknown": uuid.uuid4()},
        "language": {"there": Language.objects.values_list("pk", flat=True).first(), "unknown": 2**40},
        "engine test": {"there": test.pk, "unknown": uuid.uuid4()},
        "job": {
            "of all": job.pk,
            "of acme's group": _narrow(
                JobDefinition(name="Narrow", kind="transcription", settings=job.settings), group
            ),
            "unknown": 2**40,
        },
        "job with a token": {"there": _job_with_token(engine).pk, "unknown": 2**40},
        "worker": {"there": make_worker().pk, "unknown": uuid.uuid4()},
        "record": {
            "own": record(world.acme, calls["agent's"]),
            "foreign": record(world.globex, calls["foreign"]),
            "unknown": 2**40,
        },
        "ai budget": {
            name: Budget.objects.create(name=f"Budget {name}", tenant=tenant, hard=1000, by_platform=name != "own").pk
            for name, tenant in (
                ("own", world.acme),
                ("platform's", world.acme),
                ("foreign", world.globex),
                ("of all", None),
            )
        }
        | {"unknown": 2**40},
        "ai execution": {
            name: Execution.objects.create(
                tenant=tenant,
                record_type="call",
                record_id=calls["agent's" if name == "own" else "foreign"],
                task_key="summary",
                task_label="Summary" if name == "own" else f"{FOREIGN}-task",
                task_version=1,
                state="completed",
                started_at=now,
                ended_at=now,
            ).pk
            for name, tenant in (("own", world.acme), ("foreign", world.globex))
        }
        | {"unknown": uuid.uuid4()},
        "alert rule": {
            name: AlertRule.objects.create(name=name, measure="lag", threshold=1, tenant=tenant).pk
            for name, tenant in (("own", world.acme), ("foreign", world.globex), ("common", None))
        }
        | {"unknown": 2**40},
        "address": {
            "there": AllowedAddress.objects.create(cidr="10.1.2.0", prefix_length=24, port=443).pk,
            "unknown": 2**40,
        },
    }


def _choice() -> str:
    """Olga has chosen calls."""
    olga = User.objects.get(username="olga")
    choice = Choice(str(uuid.uuid4()), "tag", str(olga.pk), str(olga.tenant_id), [], True, [], False)
    keep(choice)
    return choice.id


def _narrow(row: ProcessingQueue | JobDefinition, group: TenantGroup) -> int:
    """A queue or job that serves the group alone."""
    setattr(row, "scope" if isinstance(row, ProcessingQueue) else "access_scope", "tenant_groups")
    row.save()
    row.tenant_groups.add(group)
    return row.pk


def _conflict() -> int:
    """A pairing server, and something from it that does not fit here."""
    now, key = timezone.now(), b"k" * 32
    # Refused by the outbound guard at once: nothing is sent.
    pairing = Pairing.objects.create(address="https://127.0.0.1:1", public_key=key, confirmed_at=now)
    copy = QueueCopy.objects.create(
        origin=pairing.identity, origin_queue=1, origin_name="Other", seen_version=1, received_at=now
    )
    theirs = {"name": "Theirs", "enabled": True, "scope": "one_tenant", "tenant": "nobody", "tenant_groups": []}
    theirs |= {"record_type": "call", "events": ["call.created"]}
    made = ReplicationConflict.objects.create(
        copy=copy, kind="saved", version=1, name="Theirs", reason="unknown_tenant", theirs=theirs
    )
    return made.pk


def _audit(world: World) -> None:
    from audit.services import append

    own, foreign = (
        append(tenant_id=tenant.pk, actor=actor, action="user.changed", target_type="user", target_id="-")
        for tenant, actor in ((world.acme, "ada@acme"), (world.globex, f"{FOREIGN}-actor"))
    )
    world.ids["audit entry"] = {"own": own.pk, "foreign": foreign.pk, "unknown": 2**40}


TABLES = """
SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = %s AND table_type = 'BASE TABLE'
UNION ALL
SELECT c.table_schema, c.table_name FROM information_schema.columns c
JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema = 'public' AND c.column_name = 'tenant_id' AND c.data_type = 'uuid' AND t.table_type = 'BASE TABLE'
"""


def _checksum_of(tenant: Tenant) -> Callable[[], str]:
    """A function that digests every row of the tenant: its schema, and its rows of the public tables."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES, [tenant.schema_name])
        tables = cursor.fetchall()
    parts = []
    for schema, table in sorted(tables):
        where = f" WHERE tenant_id = '{tenant.pk}'" if schema == "public" else ""
        parts.append(
            f'(SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), \'\')) FROM "{schema}"."{table}" t{where})'
        )
    own = f"(SELECT md5(t::text) FROM public.tenants_tenant t WHERE id = '{tenant.pk}')"
    statement = "SELECT concat_ws(',', " + ", ".join([*parts, own]) + ")"

    def checksum() -> str:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return str(cursor.fetchone()[0])

    return checksum
