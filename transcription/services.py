"""Changing engines and testing them."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import orjson
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from pydantic import ValidationError

from accounts.models import User
from audit.rivals import whose_change
from audit.services import SECRET, append, changes, grouped
from core.crypto import seal
from core.errors import Conflict, InvalidInput
from core.outbound import AddressRefused
from core.outbound.urls import parse_url
from jobs.circuits.breakers import close_now, forget, probe_now
from jobs.models import JobDefinition
from tenants.keys import data_key
from tenants.models import Tenant
from tenants.selectors import outbound_policy, system_tenant
from transcription.engines.base import EngineOptions
from transcription.models import EngineTest, SpeechEngine, Visibility
from transcription.registry import engine_types
from transcription.selectors import SECRETS_CONTEXT, circuit_key, readable_secrets_of

logger = logging.getLogger(__name__)
TEST_HEARTBEAT_S = 30
COMMON = ("name", "engine_type", "enabled", "visibility", "tenant", "price_per_minute")


def save_engine(
    *,
    engine: SpeechEngine | None,
    values: dict[str, Any],
    settings: dict[str, Any],
    secrets: dict[str, str | None],
    actor: str,
    audit_tenant: Tenant,
) -> SpeechEngine:
    """Create an engine (``engine`` None) or change the given version of one.

    ``secrets``: a value replaces the stored secret, "" clears it, None or absence keeps it; none is kept when the
    server changes. Raises InvalidInput naming the field (``settings`` fields by their own names; an address that points
    inside is refused); Conflict, which says who changed what, when somebody saved the engine in the meantime.
    """
    kept = {} if engine is None else readable_secrets_of(engine)
    merged = {**kept, **{name: value for name, value in secrets.items() if value is not None}}
    merged = {name: value for name, value in merged.items() if value}
    # Before the transaction: the check looks names up, which may take seconds.
    options = _valid_options(values["engine_type"], settings, merged)
    shown = options.model_dump(mode="json", exclude=set(options.secret_names()))
    reused = [name for name in kept if secrets.get(name) is None]
    if engine is not None and reused and _server_changed(engine, values["engine_type"], options, shown):
        raise InvalidInput(reused[0], _("Enter the token again: the server address has changed."))
    if values["visibility"] == Visibility.ONE_TENANT and values["tenant"] is None:
        raise InvalidInput("tenant", _("The visibility “One tenant” needs a tenant."))
    if values["visibility"] == Visibility.ONE_TENANT and values["tenant"].state == Tenant.State.DELETED:
        raise InvalidInput("tenant", _("The tenant is deleted, so there is no key any more to keep secrets with."))
    if values["visibility"] == Visibility.GLOBAL:
        values = {**values, "tenant": None}
    key = data_key(values["tenant"] or system_tenant())
    sealed = seal(key, orjson.dumps(merged), SECRETS_CONTEXT) if merged else b""
    typed = {name: SECRET for name in {*kept, *merged} if merged.get(name) != kept.get(name)}
    return _store(engine, {**values, "settings": shown, "sealed_secrets": sealed}, typed, actor, audit_tenant)


@transaction.atomic
def _store(
    engine: SpeechEngine | None, stored: dict[str, Any], secrets: dict[str, Any], actor: str, audit_tenant: Tenant
) -> SpeechEngine:
    clashing = SpeechEngine.objects.filter(name__iexact=stored["name"]).exclude(pk=engine.pk if engine else 0)
    if clashing.exists():
        raise InvalidInput("name", _("There is an engine with this name."))
    stored = {**stored, "paused_at": None, "pause_reason": ""}
    if engine is None:
        saved = SpeechEngine.objects.create(**stored)
        _audit(saved, "speech_engine.created", actor, audit_tenant)
    else:
        current = SpeechEngine.objects.filter(pk=engine.pk, version=engine.version)
        if not current.update(**stored, version=F("version") + 1):
            raise Conflict(_whose_change(engine, audit_tenant))
        saved = SpeechEngine.objects.get(pk=engine.pk)
        forget(circuit_key(saved))
        before, after = changes(_facts(engine), {**_facts(saved), **secrets})
        _audit(saved, "speech_engine.changed", actor, audit_tenant, before, after, version=saved.version)
    return saved


def _whose_change(engine: SpeechEngine, audit_tenant: Tenant) -> str:
    """What stands above the form of the second of two people who saved it."""
    if not SpeechEngine.objects.filter(pk=engine.pk).exists():
        return _("The engine is deleted already.")
    kind = engine_types().get(engine.engine_type)
    options = kind.options_type.model_fields if kind is not None else {}

    def label(name: str, _value: Any) -> str:
        if name in COMMON:
            return str(SpeechEngine._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
        return str(options[name].title if name in options else name)

    return whose_change(
        tenant_id=audit_tenant.pk,
        target_type="speech_engine",
        target_id=str(engine.pk),
        actions=["speech_engine.changed", "speech_engine.saved_and_tested"],
        since=engine.version,
        words=label,
        otherwise=_("The engine was changed by somebody else. Reload it and try again."),
    )


def _facts(engine: SpeechEngine) -> dict[str, Any]:
    """What a person can change, secrets aside."""
    common = {name: getattr(engine, name) for name in COMMON}
    price = "" if engine.price_per_minute is None else str(engine.price_per_minute)
    return {**engine.settings, **common, "tenant": str(engine.tenant or ""), "price_per_minute": price}


def _valid_options(engine_type: str, settings: dict[str, Any], secrets: dict[str, str]) -> EngineOptions:
    kind = engine_types().get(engine_type)
    if kind is None:
        raise InvalidInput("engine_type", _("There is no such engine."))
    try:
        options = kind.options_type(**settings, **secrets)
        kind.check_address(options, outbound_policy())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = str(first["loc"][0]) if first["loc"] else "settings"
        raise InvalidInput(field, first["msg"].removeprefix("Value error, ")) from error
    except AddressRefused as error:
        raise InvalidInput(error.field, error.message) from error
    return options


def _server_changed(engine: SpeechEngine, engine_type: str, options: EngineOptions, shown: dict[str, Any]) -> bool:
    """Whether kept secrets would go to another scheme, host or port than those they were entered for."""
    policy = outbound_policy()

    def server_of(address: str | None) -> tuple[str, str, int] | str | None:
        try:
            url = parse_url(address or "", policy)
        except AddressRefused:
            return address
        return url.scheme, url.host, url.port

    return engine.engine_type != engine_type or any(
        server_of(engine.settings.get(name)) != server_of(shown[name]) for name in options.address_names()
    )


@transaction.atomic
def delete_engine(*, engine: SpeechEngine, actor: str, audit_tenant: Tenant) -> None:
    """Delete an engine that no job uses. Raises Conflict naming the job otherwise."""
    job = JobDefinition.objects.filter(kind="transcription", settings__engine=engine.pk).first()
    if job is not None:
        raise Conflict(_("The job “%(job)s” uses this engine. Change or delete the job first.") % {"job": job.name})
    _audit(engine, "speech_engine.deleted", actor, audit_tenant)
    forget(circuit_key(engine))
    engine.delete()


@transaction.atomic
def pause_engine(*, engine_id: int, version: int, reason: str) -> bool:
    """Stop an engine whose settings were refused: once, with one audit row, however many records met the error.

    ``version`` is the one that was refused: a pass that is still at work with old settings stops no mended engine.
    """
    running = SpeechEngine.objects.filter(pk=engine_id, version=version, paused_at__isnull=True)
    if not running.update(paused_at=timezone.now(), pause_reason=reason[:500]):
        return False
    engine = SpeechEngine.objects.get(pk=engine_id)
    _audit(engine, "speech_engine.paused", "system:pass", system_tenant(), reason=reason[:200])
    return True


@transaction.atomic
def resume_engine(*, engine: SpeechEngine, actor: str, audit_tenant: Tenant) -> None:
    """Let a paused engine work again, unless it was changed since it was loaded: a save has its own say about pauses.

    Waiting records follow within half a minute.
    """
    paused = SpeechEngine.objects.filter(pk=engine.pk, version=engine.version, paused_at__isnull=False)
    if paused.update(paused_at=None, pause_reason=""):
        _audit(engine, "speech_engine.resumed", actor, audit_tenant)


def report_failing(*, engine: SpeechEngine, reason: str) -> None:
    """The alert that nothing is sent to an engine any more because it fails; once, in the transaction that says so."""
    logger.warning("Nothing is sent to the engine %s (%s) until it has answered a probe", engine.pk, engine.name)
    _audit(engine, "speech_engine.failing", "system:pass", system_tenant(), reason=reason[:200])


@transaction.atomic
def try_engine(*, engine: SpeechEngine, actor: str, audit_tenant: Tenant) -> None:
    """Let the probe of a failing engine be made now instead of when it is due. Raises Conflict when none is awaited."""
    probe_now(circuit_key(engine))
    _audit(engine, "speech_engine.tried", actor, audit_tenant)


@transaction.atomic
def trust_engine(*, engine: SpeechEngine, actor: str, audit_tenant: Tenant) -> None:
    """Send everything to a failing engine again without a probe. Raises Conflict when nothing is held back."""
    close_now(circuit_key(engine))
    _audit(engine, "speech_engine.trusted", actor, audit_tenant)


@transaction.atomic
def set_engines_enabled(*, engines: Sequence[SpeechEngine], enabled: bool, actor: str, audit_tenant: Tenant) -> int:
    """Let jobs use the engines, or not; return how many changed, in one audit row. Calls under way are finished."""
    changed = []
    for engine in sorted(engines, key=lambda found: found.pk):
        other = SpeechEngine.objects.filter(pk=engine.pk, enabled=not enabled)
        if other.update(enabled=enabled, version=F("version") + 1):
            changed.append(engine)
    if changed:
        append(
            tenant_id=audit_tenant.pk,
            actor=actor,
            action="speech_engine.enabled" if enabled else "speech_engine.disabled",
            target_type="speech_engine",
            target_id=",".join(str(engine.pk) for engine in changed)[:64],
            details={"names": [engine.name for engine in changed]},
        )
    return len(changed)


def request_tests(*, engines: Sequence[SpeechEngine], user: User) -> tuple[list[EngineTest], list[SpeechEngine]]:
    """Ask for a test of each; return those that were asked for, and the engines beyond five a minute. One audit row.

    Raises Conflict when none may be tested now.
    """
    tests: list[EngineTest] = []
    with grouped(
        tenant_id=user.tenant_id,
        actor=user.actor,
        action="speech_engine.several_tested",
        target_type="speech_engine",
        target_id=",".join(str(engine.pk) for engine in engines)[:64],
    ):
        for number, engine in enumerate(engines):
            try:
                tests.append(request_test(engine=engine, user=user))
            except Conflict:
                if not tests:
                    raise
                return tests, list(engines[number:])
    return tests, []


@transaction.atomic
def request_test(*, engine: SpeechEngine, user: User) -> EngineTest:
    """Ask for a Test Connection; a worker runs it. At most five a minute and user (hostile 3G13)."""
    minute_ago = timezone.now() - timedelta(minutes=1)
    if EngineTest.objects.filter(requested_by=user, created_at__gt=minute_ago).count() >= 5:
        raise Conflict(_("That were five tests within a minute. Wait a moment."))
    test = EngineTest.objects.create(engine=engine, requested_by=user)
    _audit(engine, "speech_engine.tested", user.actor, user.tenant)
    return test


def claim_test(test_id: str) -> EngineTest | None:
    """Take a test that waits, or whose worker died; None when somebody else has it or it has ended."""
    now = timezone.now()
    free = Q(state=EngineTest.State.WAITING) | Q(state=EngineTest.State.RUNNING, heartbeat_until__lt=now)
    claimed = EngineTest.objects.filter(free, pk=test_id)
    values = {"state": EngineTest.State.RUNNING, "steps": [], "progress": 0}
    if not claimed.update(**values, heartbeat_until=now + timedelta(seconds=TEST_HEARTBEAT_S)):
        return None
    return EngineTest.objects.select_related("engine__tenant").get(pk=test_id)


def record_steps(*, test: EngineTest, steps: list[dict[str, Any]], progress: int, transcription: str) -> None:
    """Show how far a running test is."""
    EngineTest.objects.filter(pk=test.pk, state=EngineTest.State.RUNNING).update(
        steps=steps,
        progress=progress,
        transcription=transcription,
        heartbeat_until=timezone.now() + timedelta(seconds=TEST_HEARTBEAT_S),
    )


def finish_test(*, test: EngineTest, passed: bool) -> None:
    """End a running test; one that passed lets a paused or failing engine work again, in the version that was claimed."""
    state = EngineTest.State.PASSED if passed else EngineTest.State.FAILED
    ended = EngineTest.objects.filter(pk=test.pk, state=EngineTest.State.RUNNING)
    if ended.update(state=state, finished_at=timezone.now()) and passed:
        resume_engine(engine=test.engine, actor="system:test", audit_tenant=system_tenant())
        with suppress(Conflict):
            trust_engine(engine=test.engine, actor="system:test", audit_tenant=system_tenant())


def _audit(
    engine: SpeechEngine,
    action: str,
    actor: str,
    audit_tenant: Tenant,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    **details: Any,
) -> None:
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action=action,
        target_type="speech_engine",
        target_id=str(engine.pk),
        details={"name": engine.name, "type": engine.engine_type, "enabled": engine.enabled, **details},
        before=before,
        after=after,
    )
