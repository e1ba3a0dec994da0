"""Changing engines and testing them: the same for every family."""

import logging
from collections.abc import Callable, Sequence
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
from core.engines import EngineOptions
from core.errors import Conflict, InvalidInput
from core.outbound import AddressRefused
from core.outbound.urls import parse_url
from engines.families import Family, family_of
from engines.models import ConnectionTest, Visibility
from engines.selectors import circuit_key, jobs_using, readable_secrets_of
from jobs.circuits.breakers import close_now, forget, probe_now
from tenants.keys import data_key
from tenants.models import Tenant
from tenants.selectors import outbound_policy, system_tenant

logger = logging.getLogger(__name__)
TEST_HEARTBEAT_S = 30


def save_engine(
    *,
    family: Family,
    engine: Any,
    values: dict[str, Any],
    settings: dict[str, Any],
    secrets: dict[str, str | None],
    actor: str,
    audit_tenant: Tenant,
    more: Callable[[Any, EngineOptions], None] | None = None,
) -> Any:
    """Create an engine (``engine`` None) or change the given version of one.

    ``secrets``: a value replaces the stored secret, "" clears it, None or absence keeps it; none is kept when the
    server changes. ``more`` stores what a family has beside that, in the same transaction, before the audit row.
    Raises InvalidInput naming the field (``settings`` fields by their own names; an address that points inside is
    refused); Conflict, which says who changed what, when somebody saved the engine in the meantime.
    """
    kept = {} if engine is None else readable_secrets_of(engine)
    merged = {**kept, **{name: value for name, value in secrets.items() if value is not None}}
    merged = {name: value for name, value in merged.items() if value}
    # Before the transaction: the check looks names up, which may take seconds.
    options = _valid_options(family, values["engine_type"], settings, merged)
    shown = options.model_dump(mode="json", exclude=set(options.secret_names()))
    reused = [name for name in kept if secrets.get(name) is None]
    if engine is not None and reused and server_changed(engine, values["engine_type"], options, shown):
        raise InvalidInput(reused[0], _("Enter it again: the server address has changed."))
    values = _of_tenant(values)
    key = data_key(values["tenant"] or system_tenant())
    sealed = seal(key, orjson.dumps(merged), family.context) if merged else b""
    typed = {name: SECRET for name in {*kept, *merged} if merged.get(name) != kept.get(name)}
    stored = {**values, "settings": shown, "sealed_secrets": sealed, "paused_at": None, "pause_reason": ""}
    store = _create if engine is None else _change
    return store(family, engine, stored, typed, actor, audit_tenant, lambda saved: more and more(saved, options))


def _of_tenant(values: dict[str, Any]) -> dict[str, Any]:
    """The values with a tenant exactly when the visibility has one. Raises InvalidInput."""
    if values["visibility"] != Visibility.ONE_TENANT:
        return {**values, "tenant": None}
    if values["tenant"] is None:
        raise InvalidInput("tenant", _("The visibility “One tenant” needs a tenant."))
    if values["tenant"].state == Tenant.State.DELETED:
        raise InvalidInput("tenant", _("The tenant is deleted, so there is no key any more to keep secrets with."))
    return values


@transaction.atomic
def _create(
    family: Family,
    _engine: None,
    stored: dict[str, Any],
    secrets: dict[str, Any],
    actor: str,
    audit_tenant: Tenant,
    more: Callable[[Any], Any],
) -> Any:
    _free_name(family, stored["name"], 0)
    saved = family.model.objects.create(**stored)
    more(saved)
    _audit(saved, "created", actor, audit_tenant)
    return saved


@transaction.atomic
def _change(
    family: Family,
    engine: Any,
    stored: dict[str, Any],
    secrets: dict[str, Any],
    actor: str,
    audit_tenant: Tenant,
    more: Callable[[Any], Any],
) -> Any:
    _free_name(family, stored["name"], engine.pk)
    facts_before = engine.facts()
    current = family.model.objects.filter(pk=engine.pk, version=engine.version)
    if not current.update(**stored, version=F("version") + 1):
        raise Conflict(_whose_change(engine, audit_tenant))
    saved = family.model.objects.get(pk=engine.pk)
    more(saved)
    forget(circuit_key(saved))
    before, after = changes(facts_before, {**saved.facts(), **secrets})
    _audit(saved, "changed", actor, audit_tenant, before, after, version=saved.version)
    return saved


