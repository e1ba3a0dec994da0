"""Changing AI engines, their prices and the defaults."""

import re
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from aiassistant.engines.capabilities import Capabilities
from aiassistant.engines.tokens import calibrate
from aiassistant.family import AI
from aiassistant.models import AIEngine, DefaultEngine, EnginePrice, Visibility
from aiassistant.selectors import engines_for
from audit.services import append
from core.engines import EngineOptions
from core.errors import InvalidInput
from core.outcomes import EngineError
from engines import prices, services
from engines.services import server_changed
from tenants.models import Tenant

PATTERN = re.compile(r"[^\s*]{0,119}\*?")
AMOUNTS = ("input", "cached_input", "output", "reasoning", "batch_factor")
# What servers call a model or a deployment that they do not have.
MODEL_GONE = frozenset({"model_not_found", "deploymentnotfound"})
# More often would be a write for every request.
CALIBRATION_STEP = 0.02


def save_engine(
    *,
    engine: AIEngine | None,
    values: dict[str, Any],
    settings: dict[str, Any],
    secrets: dict[str, str | None],
    tenants: Iterable[Tenant],
    actor: str,
    audit_tenant: Tenant,
) -> AIEngine:
    """As ``engines.services.save_engine``; ``tenants`` are those of the visibility "Chosen tenants".

    What was learned of the server is forgotten when the server or the model changes.
    """
    chosen = list(tenants) if values["visibility"] == Visibility.TENANTS else []
    if values["visibility"] == Visibility.TENANTS and not chosen:
        raise InvalidInput("tenants", _("The visibility “Chosen tenants” needs at least one tenant."))

    def more(saved: AIEngine, options: EngineOptions) -> None:
        saved.tenants.set(chosen)
        other_server = engine is None or server_changed(engine, saved.engine_type, options, saved.settings)
        if other_server or engine.settings.get("model") != saved.settings.get("model"):  # type: ignore[union-attr]
            AIEngine.objects.filter(pk=saved.pk).update(capabilities={}, overrides={}, probed_at=None, calibration=1.0)

    saved: AIEngine = services.save_engine(
        family=AI,
        engine=engine,
        values=values,
        settings=settings,
        secrets=secrets,
        actor=actor,
        audit_tenant=audit_tenant,
        more=more,
    )
    return saved


@transaction.atomic
def pause(*, engine: AIEngine, error: EngineError) -> bool:
    """Stop an engine that refuses its settings, as ``engines.services.pause_engine``; a model that is gone is named."""
    model = str(engine.settings.get("model", "")) if error.code in MODEL_GONE else ""
    reason = error.message
    if model:
        reason = _("Model not found: “%(model)s”. %(why)s") % {"model": model, "why": error.message}
    paused = services.pause_engine(family=AI, engine_id=engine.pk, version=engine.version, reason=reason)
    if paused:
        AIEngine.objects.filter(pk=engine.pk).update(missing_model=model)
    return paused


def learn(*, engine: AIEngine, capabilities: Capabilities, probed: bool = False) -> bool:
    """Remember what an engine's server was found to do, if the engine is still the one that was asked.

    ``probed``: a test has asked for all of it just now.
    """
    known = capabilities.model_dump()
    if not probed and known == Capabilities.stored(engine.known).model_dump():
        return False
    same = AIEngine.objects.filter(pk=engine.pk, version=engine.version)
    # What people say was never found out.
    found = {**known, **{name: engine.capabilities.get(name) for name in engine.overrides}}
    engine.capabilities = found
    return bool(same.update(capabilities=found, **({"probed_at": timezone.now()} if probed else {})))


def learn_tokens(*, engine: AIEngine, reported: int, estimated: int) -> float:
    """Draw the calibration of an engine towards a report; returns the factor. Small steps are not written."""
    factor = calibrate(engine.calibration, reported=reported, estimated=estimated)
    if abs(factor - engine.calibration) >= CALIBRATION_STEP:
        AIEngine.objects.filter(pk=engine.pk, version=engine.version).update(calibration=factor)
        engine.calibration = factor
    return factor


def add_price(*, engine: AIEngine, values: dict[str, Any], actor: str, audit_tenant: Tenant) -> EnginePrice:
    """As ``engines.prices.add_price``; also refuses a batch factor above 1 and a pattern that is none."""
    if values["batch_factor"] > 1:
        raise InvalidInput("batch_factor", _("The factor is at most 1."))
    if not values["model_pattern"] or not PATTERN.fullmatch(values["model_pattern"]):
        raise InvalidInput("model_pattern", _("Use the name of a model, or its beginning and * at the end."))
    amounts = [name for name in AMOUNTS if name != "reasoning" or values.get(name) is not None]
    added: EnginePrice = prices.add_price(
        engine=engine, values=values, amounts=amounts, actor=actor, audit_tenant=audit_tenant
    )
    return added


@transaction.atomic
def set_default(*, tenant: Tenant | None, engine: AIEngine, actor: str, audit_tenant: Tenant) -> None:
    """Make an engine the default of a tenant, or of the system (None). Raises InvalidInput naming the field."""
    if tenant is None and engine.visibility != Visibility.GLOBAL:
        raise InvalidInput("engine", _("The default of the system must be an engine that all tenants may use."))
    if tenant is not None and not engines_for(tenant).filter(pk=engine.pk).exists():
        raise InvalidInput("engine", _("This engine is not for the tenant."))
    _row, _created = DefaultEngine.objects.update_or_create(tenant=tenant, defaults={"engine": engine})
    _audit("ai_default.set", engine, actor, audit_tenant, {"tenant": str(tenant or "")})


@transaction.atomic
def clear_default(*, default: DefaultEngine, actor: str, audit_tenant: Tenant) -> None:
    """Let a tenant have the system's default again, or the system none."""
    if DefaultEngine.objects.filter(pk=default.pk, engine=default.engine).delete()[0]:
        _audit("ai_default.cleared", default.engine, actor, audit_tenant, {"tenant": str(default.tenant or "")})


def _audit(action: str, engine: AIEngine, actor: str, audit_tenant: Tenant, details: dict[str, Any]) -> None:
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action=action,
        target_type=AI.key,
        target_id=str(engine.pk),
        details={"name": engine.name, **details},
    )
