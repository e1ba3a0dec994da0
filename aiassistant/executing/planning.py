"""What a pass does with a batch of conversations before it asks: the first three of A2's five steps, and the rails.

Everything is read in a fixed number of queries for the batch, inside the tenant. What is decided is pure. Each step
leaves a line for "Why?".
"""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from aiassistant.choosing import Choice, Obstacle, Source
from aiassistant.executing.asking import begin
from aiassistant.executing.engines import Engines
from aiassistant.executing.missing import NoEngine
from aiassistant.executing.models import Execution
from aiassistant.executing.prompts import Line, Subject, key_of, lines_of
from aiassistant.executing.running import Ran, Target
from aiassistant.executing.variables import field_values, own_values
from aiassistant.facts import FILTER_FIELDS, filter_facts
from aiassistant.library.definitions import AppliesTo, TaskDefinition
from aiassistant.library.selectors import tasks_for
from aiassistant.pacing.access import HeldBack
from conversations.field_models import FieldValue
from conversations.texts import ConversationText, TextFacts, text_facts, texts_of
from core.outcomes import Reason
from engines.selectors import EngineUnusable
from jobs.custom_fields import custom_facts, refusal_text
from jobs.filters import judge_filters
from jobs.models import Record
from jobs.verdicts import Claimed, Refuse
from licensing.gates import GateResult
from licensing.models import Bundle
from licensing.selectors import licensed_users
from queues.events import RecordType
from tenants.models import Tenant

# A task whose engine is paused or failing is looked at again after so many seconds.
PAUSED_S = 300.0
Trace = tuple[GateResult, ...]

