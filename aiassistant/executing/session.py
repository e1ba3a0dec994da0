"""A pass of an AI job: load and gate a batch, ask the engines about each conversation, keep what came of it."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from aiassistant.engines.capabilities import Capabilities
from aiassistant.executing.admission import admit_plans
from aiassistant.executing.engines import Engines
from aiassistant.executing.planning import PAUSED_S, Plan, Settings, hold_back, plans_of
from aiassistant.executing.running import Ran, Target
from aiassistant.executing.storing import Work, store
from aiassistant.executing.together import batches, execute_together
from aiassistant.executing.variables import said_before
from aiassistant.family import AI
from aiassistant.models import AIEngine
from aiassistant.pacing.access import HeldBack
from aiassistant.services import MODEL_GONE, learn, learn_tokens, pause
from core.outcomes import EngineError, ErrorClass, Reason
from engines.selectors import circuit_key
from engines.services import report_failing
from jobs.models import JobDefinition, Record
from jobs.policy.rules import MOST_CALLS
from jobs.verdicts import Claimed, Finished, Go, PutOff, Refuse, StillPending, Submitted, Troubled, Verdict
from licensing.gates import GateResult
from tenants.models import Tenant

# Before the name of the places that a pass holds of a job with several engines; no engine's name begins so.
SEVERAL = f"{AI.namespace}-several"
CONCURRENCY = 8
OTHER = "other_engine"


class AISession:
    """One job, opened for a pass.

    Of a job with one engine the pass itself holds places and circuit. Of a job with several it holds as many places as
    they have together, and nothing but a name for a circuit: each engine is bounded by itself (``pacing``).
    """

    many_requests = True
    reference_mark = ""

    def __init__(
        self,
        engines: Engines,
        filters: Sequence[Mapping[str, Any]],
        settings: Settings,
        *,
        conversation_timeout_s: float | None = None,
    ) -> None:
        self.engines, self.filters, self.settings = engines, filters, settings
        self.conversation_timeout_s = conversation_timeout_s
        main = engines.main
        if main is not None:
            self.circuit, self.concurrency = circuit_key(main), engines.places(main)
        else:
            named = "+".join(str(engine.pk) for engine in engines.used)
            self.circuit = f"{SEVERAL}:{named}"[:80]
            places = sum(engines.places(engine) for engine in engines.used if not engines.why_not(engine))
            self.concurrency = min(max(places, CONCURRENCY), MOST_CALLS)
        self.refused: dict[int, EngineError] = {}
        self.seen: dict[int, tuple[Capabilities, int, int]] = {}

    def load(self, tenant: Tenant, records: Sequence[Claimed]) -> dict[int, Verdict]:
        """Eligibility, tasks, filters, what is known already, and the rails, for a batch.

        Also where records come again after an error: what was answered then is not asked anew.
        """
        self._learn()
        self.engines.refresh()
        if self.engines.job is None and records:
            self.engines.job = JobDefinition.objects.filter(records=records[0].id).first()
        found = plans_of(tenant, records, self.filters, self.engines, self.settings)
        plans = [plan for plan in found.values() if isinstance(plan, Plan)]
        for each in plans:
            hold_back(each, self.engines)
        admitted = dict(zip(map(id, plans), admit_plans(tenant, plans, self.engines.prices), strict=True))
        verdicts: dict[int, Verdict] = {}
        for record in records:
            plan = found[record.id]
            if isinstance(plan, Refuse):
                verdicts[record.id] = plan
                continue
            said = admitted[id(plan)]
            if said.delay_s is not None:
                verdicts[record.id] = PutOff(said.delay_s)
            elif plan.rans or plan.ended or plan.known:
                plan.ended += [ran for ran, _answer in said.refused]
                verdicts[record.id] = Go(plan)
            elif said.refused:
                detail = said.refused[0][1].detail
                verdicts[record.id] = Refuse(Record.State.SKIPPED, Reason.BUDGET_EXHAUSTED, detail, tuple(plan.trace))
            elif plan.failed:
                text = _("All tasks failed at an earlier try")
                reason = Reason(plan.failed[0][1])
                verdicts[record.id] = Refuse(Record.State.FAILED, reason, text, tuple(plan.trace))
            else:
                text = _("No engine can be asked for any of the tasks")
                verdicts[record.id] = Refuse(Record.State.FAILED, Reason.ENGINE_CONFIG, text, tuple(plan.trace))
        return verdicts

    async def open(self) -> None:
        """Engines are opened when they are first asked."""

    async def close(self) -> None:
        """Close all that were opened."""
        await self.engines.close()

    async def submit(self, record: Claimed, payload: Plan) -> Submitted | Finished | Troubled:
        """Ask for all tasks of the conversation, one request after the other: it has one place at the engine."""
        plan = payload
        ends_at = self._ends_at(record)
        await self.engines.open({id(ran.target): ran.target for ran in plan.rans}.values())
        asked: list[Ran] = []
        waits: set[int] = set()
        for group in batches(plan.rans, together=self.settings.together):
            engine_id = group[0].target.engine_id
            if engine_id in waits or engine_id in self.refused:
                # What the first heard of the engine, the others would hear as well.
                continue
            left = None if ends_at is None else ends_at - time.monotonic()
            for ran in group:
                ran.started_at = timezone.now()
            await execute_together(group, plan.subject, within_s=left)
            asked += group
            for ran in group:
                self._heard(ran, waits)
                plan.subject.values.update(said_before(ran.task, ran.values or {}))
        return self._outcome(plan, asked)

    async def advance(self, record: Claimed, payload: Plan) -> StillPending | Finished:
        """Records of this kind never wait for a result."""
        raise EngineError(ErrorClass.LOST, "An AI task has no remote job.", code=OTHER)

    async def look_up(self, references: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        """Nothing is ever left at a provider."""
        return {}

    async def clean_up(self, remote: dict[str, Any]) -> None:
        """There is nothing to delete."""

    def tend(self, calls: int) -> None:
        """Places, limits and circuits of the engines."""
        for access in self.engines.accesses.values():
            access.tend(calls)

    def leave(self) -> None:
        """Give back what was taken of the engines."""
        for access in self.engines.accesses.values():
            access.leave()

    def commit(self, tenant: Tenant, finished: Sequence[tuple[Claimed, Any]]) -> Mapping[int, Sequence[GateResult]]:
        """Values, executions, words and money of the batch, in the transaction of the record states."""
        if not finished:
            return {}
        for engine_id, error in self.refused.items():
            if not self.engines.is_main(engine_id):
                pause(engine=self.engines.table.engines[engine_id], error=error)
        return store(
            tenant,
            finished,
            job_id=None if self.engines.job is None else self.engines.job.pk,
            prices=self.engines.prices,
        )

    def usable(self) -> bool:
        """True while the main engine is as it was when the session was made."""
        main = self.engines.main
        if main is None:
            return True
        same = AIEngine.objects.filter(pk=main.pk, version=main.version)
        return same.filter(enabled=True, paused_at__isnull=True).exists()

    def on_config_error(self, error: EngineError) -> None:
        """Pause the main engine once; others are paused with the next commit."""
        main = self.engines.main
        if main is not None:
            pause(engine=main, error=error)

    def on_circuit_opened(self, reason: str) -> None:
        """One row in the audit trail and one line of the worker's log."""
        if self.engines.main is not None:
            report_failing(engine=self.engines.main, reason=reason)

    def _ends_at(self, record: Claimed) -> float | None:
        """When the time of the conversation is over, on the clock of this process; it began with the first request."""
        if self.conversation_timeout_s is None:
            return None
        begun = 0.0 if record.uploaded_at is None else (timezone.now() - record.uploaded_at).total_seconds()
        return time.monotonic() + self.conversation_timeout_s - begun

    def _heard(self, ran: Ran, waits: set[int]) -> None:
        """What a request taught about its engine."""
        target = ran.target
        if ran.later is not None:
            waits.add(target.engine_id)
            if ran.later.error_class == ErrorClass.CONFIG:
                self.refused[target.engine_id] = ran.later
        for ask in ran.asks:
            if ask.expected and ask.usage.prompt and not ask.usage.estimated:
                self.seen[target.engine_id] = (target.adapter.capabilities, ask.usage.prompt, ask.expected)

    def _learn(self) -> None:
        """Keep what was learned of engines since the last batch, outside all transactions of results."""
        for engine_id, (capabilities, reported, estimated) in self.seen.items():
            engine = self.engines.table.engines.get(engine_id)
            if engine is not None:
                learn(engine=engine, capabilities=capabilities)
                factor = learn_tokens(engine=engine, reported=reported, estimated=estimated)
                for target in self._targets(engine_id):
                    target.calibration = factor
        self.seen.clear()

    def _targets(self, engine_id: int) -> list[Target]:
        return [target for target in self.engines.targets.values() if target.engine_id == engine_id]

    def _outcome(self, plan: Plan, asked: Sequence[Ran]) -> Finished | Troubled:
        idle = [ran for ran in plan.rans if ran not in asked]
        ended = [*asked, *plan.ended]
        waiting = [ran for ran in ended if ran.later is not None]
        kept = [ran for ran in ended if _is_execution(ran)]
        work = Work(plan, kept, [*idle, *(ran for ran in ended if ran not in kept)])
        trace = (*plan.trace, *(_step(ran) for ran in ended), *_known_steps(plan))
        good = sum(ran.completed for ran in ended) + len(plan.known)
        detail = _("%(good)s of %(all)s tasks answered") % {
            "good": good,
            "all": len(ended) + len(plan.known) + len(plan.failed) + len(idle),
        }
        if waiting:
            error = self._error(waiting)
            wait = error.wait if isinstance(error, HeldBack) else ""
            return Troubled(error, work, partly=bool(good), detail=detail, trace=trace, wait=wait)
        if good:
            return Finished(work, detail, trace)
        worst = next((ran for ran in ended if ran.asks), ended[0])
        skipped = all(ran.reason == Reason.BUDGET_EXHAUSTED and not ran.asks for ran in ended)
        error = EngineError(ErrorClass.INPUT, worst.detail or detail, code=OTHER)
        return Troubled(error, work, detail=detail, trace=trace, reason=worst.reason, skipped=skipped)

    def _error(self, waiting: Sequence[Ran]) -> EngineError:
        """The trouble that decides about the record: that of the main engine first, whose pauses and circuit are ours.

        Then what the engine itself said, before what is only held back; of these the one that ends first.
        """
        order = {ErrorClass.CONFIG: 0, ErrorClass.TRANSIENT: 1}
        heard = [(ran.later, self.engines.is_main(ran.target.engine_id)) for ran in waiting if ran.later is not None]
        main = [error for error, ours in heard if ours and not isinstance(error, HeldBack)]
        if main:
            return min(main, key=lambda error: order.get(error.error_class, 2))
        said = [error for error, _ours in heard if not isinstance(error, HeldBack)]
        if not said:
            return min((error for error, _ours in heard), key=lambda error: error.retry_after or 0.0)
        error = said[0]
        if error.error_class == ErrorClass.CONFIG:
            return HeldBack(error.message, wait=Record.Wait.ENGINE, retry_after=PAUSED_S)
        return EngineError(error.error_class, error.message, code=OTHER, retry_after=error.retry_after)


def _is_execution(ran: Ran) -> bool:
    """A try that was only told to wait is none; one that cost something, broke, or found its model gone is."""
    if ran.later is None or ran.asks:
        return True
    return ran.later.error_class == ErrorClass.TRANSIENT or ran.later.code in MODEL_GONE


def _step(ran: Ran) -> GateResult:
    """One execution, in words: what was asked of whom, and how it ended."""
    usage = ran.usage
    facts = [_("%(n)s tokens") % {"n": f"{usage.prompt + usage.completion:,}"}] if ran.asks else []
    facts += [_("%(n)s repairs") % {"n": ran.repairs}] if ran.repairs else []
    facts += [_("%(n)s parts") % {"n": ran.chunks}] if ran.chunks > 1 else []
    ended = _("completed") if ran.completed else ran.detail or str(Reason.label_of(ran.reason))
    seen = f"{ran.task.label} · {ran.target.name}: {ended}" + (f" ({', '.join(facts)})" if facts else "")
    return GateResult("step:execution", ran.completed, seen[:400], "")


def _known_steps(plan: Plan) -> list[GateResult]:
    text = _("answered before, nothing has changed")
    return [GateResult("step:execution", True, f"{task.label}: {text}", "") for task in plan.known]
