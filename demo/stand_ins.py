"""The demo on the stand-in of a speech vendor: its engine, the demo's job on it, and the demo's calls through it.

Everything goes through the services that a person's click uses: the address is listed, keys are sealed, changes are audited.
Nothing here reaches a real vendor, and nothing of it is left in production: the engine is an ordinary one whose address is
a port of loopback that somebody has to allow.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.db.models import QuerySet
from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import InvalidInput
from demo.services import ACTOR, JOB, bundled_engine, demo_call_ids
from jobs.actions import retry_records
from jobs.models import JobDefinition, Record
from jobs.services import NOT_SET_BY_PEOPLE, save_job
from tenants.models import AllowedAddress
from tenants.selectors import system_tenant
from tenants.services import allow_address, disallow_addresses
from transcription.models import SpeechEngine, Visibility
from transcription.registry import engine_types
from transcription.services import save_engine, set_engines_enabled

# Settings and secrets of an engine.
Values = tuple[dict[str, Any], dict[str, str | None]]
LOOPBACK = "127.0.0.1/32"
# How an address and an engine are known as those of a stand-in; people read these.
NOTE = "Stand-in of a speech vendor on this machine"
STAND_IN, REHEARSAL = "(stand-in)", "(stand-in, rehearsing an outage)"
REQUEST_TIMEOUT_S = 900
ACCOUNT = "devstoreaccount1"


class Facts(BaseModel):
    """What a running stand-in says of itself. Keys are in it: it is read from a file of mode 0600 and never printed."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    engine_type: str
    address: str
    key: str
    storage_key: str = ""
    bucket: str = ""
    realm: str = ""
    user: str = ""
    key_file: str = ""


def read_facts(path: Path) -> Facts:
    """Facts from their file. Raises InvalidInput naming what is wrong with it, and quoting nothing."""
    try:
        facts = Facts.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise InvalidInput(str((first["loc"] or ("facts",))[0]), first["msg"]) from None
    except OSError as error:
        raise InvalidInput("facts", f"The file of the stand-in cannot be read ({error.strerror}).") from None
    if facts.engine_type not in engine_types() or facts.engine_type not in SETTINGS:
        known = ", ".join(sorted(SETTINGS))
        raise InvalidInput("engine_type", f"There is no stand-in for it; there are {known}.")
    if urlsplit(facts.address).hostname != "127.0.0.1" or not urlsplit(facts.address).port:
        raise InvalidInput("address", "A stand-in of the demo is a port of 127.0.0.1.")
    return facts


def _keyed(facts: Facts) -> Values:
    return {"address": facts.address}, {"api_key": facts.key}


def _openai(facts: Facts) -> Values:
    return {"base_url": f"{facts.address}/v1", "model": "whisper-1"}, {"api_key": facts.key}


def _google(facts: Facts) -> Values:
    """v2, whose operations can be deleted; recordings go by way of the bucket."""
    settings = {"api_version": "v2", "model": "long", "bucket": facts.bucket}
    places = {"endpoint": facts.address, "storage_endpoint": facts.address}
    return settings | places, {"credentials": Path(facts.key_file).read_text()}


def _azure(facts: Facts) -> Values:
    """Batch transcription by way of a blob."""
    storage = {"storage_account": ACCOUNT, "storage_container": facts.bucket}
    place = {"endpoint": facts.address, "storage_endpoint": f"{facts.address}/{ACCOUNT}"}
    return {"method": "batch", **storage, **place}, {"api_key": facts.key, "storage_key": facts.storage_key}


def _miaop(facts: Facts) -> Values:
    places = {"identity_address": facts.address, "api_address": facts.address}
    return {**places, "realm": facts.realm, "username": facts.user}, {"password": facts.key}


# Settings and secrets of the engine, by its type.
SETTINGS = {
    "assemblyai": _keyed,
    "azure": _azure,
    "deepgram": _keyed,
    "google": _google,
    "miaop": _miaop,
    "openai": _openai,
    "openai_compatible": _openai,
    "speechmatics": _keyed,
}


