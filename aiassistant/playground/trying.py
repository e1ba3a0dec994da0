"""A run of the playground in a worker: the pipeline of AI jobs on a few conversations, without writing a value.

A round of conversations is prepared and admitted where the database is, asked in an event loop that stops every other
second so that the run is held and a wish to stop is heard, and kept conversation by conversation.
"""

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from aiassistant.executing.admission import admit_plans
from aiassistant.executing.asking import begin, execute
from aiassistant.executing.models import Execution
from aiassistant.executing.planning import Batch, Plan
from aiassistant.executing.prompts import Subject, key_of, lines_of
from aiassistant.executing.running import Ran
from aiassistant.executing.storing import Origin, attempts_of, execution_of
from aiassistant.executing.variables import field_values, own_values
from aiassistant.library.definitions import TaskDefinition
from aiassistant.library.estimating import monthly
from aiassistant.library.models import AITaskVersion
from aiassistant.library.selectors import definition_for
from aiassistant.playground.asking import Asked
from aiassistant.playground.models import PlaygroundRun
from aiassistant.playground.reach import as_seen_by, readable
from aiassistant.playground.results import CURRENT, DRAFT, Side, added, stored
from aiassistant.playground.services import (
    UNREADABLE,
    begin_run,
    claim_run,
    draft_of,
    end_run,
    held,
    keep_hold,
    put_off,
)
from aiassistant.rails.charging import charge, release
from conversations.models import Call
from conversations.texts import ConversationText, texts_of
from conversations.trials import keep_trial, tried_in
from core.errors import Conflict
from core.moves import move
from core.outcomes import Reason
from engines.selectors import EngineUnusable
from tenants.doors import TenantUnavailable, enter

logger = logging.getLogger(__name__)
State = PlaygroundRun.State
# Conversations at a time, how many of the newest are judged by the filters, and how many of these at once.
ROUND, SAMPLE, BATCH = 4, 2000, 250
# How long the loop runs before requests are let in, and how often the run is held anew.
STEP_S, BEAT_S = 0.25, 2.0


class Over(Exception):
    """The run ends here, with a state, a reason and its words."""

    def __init__(self, state: State, reason: str = "", detail: str = "") -> None:
        self.state, self.reason, self.detail = state, reason, detail
        super().__init__(detail)


@dataclass(slots=True)
class Trial:
    """One conversation: the executions that are made, and the sides that are known without asking."""

    record_type: str
    record_id: uuid.UUID
    plan: Plan | None = None
    rans: dict[str, Ran] = field(default_factory=dict)
    sides: dict[str, Side] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def run_trial(run_id: str) -> None:
    """Work on a run until it ends or has to wait. Whatever goes wrong, it ends with a reason or is taken up again."""
    run = claim_run(run_id)
    if run is None:
        return
    over = _worked(run)
    if over is not None:
        with suppress(Conflict):
            end_run(run, over.state, reason=over.reason, detail=over.detail)


def _worked(run: PlaygroundRun) -> Over | None:
    """How the run ended; None when it waits, was ended or is another worker's."""
    try:
        with enter(run.tenant):
            Trying(run).go()
    except Over as over:
        return over
    except Conflict:
        return None
    except TenantUnavailable:
        return Over(State.FAILED, Reason.TENANT_DISABLED, str(Reason.TENANT_DISABLED.label))
    except Exception as error:
        # Neither the words of the error nor its trace: both may quote a conversation.
        logger.error("A try of a draft failed: %s", type(error).__name__)
        return Over(State.FAILED, Reason.CRASHED, type(error).__name__)
    return Over(State.COMPLETED)