# An execution that ended so is not tried again by the same record: the answer would cost the same and be no better.
FINAL = (Reason.INVALID_OUTPUT, Reason.REFUSED, Reason.TOO_LONG, Reason.ENGINE_INPUT)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a job says: ``tasks`` None is all of them; ``together`` may share requests; ``anew`` asks whatever is known."""

    tasks: frozenset[int] | None = None
    together: bool = False
    anew: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Settings":
        """From the settings of a job."""
        chosen = values.get("tasks") or []
        return cls(frozenset(chosen) or None, bool(values.get("together")), bool(values.get("anew")))


@dataclass(slots=True)
class Plan:
    """What is to be done for one conversation.

    ``rans`` are to be asked; ``ended`` failed or wait without having been asked; ``known`` names the tasks that need not be
    asked, because the same question was answered before; ``failed`` those that an earlier try of this record ended for good,
    with the reason. ``lines`` are the conversation as models see it.
    """

    subject: Subject
    facts: TextFacts
    rans: list[Ran] = field(default_factory=list)
    ended: list[Ran] = field(default_factory=list)
    known: list[TaskDefinition] = field(default_factory=list)
    failed: list[tuple[TaskDefinition, str]] = field(default_factory=list)
    trace: list[GateResult] = field(default_factory=list)


@dataclass(slots=True)
class Batch:
    """The facts of a batch of conversations of one tenant."""

    facts: Mapping[uuid.UUID, TextFacts]
    tasks: tuple[TaskDefinition, ...]
    licensed: Collection[uuid.UUID]
    custom: Mapping[uuid.UUID, Mapping[str, Any]]

    @classmethod
    def load(
        cls,
        tenant: Tenant,
        record_ids: Sequence[uuid.UUID],
        filters: Sequence[Mapping[str, Any]],
        chosen: frozenset[int] | None,
    ) -> "Batch":
        """With the tasks that run for the tenant, those that are ``chosen`` (None: all)."""
        tasks = tuple(t for t in tasks_for([tenant])[tenant.pk] if chosen is None or t.task_id in chosen)
        return cls.of(tenant, record_ids, filters, tasks)

    @classmethod
    def of(
        cls,
        tenant: Tenant,
        record_ids: Sequence[uuid.UUID],
        filters: Sequence[Mapping[str, Any]],
        tasks: tuple[TaskDefinition, ...],
    ) -> "Batch":
        """Facts, licences and the custom fields that filters ask about, for these tasks."""
        facts = text_facts(record_ids)
        users = {fact.user_id for fact in facts.values() if fact.user_id is not None}
        asked = [*filters, *(clause for task in tasks for clause in task.filters)]
        custom = custom_facts(tenant, facts, asked)
        return cls(facts, tasks, licensed_users(users, Bundle.SPEECH_ANALYTICS), custom)

    def judged(self, tenant: Tenant, filters: Sequence[Mapping[str, Any]], record_id: uuid.UUID) -> "Judged":
        """Eligibility, activation and filters of one conversation."""
        fact = self.facts.get(record_id)
        if fact is None:
            return Judged(_refused(Reason.NO_TRANSCRIPT, _("The conversation does not exist any more")))
        seen = _seen_text(fact)
        step = GateResult("step:eligibility", fact.has_text, seen, _("a transcript or messages"))
        if not fact.has_text:
            return Judged(_refused(Reason.NO_TRANSCRIPT, str(Reason.NO_TRANSCRIPT.label), step))
        if fact.ai_on_request:
            asked = GateResult("step:eligibility", False, _("on request only"), _("AI tasks are wanted"))
            return Judged(_refused(Reason.ON_REQUEST, str(Reason.ON_REQUEST.label), step, asked))
        names = ", ".join(task.title for task in self.tasks)
        active = GateResult("step:activation", bool(self.tasks), names or _("none"), _("at least one enabled task"))
        if not self.tasks:
            return Judged(_refused(Reason.TASK_DISABLED, _("No task is enabled for the organisation"), step, active))
        known = {**filter_facts(tenant, fact, self.licensed), **self.custom[record_id]}
        reason, trace = judge_filters(filters, known)
        if reason is not None:
            return Judged(_refused(reason, refusal_text(reason, trace, FILTER_FIELDS), step, active, *trace))
        fit, lines = [], [step, active, *trace]
        for task in self.tasks:
            problem = _unfit(task, fact) or _filtered(task, known)
            lines.append(GateResult("step:filters", not problem, f"{task.title}: {problem or _('met')}", _("all met")))
            fit += [] if problem else [task]
        if not fit:
            text = _("No task is meant for this conversation")
            return Judged(_refused(f"{Reason.FILTERED}:task", text, *lines))
        return Judged(None, tuple(fit), tuple(lines))


@dataclass(frozen=True, slots=True)
class Judged:
    """Why a conversation is left out, or the tasks that are meant for it."""

    refusal: Refuse | None
    tasks: tuple[TaskDefinition, ...] = ()
    trace: Trace = ()


def plans_of(
    tenant: Tenant,
    records: Sequence[Claimed],
    filters: Sequence[Mapping[str, Any]],
    engines: Engines,
    settings: Settings,
) -> dict[int, Refuse | Plan]:
    """For each record why it ends here, or what is to be asked about it."""
    ids = [record.record_id for record in records]
    batch = Batch.load(tenant, ids, filters, settings.tasks)
    judged = {record.id: batch.judged(tenant, filters, record.record_id) for record in records}
    fit = [record.record_id for record in records if judged[record.id].refusal is None]
    texts = texts_of(fit) if fit else {}
    values = field_values(tenant, batch.tasks, fit)
    found: dict[int, Refuse | Plan] = {}
    for record in records:
        one, text = judged[record.id], texts.get(record.record_id)
        if one.refusal is not None or text is None:
            found[record.id] = one.refusal or _refused(Reason.NO_TRANSCRIPT, str(Reason.NO_TRANSCRIPT.label))
            continue
        fact = batch.facts[record.record_id]
        found[record.id] = _plan(tenant, one, text, fact, values[record.record_id], engines)
    _leave_out_known(records, [found[record.id] for record in records], settings.anew)
    return found


def _plan(
    tenant: Tenant,
    judged: Judged,
    text: ConversationText,
    facts: TextFacts,
    values: Mapping[str, str],
    engines: Engines,
) -> Plan:
    plan = Plan(Subject(text, own_values(tenant, facts, text, timezone.now()) | dict(values)), facts)
    plan.trace = list(judged.trace)
    lines = lines_of(text.turns)
    for task in judged.tasks:
        _add(plan, task, tenant, lines, engines)
    return plan


def _add(plan: Plan, task: TaskDefinition, tenant: Tenant, lines: Sequence[Line], engines: Engines) -> None:
    """The execution of one task; where its engine cannot be asked, one that has ended with what is missing."""
    choice = engines.choose(tenant, task.engine_id)
    engine = choice.engine
    if engine is None or choice.obstacle in {Obstacle.MISSING, Obstacle.NOT_ALLOWED, Obstacle.DISABLED}:
        _cannot(plan, task, choice, told_of(choice))
        return
    try:
        target = engines.target(choice, task.model)
    except EngineUnusable as error:
        _cannot(plan, task, choice, f"{engine.name}: {error}")
        return
    key = key_of(task, plan.subject, lines, engine=engine.pk, model=target.model)
    ran = begin(task, target, key)
    if choice.obstacle == Obstacle.PAUSED:
        text = _("The engine “%(name)s” of “%(task)s” is paused: %(why)s")
        shown = text % {"name": engine.name, "task": task.title, "why": engine.pause_reason}
        _later(plan, ran, HeldBack(shown, wait=Record.Wait.ENGINE, retry_after=PAUSED_S))
    else:
        plan.rans.append(ran)


def hold_back(plan: Plan, engines: Engines) -> None:
    """Let the tasks wait whose engine fails; one may be its probe. Asks the database for engines that fail."""
    for ran in list(plan.rans):
        access = engines.accesses.get(ran.target.engine_id)
        held = None if access is None else access.expect()
        if held is not None:
            plan.rans.remove(ran)
            _later(plan, ran, held)


def _later(plan: Plan, ran: Ran, why: HeldBack) -> None:
    ran.trouble(why)
    ran.ended_at = ran.started_at
    plan.ended.append(ran)


def _cannot(plan: Plan, task: TaskDefinition, choice: Choice, why: str) -> None:
    """An execution that failed without a request: it is seen where executions are, and its outputs are missing."""
    plan.trace.append(GateResult("step:engine", False, f"{task.title}: {why}", _("enabled")))
    source = "" if choice.source is None else choice.source.value
    pk, name = (0, "") if choice.engine is None else (choice.engine.pk, choice.engine.name)
    ran = begin(task, Target(pk, name, NoEngine(task.model), source=source), "")
    ran.fail(Reason.ENGINE_CONFIG, why)
    ran.ended_at = ran.started_at
    plan.ended.append(ran)


def _leave_out_known(records: Sequence[Claimed], found: Iterable[Refuse | Plan], anew: bool) -> None:
    """Take out what was answered before: the same key and its values, or this very generation. Two queries.

    Also what this generation has failed at for good, and what it has noted of tasks without an engine: the record may come
    back only because another task waits.
    """
    plans = [(r, p) for r, p in zip(records, found, strict=True) if isinstance(p, Plan) and (p.rans or p.ended)]
    if not plans:
        return
    ended = _ended_before(plans)
    done = [row for row in ended if not row.reason]
    lost = {_place(row): row.reason for row in ended if row.reason in FINAL}
    noted = {_place(row) for row in ended if row.reason and not row.attempts}
    kept = {row.id for row in done if row.outputs == row.missing}
    kept |= set(
        FieldValue.objects.filter(execution_id__in=[row.id for row in done]).values_list("execution_id", flat=True)
    )
    same = {(row.record_id, row.key) for row in done if row.id in kept}
    here = {_place(row) for row in done}
    for record, plan in plans:
        for group in (plan.rans, plan.ended):
            for ran in list(group):
                place = (record.id, record.generation, ran.task.version_id)
                if ran.reason and ran.later is None and place in noted:
                    # It stands there since the last try of this record.
                    group.remove(ran)
                    continue
                mine = place in here
                if not mine and place in lost and ran.later is None:
                    group.remove(ran)
                    plan.failed.append((ran.task, lost[place]))
                elif mine or (not anew and (record.record_id, ran.key) in same):
                    group.remove(ran)
                    plan.known.append(ran.task)


def _ended_before(plans: Sequence[tuple[Claimed, Plan]]) -> list[Any]:
    """What has ended of the tasks of these plans: completed, failed for good, or failed without a request."""
    ended = Q(state=Execution.State.COMPLETED)
    ended |= Q(Q(reason__in=FINAL) | Q(attempts=0), state=Execution.State.FAILED)
    rows = Execution.objects.filter(
        ended,
        record_id__in=[record.record_id for record, _plan in plans],
        task_version__in={ran.task.version_id for _record, plan in plans for ran in (*plan.rans, *plan.ended)},
        tenant=plans[0][0].tenant_id,
        playground=False,
    )
    place = ("job_record", "generation", "task_version")
    return list(
        rows.values_list("id", "record_id", "key", *place, "outputs", "missing", "reason", "attempts", named=True)
    )


def _place(row: Any) -> tuple[int | None, int, int]:
    """The task of a generation of a record."""
    return row.job_record, row.generation, row.task_version


def _unfit(task: TaskDefinition, facts: TextFacts) -> str:
    """Why the conversation is not for the task, by its kind and the task's rails; empty when it is."""
    spoken = facts.record_type == RecordType.CALL
    if task.applies_to == AppliesTo.VOICE and not spoken:
        return _("only for calls")
    if task.applies_to == AppliesTo.TEXT and spoken:
        return _("only for text conversations")
    seconds = None if facts.duration_ms is None else facts.duration_ms // 1000
    if seconds is not None and seconds < task.limits.min_duration_s:
        return _("%(n)s s are less than %(least)s s") % {"n": seconds, "least": task.limits.min_duration_s}
    if facts.word_count < task.limits.min_words:
        return _("%(n)s words are less than %(least)s") % {"n": facts.word_count, "least": task.limits.min_words}
    return ""