def engine_of(facts: Facts, *, rehearsing: bool) -> SpeechEngine:
    """The engine of a stand-in, made or brought up to date; its name says what it is, and whether an outage is rehearsed.

    Its address is listed for engines; those of other stand-ins no longer are. Raises InvalidInput as ``save_engine``.
    """
    system = system_tenant()
    port = int(urlsplit(facts.address).port or 0)
    others = AllowedAddress.objects.filter(note=NOTE).exclude(port=port)
    disallow_addresses(addresses=list(others), actor=ACTOR, audit_tenant=system)
    allow_address(cidr=LOOPBACK, port=port, note=NOTE, actor=ACTOR, audit_tenant=system)
    label = engine_types()[facts.engine_type].label
    name = f"{label} {REHEARSAL if rehearsing else STAND_IN}"
    engine = SpeechEngine.objects.filter(name__in=[f"{label} {STAND_IN}", f"{label} {REHEARSAL}"]).first()
    settings, secrets = SETTINGS[facts.engine_type](facts)
    settings["request_timeout_s"] = REQUEST_TIMEOUT_S
    if engine is None or not _as_wanted(engine, name, settings):
        engine = save_engine(
            engine=engine,
            values={
                "name": name,
                "engine_type": facts.engine_type,
                "enabled": True,
                "visibility": Visibility.GLOBAL,
                "tenant": None,
            },
            settings=settings,
            secrets=secrets,
            actor=ACTOR,
            audit_tenant=system,
        )
    return engine


def _as_wanted(engine: SpeechEngine, name: str, settings: Mapping[str, Any]) -> bool:
    """Whether there is nothing to save; keys are kept as long as the address is the same."""
    stored = {key: engine.settings.get(key) for key in settings}
    return engine.enabled and engine.paused_at is None and engine.name == name and stored == settings


def use_stand_in(facts: Facts, *, rehearsing: bool) -> SpeechEngine:
    """Have the demo's transcription job work with a stand-in. Raises InvalidInput; Conflict when people save meanwhile."""
    engine = engine_of(facts, rehearsing=rehearsing)
    _point_job_to(engine)
    _disable_stand_ins(but=engine.pk)
    return engine


def use_bundled() -> SpeechEngine:
    """Have the demo's job work with the bundled speech server again; engines of stand-ins are disabled and unreachable."""
    engine = bundled_engine()
    _point_job_to(engine)
    _disable_stand_ins(but=engine.pk)
    listed = AllowedAddress.objects.filter(note=NOTE)
    disallow_addresses(addresses=list(listed), actor=ACTOR, audit_tenant=system_tenant())
    return engine


def repeat_calls() -> int:
    """Have the demo's calls transcribed anew; returns how many. Their former transcripts stay as versions."""
    return retry_records(records=demo_records(), actor=ACTOR, audit_tenant=system_tenant(), chosen="demo engine")


def demo_records() -> "QuerySet[Record]":
    """What the demo's job has done with the demo's calls."""
    return Record.objects.filter(job__name=JOB, record_id__in=[pk for ids in demo_call_ids().values() for pk in ids])


def _point_job_to(engine: SpeechEngine) -> None:
    """All else of the job stays as people left it."""
    job = JobDefinition.objects.filter(name=JOB).first()
    if job is None:
        raise InvalidInput("job", f"The demo's job “{JOB}” is gone: load the demo again with ./parlance demo --reset.")
    if job.settings.get("engine") == engine.pk:
        return
    fields = [field.name for field in JobDefinition._meta.concrete_fields if field.name not in NOT_SET_BY_PEOPLE]
    values = {name: getattr(job, name) for name in fields}
    save_job(
        job=job,
        values={**values, "settings": {**job.settings, "engine": engine.pk}},
        tenant_groups=list(job.tenant_groups.all()),
        publish_to=list(job.publish_to.all()),
        actor=ACTOR,
        audit_tenant=system_tenant(),
    )


def _disable_stand_ins(*, but: int) -> None:
    found = SpeechEngine.objects.filter(name__endswith=STAND_IN) | SpeechEngine.objects.filter(name__endswith=REHEARSAL)
    engines = list(found.filter(enabled=True).exclude(pk=but))
    set_engines_enabled(engines=engines, enabled=False, actor=ACTOR, audit_tenant=system_tenant())
