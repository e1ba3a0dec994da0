"""The AI assistant kind: tasks over every conversation, spoken or written (domain A1–A2)."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.permissions import Permission
from aiassistant.choosing import Choice, Obstacle
from aiassistant.executing.engines import Engines
from aiassistant.executing.planning import Batch, Settings
from aiassistant.executing.session import AISession
from aiassistant.facts import FILTER_FIELDS
from aiassistant.family import AI
from aiassistant.library.definitions import TaskDefinition
from aiassistant.library.models import AITask, AITaskVersion, TaskActivation, TaskLabel
from aiassistant.models import AIEngine, DefaultEngine
from aiassistant.selectors import engine_table
from conversations.selectors import calls_by_change, calls_by_start
from conversations.services import retag_calls
from core.errors import InvalidInput
from engines.selectors import EngineUnusable, circuit_key, obstacles_of, open_circuits, why_unusable
from jobs.circuits.breakers import resting
from jobs.circuits.models import Circuit
from jobs.conversation_facts import START_DAY
from jobs.filters import days_between
from jobs.kinds import Check, Explained, Foreseen, KindPaused, Order, SettingField, Stored, Walk
from jobs.verdicts import Span
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
        checks, refused = _engine_checks(settings, tenant, judged.tasks), judged.refusal is not None
        return Explained(checks, trace, None, batch.facts[record_id].user_id, 0, refused=refused)

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

    def span(self, settings: Mapping[str, Any], place: int) -> Span:
        """One pass for all: which engine a task asks, the task says."""
        return Span()

    def places(self, settings: Mapping[str, Any]) -> list[str]:
        """Engines have no order here."""
        return []

    def price_per_minute(self, settings: Mapping[str, Any]) -> Decimal | None:
        """Tokens cost, and not minutes."""
        return None

    def session(
        self,
        job_settings: Mapping[str, Any],
        filters: Sequence[Mapping[str, Any]],
        *,
        place: int = 0,
        request_timeout_s: int | None = None,
        conversation_timeout_s: float | None = None,
    ) -> AISession:
        """Open for a pass. Raises KindPaused when of the engines of the job none can be asked now."""
        used = engines_used(job_settings)
        usable = [engine for engine in used if engine.enabled and engine.paused_at is None]
        if used and not usable:
            raise KindPaused(why_unusable(used[0]))
        if len(used) > 1 and all(resting(circuit_key(engine)) for engine in usable):
            raise KindPaused(_("Nothing is sent to the engines of this job, because they fail."))
        return _session(used, job_settings, filters, request_timeout_s, conversation_timeout_s)

    def cleanup_session(self, job_settings: Mapping[str, Any]) -> AISession:
        """There is never anything to delete."""
        return _session((), job_settings, (), None, None)

    def cleanup_settings(self, job_settings: Mapping[str, Any], remote: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing depends on the engine."""
        return {}

    def tag(self, tenant: Tenant, record_ids: Sequence[uuid.UUID], *, clear: str, assign: str) -> None:
        """On the conversations."""
        retag_calls(tenant=tenant, call_ids=record_ids, clear=clear, assign=assign)

    def mark(self, tenant: Tenant, states: Mapping[uuid.UUID, tuple[str, str]]) -> None:
        """Conversations show values, and executions who answered; nothing else."""


def engines_used(job_settings: Mapping[str, Any]) -> list[AIEngine]:
    """The engines that tasks of the job may ask: those that running versions of its tasks name, and that of the job, or
    else the defaults of the tenants and of the system. Two or three queries.

    Raises KindPaused when the job names one that is gone.
    """
    wanted, chosen = job_settings.get("engine"), job_settings.get("tasks") or []
    labelled = TaskLabel.objects.filter(task__archived_at=None)
    overriding = TaskActivation.objects.filter(enabled=True, override__isnull=False)
    if chosen:
        labelled, overriding = labelled.filter(task__in=chosen), overriding.filter(task__in=chosen)
    running = Q(pk__in=labelled.values("points_to")) | Q(pk__in=overriding.values("override"))
    named = AITaskVersion.objects.filter(running, engine_ref__isnull=False).values("engine_ref")
    fallback = Q(pk=wanted) if wanted is not None else Q(pk__in=DefaultEngine.objects.values("engine"))
    found = list(AIEngine.objects.filter(Q(pk__in=named) | fallback).select_related("tenant").order_by("pk"))
    if wanted is not None and all(engine.pk != wanted for engine in found):
        raise KindPaused(_("The engine of this job was deleted."))
    return found


def _session(
    used: Sequence[AIEngine],
    settings: Mapping[str, Any],
    filters: Sequence[Mapping[str, Any]],
    request_timeout_s: int | None,
    conversation_timeout_s: float | None,
) -> AISession:
    engines = Engines(used, settings.get("engine"), request_timeout_s)
    try:
        return AISession(engines, filters, Settings.of(settings), conversation_timeout_s=conversation_timeout_s)
    except EngineUnusable as error:
        raise KindPaused(f"{', '.join(engine.name for engine in used)}: {error}") from error


def _engine_checks(settings: Mapping[str, Any], tenant: Tenant, tasks: Sequence[TaskDefinition]) -> tuple[Check, ...]:
    """One for each engine that the tasks of the conversation would ask, without its name: tenants read this."""
    table, circuits = engine_table(), open_circuits(AI)
    titles: dict[str, list[str]] = defaultdict(list)
    seen: dict[str, tuple[str, bool, str]] = {}
    for task in tasks or (None,):
        choice = table.choose(tenant.pk, task=None if task is None else task.engine_id, job=settings.get("engine"))
        key = str(choice.engine.pk if choice.engine is not None else choice.source)
        titles[key] += [task.title] if task is not None else []
        seen[key] = _engine_seen(choice, circuits)
    where = {"route": "aiassistant:engines", "right": Permission.ENGINES_VIEW}
    checks = []
    for key, (shown, good, advice) in seen.items():
        label = _("AI engine") if len(seen) == 1 else _("AI engine: %(tasks)s") % {"tasks": ", ".join(titles[key])}
        checks.append(Check(label, shown, _("enabled"), good, advice, **where))
    return tuple(checks)


def _engine_seen(choice: Choice, circuits: Mapping[int, Circuit]) -> tuple[str, bool, str]:
    """How the engine of a choice stands, whether it can be asked, and else what helps."""
    engine = choice.engine
    if engine is None:
        if choice.source is None:
            return _("none is named"), False, _("Choose one for the job or the task, or set a default")
        return _("deleted"), False, _("Choose another engine for the job")
    if choice.obstacle == Obstacle.NOT_ALLOWED:
        return _("not for this organisation"), False, _("Choose another engine, or change who may use it")
    if choice.obstacle == Obstacle.DISABLED:
        return _("disabled"), False, _("Enable the engine")
    if choice.obstacle == Obstacle.PAUSED:
        shown = _("paused: its model was not found") if engine.missing_model else _("paused")
        return shown, False, _("Mend its settings; Save and Test lets it go on.")
    if engine.pk in circuits:
        return _("failing; waiting for it to answer a probe"), False, _("It goes on by itself")
    return _("enabled"), True, ""


def _clause(trace: Sequence[GateResult]) -> GateResult | None:
    """The clause of the job's filters that said no, which previews count."""
    last = trace[-1] if trace else None
    return last if last is not None and not last.passed and last.gate.startswith("filter:") else None