def _filtered(task: TaskDefinition, known: Mapping[str, Any]) -> str:
    reason, trace = judge_filters(task.filters, known)
    return "" if reason is None else refusal_text(reason, trace, FILTER_FIELDS)


def _seen_text(fact: TextFacts) -> str:
    if not fact.has_text:
        return _("none")
    values = {"n": fact.version, "words": fact.word_count}
    if fact.record_type == RecordType.CALL:
        return _("transcript version %(n)s of %(words)s words") % values
    return _("messages version %(n)s of %(words)s words") % values


def told_of(choice: Choice) -> str:
    """What is missing, with the engine's name where there is one."""
    name = "" if choice.engine is None else choice.engine.name
    if choice.obstacle == Obstacle.NOT_ALLOWED:
        return _("the engine “%(name)s” is not for this organisation") % {"name": name}
    if choice.obstacle == Obstacle.DISABLED:
        return _("the engine “%(name)s” is disabled") % {"name": name}
    named = {
        Source.TASK: _("the engine that the task names was deleted"),
        Source.JOB: _("the job's engine was deleted"),
    }
    nothing = _("no engine is named: neither by the task nor by the job, and there is no default")
    return named.get(choice.source, nothing) if choice.source is not None else nothing


def _refused(reason: str, detail: str, *trace: GateResult) -> Refuse:
    return Refuse(Record.State.SKIPPED, str(reason)[:80], detail, trace)