class Trying:
    """A run that this worker holds, inside its tenant."""

    def __init__(self, run: PlaygroundRun) -> None:
        self.run, self.tenant = run, run.tenant
        draft = definition_for(run.task, draft_of(run.task, run.content, run.number))
        self.versions: dict[str, TaskDefinition] = {DRAFT: draft}
        current = AITaskVersion.objects.filter(pk=run.current).first() if run.current is not None else None
        if current is not None:
            self.versions[CURRENT] = definition_for(run.task, current)
        self.engines = Asked()

    def go(self) -> None:
        """All conversations that are not answered yet. Raises Over, and Conflict when the run is no more ours."""
        if keep_hold(self.run):
            raise Over(State.CANCELLED)
        if not self.run.records:
            begin_run(self.run, self._wanted() if self.run.wanted else self._newest())
        answered = tried_in(self.run.pk)
        left = [pk for pk in self.run.records if pk not in answered]
        with asyncio.Runner() as loop:
            try:
                while left:
                    self._round(loop, left[:ROUND])
                    left = left[ROUND:]
            finally:
                loop.run(self.engines.close())
        months = {name: monthly(self.tenant, task).conversations for name, task in self.versions.items()}
        self.run.figures = {**self.run.figures, "month": months}

    def _wanted(self) -> list[uuid.UUID]:
        known = set(self._readable().filter(pk__in=self.run.wanted).values_list("pk", flat=True))
        if len(known) < len(self.run.wanted):
            raise Over(State.FAILED, Reason.NO_TRANSCRIPT, str(UNREADABLE))
        return list(self.run.wanted)

    def _newest(self) -> list[uuid.UUID]:
        """The newest that the draft's filters and limits let through. Raises Over when there is none, and says why."""
        most = self.run.newest or 1
        ids = list(self._readable().order_by("-started_at", "-pk").values_list("pk", flat=True)[:SAMPLE])
        found: list[uuid.UUID] = []
        why: Counter[str] = Counter()
        for at in range(0, len(ids), BATCH):
            part = ids[at : at + BATCH]
            batch = Batch.of(self.tenant, part, (), (self.versions[DRAFT],))
            for pk in part:
                problem = self._left_out(batch, DRAFT, pk)
                if problem:
                    why[problem] += 1
                else:
                    found.append(pk)
                if len(found) >= most:
                    return found
        if found:
            return found
        text = _("There is no conversation that you may read.")
        if ids:
            facts = {"n": len(ids), "why": why.most_common(1)[0][0]}
            text = (
                _("None of the newest %(n)s conversations passes the filters and limits. Most often: %(why)s") % facts
            )
        raise Over(State.FAILED, f"{Reason.FILTERED}:task", text)

    def _readable(self) -> QuerySet[Call]:
        user = self.run.requested_by
        if user is None:
            raise Over(State.FAILED, Reason.ABORTED, _("Who asked for it was deleted."))
        return readable(as_seen_by(user, self.tenant))

    def _left_out(self, batch: Batch, side: str, record_id: uuid.UUID) -> str:
        """Why a version would not be asked about the conversation, in words; empty when it would."""
        one = replace(batch, tasks=(self.versions[side],))
        refusal = one.judged(self.tenant, (), record_id).refusal
        if refusal is None:
            return ""
        said = [line.seen for line in refusal.trace if not line.passed and line.gate == "step:filters"]
        return str(said[-1]).removeprefix(f"{self.versions[side].title}: ") if said else refusal.detail

    def _round(self, loop: asyncio.Runner, ids: Sequence[uuid.UUID]) -> None:
        """Some conversations: prepare, ask the rails, ask the engines, keep. Raises Over and Conflict."""
        self.engines.refresh()
        trials = self._prepared(ids)
        planned = [trial for trial in trials if trial.plan is not None]
        plans = [trial.plan for trial in planned if trial.plan is not None]
        said = admit_plans(self.tenant, plans, self.engines.prices, playground=True)
        waits, refused = 0.0, ""
        for trial, answer in zip(planned, said, strict=True):
            if answer.delay_s is not None:
                waits = max(waits, answer.delay_s)
                trials.remove(trial)
            for ran, no in answer.refused:
                refused = refused or no.detail
                name = next(side for side, each in trial.rans.items() if each is ran)
                del trial.rans[name]
                trial.sides[name] = Side(Execution.State.SKIPPED, ran.reason, ran.detail)
        self._ask(loop, trials)
        if refused:
            raise Over(State.FAILED, Reason.BUDGET_EXHAUSTED, refused)
        if waits:
            put_off(self.run, waits)
            raise Conflict(_("It waits for the rate of the tenant."))

    def _prepared(self, ids: Sequence[uuid.UUID]) -> list[Trial]:
        tasks = tuple(self.versions.values())
        batch = Batch.of(self.tenant, ids, (), tasks)
        texts, values = texts_of(ids), field_values(self.tenant, tasks, ids)
        found = []
        for pk in ids:
            text = texts.get(pk)
            if text is None:
                detail = str(Reason.NO_TRANSCRIPT.label)
                nothing = Side(Execution.State.SKIPPED, Reason.NO_TRANSCRIPT, detail)
                kind = batch.facts[pk].record_type.value if pk in batch.facts else "call"
                found.append(Trial(kind, pk, sides=dict.fromkeys(self.versions, nothing)))
            else:
                found.append(self._planned(batch, text, values[pk]))
        return found

    def _planned(self, batch: Batch, text: ConversationText, values: dict[str, str]) -> Trial:
        facts = batch.facts[text.record_id]
        plan = Plan(Subject(text, own_values(self.tenant, facts, text, timezone.now()) | values), facts)
        trial = Trial(text.record_type.value, text.record_id, plan)
        lines = lines_of(text.turns)
        for name, task in self.versions.items():
            trial.left_out[name] = self._left_out(batch, name, text.record_id)
            try:
                _engine, target = self.engines.target_of(task, self.tenant)
            except EngineUnusable as error:
                trial.sides[name] = Side(Execution.State.FAILED, Reason.ENGINE_CONFIG, str(error)[:500])
                continue
            key = key_of(task, plan.subject, lines, engine=target.engine_id, model=target.model)
            trial.rans[name] = begin(task, target, key)
            plan.rans.append(trial.rans[name])
        return trial

    def _ask(self, loop: asyncio.Runner, trials: Sequence[Trial]) -> None:
        """Ask about conversations at the same time and keep each when it is answered. Raises Over when it is to stop."""
        tasks = {loop.get_loop().create_task(self._asked(trial)): trial for trial in trials}
        pending = set(tasks)
        beat_at = time.monotonic()
        try:
            while pending:
                self.engines.tend()
                done, pending = loop.run(_some(pending))
                for each in done:
                    each.result()
                    self._keep(tasks[each])
                if done or time.monotonic() >= beat_at:
                    beat_at = time.monotonic() + BEAT_S
                    if keep_hold(self.run):
                        raise Over(State.CANCELLED)
        finally:
            for each in pending:
                each.cancel()
            if pending:
                loop.run(_all(pending))
                self._abandon([tasks[each] for each in pending])

    async def _asked(self, trial: Trial) -> None:
        """One version after the other: a conversation has one place at an engine."""
        if trial.plan is None:
            return
        await self.engines.open({id(ran.target): ran.target for ran in trial.rans.values()}.values())
        for ran in trial.rans.values():
            ran.started_at = timezone.now()
            await execute(ran, trial.plan.subject)

    def _keep(self, trial: Trial) -> None:
        """Answers, executions and money of one conversation. What was spent is charged whoever holds the run."""
        rows = {name: self._row(trial, ran) for name, ran in trial.rans.items()}
        sides = {name: Side.of(ran, rows[name], trial.left_out.get(name, "")) for name, ran in trial.rans.items()}
        sides |= trial.sides
        figures = added(self.run.figures, sides)
        try:
            with transaction.atomic():
                self.run.done += 1
                move(held(self.run), done=self.run.done, figures=figures)
                keep_trial(
                    tenant=self.tenant,
                    run_id=self.run.pk,
                    record_type=trial.record_type,
                    record_id=trial.record_id,
                    body=stored(sides),
                )
                self._pay(trial, list(rows.values()))
        except Conflict:
            with transaction.atomic():
                self._pay(trial, list(rows.values()))
            raise
        self.run.figures = figures

    def _abandon(self, trials: Sequence[Trial]) -> None:
        """Conversations whose asking was broken off: what was answered till then costs all the same."""
        for trial in trials:
            for ran in trial.rans.values():
                if not ran.completed and not ran.reason:
                    ran.fail(Reason.ABORTED, str(Reason.ABORTED.label))
            with transaction.atomic():
                self._pay(trial, [self._row(trial, ran) for ran in trial.rans.values() if ran.asks])

    def _row(self, trial: Trial, ran: Ran) -> Execution:
        assert trial.plan is not None
        row = execution_of(self.tenant, self._origin(trial), trial.plan, ran, (), self.engines.prices)
        if not ran.task.version_id:
            row.task_label = _("%(task)s (unsaved draft)") % {"task": ran.task.title}
        return row

    def _pay(self, trial: Trial, rows: Sequence[Execution]) -> None:
        """Executions and their lines in the ledger; what made no request gives back what was held for it."""
        Execution.objects.bulk_create(rows)
        rans = trial.rans.values()
        lines = [line for ran in rans for line in attempts_of(self._origin(trial), ran, self.engines.prices)]
        charge(self.tenant.pk, lines)
        release(self.tenant.pk, [str(ran.execution_id) for ran in rans if not ran.asks])

    def _origin(self, trial: Trial) -> Origin:
        return Origin(trial.record_type, trial.record_id, playground=True)


async def _some(pending: set["asyncio.Task[None]"]) -> tuple[set["asyncio.Task[None]"], set["asyncio.Task[None]"]]:
    return await asyncio.wait(pending, timeout=STEP_S, return_when=asyncio.FIRST_COMPLETED)


async def _all(pending: set["asyncio.Task[None]"]) -> None:
    await asyncio.gather(*pending, return_exceptions=True)
