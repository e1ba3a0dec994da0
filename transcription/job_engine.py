"""The engine of a transcription job: looked up, opened, and as "Why?" shows it."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from accounts.permissions import Permission
from jobs.kinds import Check, KindPaused
from tenants.models import Tenant
from transcription.engines.base import SpeechEngine as Adapter
from transcription.engines.options import Traits, meant_for
from transcription.models import SpeechEngine, Visibility
from transcription.selectors import EngineUnusable, adapter_for, open_circuits


def engine_of_job(job_settings: Mapping[str, Any]) -> SpeechEngine:
    """The first one, with its tenant. Raises KindPaused when it was deleted."""
    engine = SpeechEngine.objects.select_related("tenant").filter(pk=job_settings["engine"]).first()
    if engine is None:
        raise KindPaused(_("The engine of this job was deleted."))
    return engine


def adapter_of_job(engine: SpeechEngine, request_timeout_s: int | None = None) -> Adapter:
    """Its adapter, not open yet. Raises KindPaused when its settings make none."""
    try:
        return adapter_for(engine, request_timeout_s)
    except EngineUnusable as error:
        raise KindPaused(f"{engine.name}: {error}") from error


def open_to(engine: SpeechEngine, tenant: Tenant) -> bool:
    """Whether the tenant may use the engine."""
    return engine.visibility != Visibility.ONE_TENANT or engine.tenant_id == tenant.pk


def _meant(engine: SpeechEngine, traits: Traits, where: Mapping[str, Any]) -> list[Check]:
    """What the engine is meant for, where it is not for all recordings."""
    tags, shortest, longest = (engine.settings.get(f"meant_{name}") for name in ("languages", "from_s", "to_s"))
    rules = [str(tags)] if tags else []
    if shortest is not None:
        rules.append(_("from %(n)s s") % {"n": shortest})
    if longest is not None:
        rules.append(_("up to %(n)s s") % {"n": longest})
    if not rules:
        return []
    seen = f"{traits.language or _('unknown language')}, {traits.seconds} s"
    advice = _("Add an engine to the job that is meant for such recordings")
    fits = meant_for(engine.settings, traits)
    return [Check(_("What the engine is meant for"), seen, ", ".join(rules), fits, advice, **where)]


def engine_checks(engine: SpeechEngine | None, tenant: Tenant, traits: Traits) -> tuple[Check, ...]:
    """The engine as a pass meets it, None when it is gone. Neither its name nor why it is paused: tenants read this."""
    where = {"route": "transcription:engines", "right": Permission.ENGINES_VIEW}
    label = _("Speech engine")
    if engine is None:
        advice = _("Choose an enabled engine in the settings of the job")
        return (Check(label, _("deleted"), _("enabled"), False, advice, "jobs:jobs", Permission.JOBS_VIEW),)
    state, advice = _("enabled"), ""
    if not engine.enabled:
        state, advice = _("disabled"), _("Enable the engine")
    elif engine.paused_at is not None:
        state, advice = _("paused"), _("Mend its settings; Save and Test lets it go on.")
    elif engine.pk in open_circuits():
        state = _("failing: nothing is sent to it until it has answered a probe")
        advice = _("It goes on by itself when the engine answers. Or try the engine now")
    else:
        try:
            adapter_for(engine)
        except EngineUnusable:
            state, advice = _("not usable"), _("Edit and save the engine")
    visible = open_to(engine, tenant)
    seen = _("all tenants") if engine.visibility != Visibility.ONE_TENANT else _("this tenant")
    return (
        *_meant(engine, traits, where),
        Check(
            _("Visibility of the engine"),
            seen if visible else _("another tenant"),
            _("this tenant"),
            visible,
            _("Choose an engine that this tenant may use"),
            **where,
        ),
        Check(label, state, _("enabled"), not advice, advice, **where),
    )