def _free_name(family: Family, name: str, own: int) -> None:
    if family.model.objects.filter(name__iexact=name).exclude(pk=own).exists():
        raise InvalidInput("name", _("There is an engine with this name."))


def _whose_change(engine: Any, audit_tenant: Tenant) -> str:
    """What stands above the form of the second of two people who saved it."""
    family = family_of(engine)
    if not family.model.objects.filter(pk=engine.pk).exists():
        return _("The engine is deleted already.")
    kind = family.types().get(engine.engine_type)
    options = kind.options_type.model_fields if kind is not None else {}

    def label(name: str, _value: Any) -> str:
        if name in family.common:
            return str(family.model._meta.get_field(name).verbose_name)
        return str(options[name].title if name in options else name)

    return whose_change(
        tenant_id=audit_tenant.pk,
        target_type=family.key,
        target_id=str(engine.pk),
        actions=[f"{family.key}.changed", f"{family.key}.saved_and_tested"],
        since=engine.version,
        words=label,
        otherwise=_("The engine was changed by somebody else. Reload it and try again."),
    )


def _valid_options(
    family: Family, engine_type: str, settings: dict[str, Any], secrets: dict[str, str]
) -> EngineOptions:
    kind = family.types().get(engine_type)
    if kind is None:
        raise InvalidInput("engine_type", _("There is no such engine."))
    try:
        options: EngineOptions = kind.options_type(**settings, **secrets)
        kind.check_address(options, outbound_policy())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = str(first["loc"][0]) if first["loc"] else "engine_type"
        raise InvalidInput(field, first["msg"].removeprefix("Value error, ")) from error
    except AddressRefused as error:
        raise InvalidInput(error.field, error.message) from error
    return options


def server_changed(engine: Any, engine_type: str, options: EngineOptions, shown: dict[str, Any]) -> bool:
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
def delete_engine(*, engine: Any, actor: str, audit_tenant: Tenant) -> None:
    """Delete an engine that no job uses. Raises Conflict naming the job otherwise."""
    family = family_of(engine)
    job = jobs_using(family, engine.pk).first()
    if job is not None:
        raise Conflict(_("The job “%(job)s” uses this engine. Change or delete the job first.") % {"job": job.name})
    _audit(engine, "deleted", actor, audit_tenant)
    forget(circuit_key(engine))
    engine.delete()


@transaction.atomic
def pause_engine(*, family: Family, engine_id: int, version: int, reason: str) -> bool:
    """Stop an engine whose settings were refused: once, with one audit row, however many records met the error.

    ``version`` is the one that was refused: a pass that is still at work with old settings stops no mended engine.
    """
    running = family.model.objects.filter(pk=engine_id, version=version, paused_at__isnull=True)
    if not running.update(paused_at=timezone.now(), pause_reason=reason[:500]):
        return False
    engine = family.model.objects.get(pk=engine_id)
    _audit(engine, "paused", "system:pass", system_tenant(), reason=reason[:200])
    return True


@transaction.atomic
def resume_engine(*, engine: Any, actor: str, audit_tenant: Tenant) -> None:
    """Let a paused engine work again, unless it was changed since it was loaded: a save has its own say about pauses.

    Waiting records follow within half a minute.
    """
    paused = family_of(engine).model.objects.filter(pk=engine.pk, version=engine.version, paused_at__isnull=False)
    if paused.update(paused_at=None, pause_reason=""):
        _audit(engine, "resumed", actor, audit_tenant)


def report_failing(*, engine: Any, reason: str) -> None:
    """The alert that nothing is sent to an engine any more because it fails; once, in the transaction that says so."""
    logger.warning("Nothing is sent to the engine %s (%s) until it has answered a probe", engine.pk, engine.name)
    _audit(engine, "failing", "system:pass", system_tenant(), reason=reason[:200])


@transaction.atomic
def try_engine(*, engine: Any, actor: str, audit_tenant: Tenant) -> None:
    """Let the probe of a failing engine be made now instead of when it is due. Raises Conflict when none is awaited."""
    probe_now(circuit_key(engine))
    _audit(engine, "tried", actor, audit_tenant)


