"""The AI assistant kind: tasks over every conversation, spoken or written (domain A1–A2)."""

import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.permissions import Permission
from aiassistant.executing.engines import Engines
from aiassistant.executing.planning import Batch, Settings
from aiassistant.executing.session import AISession
from aiassistant.facts import FILTER_FIELDS
from aiassistant.library.models import AITask
from aiassistant.models import AIEngine, DefaultEngine
from conversations.selectors import calls_by_change, calls_by_start
from conversations.services import retag_calls
from core.errors import InvalidInput
from engines.selectors import EngineUnusable, obstacles_of, why_unusable
from jobs.conversation_facts import START_DAY
from jobs.filters import days_between
from jobs.kinds import Check, Explained, Foreseen, KindPaused, Order, SettingField, Stored, Walk
from licensing.gates import GateResult
from queues.events import RecordType
from tenants.models import Tenant


class AIKind:
    """Registered in settings.JOB_KINDS."""

    key = "aiassistant"
    label = gettext_lazy("AI Assistant")
    record_types = (RecordType.CALL, RecordType.CONVERSATION)
    completed_event = None
    # A new transcript or a changed thread is asked about anew; what was answered before costs nothing.
    takes_again = True
    filter_fields = FILTER_FIELDS
    start_day_field = START_DAY
    advised: Sequence[Mapping[str, Any]] | None = ()

    def clean_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """An engine that exists or none, tasks that exist or none for all."""
        wanted = values.get("engine") or None
        engine = AIEngine.objects.filter(pk=wanted).first() if wanted is not None else None
        if wanted is not None and engine is None:
            raise InvalidInput("engine", _("There is no such AI engine."))
        chosen = sorted({int(pk) for pk in values.get("tasks") or ()})
        known = set(AITask.objects.filter(pk__in=chosen).values_list("pk", flat=True))
        if set(chosen) - known:
            raise InvalidInput("tasks", _("There is no such AI task."))
        return {
            "engine": None if engine is None else engine.pk,
            "tasks": chosen,
            "together": bool(values.get("together")),
            "anew": bool(values.get("anew")),
        }

    def describe(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Engine and tasks by name."""
        engine = AIEngine.objects.filter(pk=values["engine"]).first() if values.get("engine") else None
        named = engine.name if engine is not None else _("(deleted)")
        tasks = AITask.objects.filter(pk__in=values.get("tasks") or ()).order_by("position", "title")
        return [
            (_("AI engine"), named if values.get("engine") else _("default of the tenant or of the system")),
            (_("Process tasks"), ", ".join(task.title for task in tasks) if values.get("tasks") else _("all")),
            (_("Several tasks in one request"), _("Yes") if values.get("together") else _("No")),
            (_("Ask again what is answered"), _("Yes") if values.get("anew") else _("No")),
        ]

    def setting_fields(self) -> list[SettingField]:
        """What the job form asks for (domain A9)."""
        engines = [(str(pk), name) for pk, name in AIEngine.objects.order_by("name").values_list("pk", "name")]
        tasks = AITask.objects.filter(archived_at=None).order_by("position", "title", "pk")
        named = [(str(pk), title) for pk, title in tasks.values_list("pk", "title")]
        return [
            SettingField(
                "engine",
                _("AI engine"),
                engines,
                help_text=_("For tasks that name none."),
                blank=_("Default of the tenant or of the system"),
            ),
            SettingField(
                "tasks",
                _("Process tasks"),
                named,
                help_text=_("Without a choice all that the organisation of a conversation has enabled."),
                several=True,
            ),
            SettingField(
                "together",
                _("Several tasks in one request"),
                help_text=_(
                    "Cheaper, because the conversation is sent once; where the engine and the answers allow it."
                ),
            ),
            SettingField(
                "anew",
                _("Ask again what is answered"),
                help_text=_("Otherwise the same question about the same words is not asked, and paid, a second time."),
            ),
        ]

    def obstacles(self) -> dict[str, dict[str, str]]:
        """The engines that are disabled or paused."""
        return {"engine": obstacles_of(AIEngine)}

    def explain(
        self, settings: Mapping[str, Any], filters: Sequence[Mapping[str, Any]], tenant: Tenant, record_id: uuid.UUID
    ) -> Explained | None:
        """As a pass would judge the conversation now; the rails are asked by the pass alone."""
        batch = Batch.load(tenant, [record_id], filters, Settings.of(settings).tasks)
        if record_id not in batch.facts:
            return None
        judged = batch.judged(tenant, filters, record_id)
        trace = judged.trace if judged.refusal is None else judged.refusal.trace
        return Explained(_engine_checks(settings), trace, None, batch.facts[record_id].user_id, 0)

    def foresee(
        self,
        settings: Mapping[str, Any],
        filters: Sequence[Mapping[str, Any]],
        tenant: Tenant,
        record_ids: Sequence[uuid.UUID],
    ) -> dict[uuid.UUID, Foreseen]:
        """By the functions that a pass uses, without reading a text."""
        batch = Batch.load(tenant, record_ids, filters, Settings.of(settings).tasks)
        found = {}
        for pk in batch.facts:
            refusal = batch.judged(tenant, filters, pk).refusal
            found[pk] = Foreseen() if refusal is None else Foreseen(refusal.reason, _clause(refusal.trace))
        return found

    def stored(self, tenant: Tenant, filters: Sequence[Mapping[str, Any]], walk: Walk) -> list[Stored]:
        """Conversations of both kinds, by start or by change; the days of a filter on the start are left out."""
        if walk.order == Order.CHANGED:
            rows = calls_by_change(after=walk.after, since=walk.since, until=walk.until, count=walk.count, of=Q())
        else:
            started = days_between(filters, START_DAY, tenant.time_zone)
            rows = calls_by_start(after=walk.after, stored_until=walk.until, started=started, count=walk.count, of=Q())
        return [Stored(row.call_id, row.at, (row.duration_ms or 0) // 1000, row.record_type) for row in rows]

    def price_per_minute(self, settings: Mapping[str, Any]) -> Decimal | None:
        """Tokens cost, and not minutes."""
        return None

    def session(
        self,
        job_settings: Mapping[str, Any],
        filters: Sequence[Mapping[str, Any]],
        *,
        request_timeout_s: int | None = None,
        conversation_timeout_s: float | None = None,
    ) -> AISession:
        """Open for a pass. Raises KindPaused when the main engine is gone, disabled, paused or not usable."""
        main = main_engine(job_settings)
        if main is not None and (not main.enabled or main.paused_at is not None):
            raise KindPaused(why_unusable(main))
        return _session(main, job_settings, filters, request_timeout_s, conversation_timeout_s)

    def cleanup_session(self, job_settings: Mapping[str, Any]) -> AISession:
        """There is never anything to delete."""
        return _session(None, job_settings, (), None, None)

    def cleanup_settings(self, job_settings: Mapping[str, Any], remote: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing depends on the engine."""
        return {}

    def tag(self, tenant: Tenant, record_ids: Sequence[uuid.UUID], *, clear: str, assign: str) -> None:
        """On the conversations."""
        retag_calls(tenant=tenant, call_ids=record_ids, clear=clear, assign=assign)

    def mark(self, tenant: Tenant, states: Mapping[uuid.UUID, tuple[str, str]]) -> None:
        """Conversations show values, and executions who answered; nothing else."""


def main_engine(job_settings: Mapping[str, Any]) -> AIEngine | None:
    """The engine whose slots and circuit a pass holds: the job's, else the default of the system, else none.

    Raises KindPaused when the job names one that is gone.
    """
    wanted = job_settings.get("engine")
    if wanted is not None:
        engine = AIEngine.objects.filter(pk=wanted).first()
        if engine is None:
            raise KindPaused(_("The engine of this job was deleted."))
        return engine
    default = DefaultEngine.objects.filter(tenant=None).select_related("engine").first()
    return None if default is None else default.engine


def _session(
    main: AIEngine | None,
    settings: Mapping[str, Any],
    filters: Sequence[Mapping[str, Any]],
    request_timeout_s: int | None,
    conversation_timeout_s: float | None,
) -> AISession:
    engines = Engines(main, settings.get("engine"), request_timeout_s)
    try:
        return AISession(engines, filters, Settings.of(settings), conversation_timeout_s=conversation_timeout_s)
    except EngineUnusable as error:
        raise KindPaused(f"{main.name if main is not None else ''}: {error}") from error


def _engine_checks(settings: Mapping[str, Any]) -> tuple[Check, ...]:
    """The main engine, without its name: tenants read this."""
    label, where = _("AI engine"), {"route": "aiassistant:engines", "right": Permission.ENGINES_VIEW}
    try:
        engine = main_engine(settings)
    except KindPaused:
        return (Check(label, _("deleted"), _("enabled"), False, _("Choose another engine for the job"), **where),)
    if engine is None:
        return ()
    if not engine.enabled:
        return (Check(label, _("disabled"), _("enabled"), False, _("Enable the engine"), **where),)
    if engine.paused_at is not None:
        advice = _("Mend its settings; Save and Test lets it go on.")
        return (Check(label, _("paused"), _("enabled"), False, advice, **where),)
    return (Check(label, _("enabled"), _("enabled"), True),)


def _clause(trace: Sequence[GateResult]) -> GateResult | None:
    """The clause of the job's filters that said no, which previews count."""
    last = trace[-1] if trace else None
    return last if last is not None and not last.passed and last.gate.startswith("filter:") else None