@transaction.atomic
def trust_engine(*, engine: Any, actor: str, audit_tenant: Tenant) -> None:
    """Send everything to a failing engine again without a probe. Raises Conflict when nothing is held back."""
    close_now(circuit_key(engine))
    _audit(engine, "trusted", actor, audit_tenant)


@transaction.atomic
def set_engines_enabled(*, engines: Sequence[Any], enabled: bool, actor: str, audit_tenant: Tenant) -> int:
    """Let jobs use the engines, or not; return how many changed, in one audit row. Calls under way are finished."""
    changed = []
    for engine in sorted(engines, key=lambda found: found.pk):
        other = family_of(engine).model.objects.filter(pk=engine.pk, enabled=not enabled)
        if other.update(enabled=enabled, version=F("version") + 1):
            changed.append(engine)
    if changed:
        family = family_of(changed[0])
        append(
            tenant_id=audit_tenant.pk,
            actor=actor,
            action=f"{family.key}.enabled" if enabled else f"{family.key}.disabled",
            target_type=family.key,
            target_id=",".join(str(engine.pk) for engine in changed)[:64],
            details={"names": [engine.name for engine in changed]},
        )
    return len(changed)


def request_tests(*, family: Family, engines: Sequence[Any], user: User) -> tuple[list[Any], list[Any]]:
    """Ask for a test of each; return those that were asked for, and the engines beyond five a minute. One audit row.

    Raises Conflict when none may be tested now.
    """
    tests: list[Any] = []
    with grouped(
        tenant_id=user.tenant_id,
        actor=user.actor,
        action=f"{family.key}.several_tested",
        target_type=family.key,
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
def request_test(*, engine: Any, user: User) -> Any:
    """Ask for a Test Connection; a worker runs it. At most five a minute and user (hostile 3G13)."""
    minute_ago = timezone.now() - timedelta(minutes=1)
    tests = family_of(engine).test_model.objects
    if tests.filter(requested_by=user, created_at__gt=minute_ago).count() >= 5:
        raise Conflict(_("That were five tests within a minute. Wait a moment."))
    test = tests.create(engine=engine, requested_by=user)
    _audit(engine, "tested", user.actor, user.tenant)
    return test


def claim_test(family: Family, test_id: str) -> Any:
    """Take a test that waits, or whose worker died; None when somebody else has it or it has ended."""
    now = timezone.now()
    free = Q(state=ConnectionTest.State.WAITING) | Q(state=ConnectionTest.State.RUNNING, heartbeat_until__lt=now)
    claimed = family.test_model.objects.filter(free, pk=test_id)
    values = {"state": ConnectionTest.State.RUNNING, "steps": [], "progress": 0}
    if not claimed.update(**values, heartbeat_until=now + timedelta(seconds=TEST_HEARTBEAT_S)):
        return None
    return family.test_model.objects.select_related("engine__tenant").get(pk=test_id)


def record_steps(*, test: Any, steps: list[dict[str, Any]], progress: int, text: str) -> None:
    """Show how far a running test is, and what the engine has answered."""
    family = family_of(test.engine)
    family.test_model.objects.filter(pk=test.pk, state=ConnectionTest.State.RUNNING).update(
        steps=steps,
        progress=progress,
        heartbeat_until=timezone.now() + timedelta(seconds=TEST_HEARTBEAT_S),
        **{family.text_field: text},
    )


def finish_test(*, test: Any, passed: bool) -> None:
    """End a running test; one that passed lets a paused or failing engine work again, in the version that was claimed."""
    state = ConnectionTest.State.PASSED if passed else ConnectionTest.State.FAILED
    ended = type(test).objects.filter(pk=test.pk, state=ConnectionTest.State.RUNNING)
    if ended.update(state=state, finished_at=timezone.now()) and passed:
        resume_engine(engine=test.engine, actor="system:test", audit_tenant=system_tenant())
        with suppress(Conflict):
            trust_engine(engine=test.engine, actor="system:test", audit_tenant=system_tenant())


def _audit(
    engine: Any,
    verb: str,
    actor: str,
    audit_tenant: Tenant,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    **details: Any,
) -> None:
    family = family_of(engine)
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action=f"{family.key}.{verb}",
        target_type=family.key,
        target_id=str(engine.pk),
        details={"name": engine.name, "type": engine.engine_type, "enabled": engine.enabled, **details},
        before=before,
        after=after,
    )
