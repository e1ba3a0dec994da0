"""Keeping what executions came to: values, executions, words, money; in the transaction of the record's state.

The caller demands the fence and has it. A bad answer writes no value, so what stood there stays.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from aiassistant.executing.admission import Prices, price_of
from aiassistant.executing.flags import Flag
from aiassistant.executing.models import Execution
from aiassistant.executing.planning import Plan
from aiassistant.executing.running import Ran
from aiassistant.rails.charging import Attempt, charge, release
from aiassistant.rails.outcomes import count
from conversations.executions import Exchange, NewText, keep_texts
from conversations.fields.deciding import Outcome
from conversations.fields.writing import NewValue, Provenance, Written, write_values
from core.outcomes import Reason
from jobs.verdicts import Claimed
from licensing.gates import GateResult
from licensing.spending.models import Part
from tenants.models import Tenant

ACTOR = "system:ai"


@dataclass(slots=True)
class Work:
    """What was done for one conversation: ``rans`` ended, well or not; ``idle`` were admitted and never asked."""

    plan: Plan
    rans: Sequence[Ran]
    idle: Sequence[Ran] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked about which conversation: a record of a job, or the playground."""

    record_type: str
    record_id: uuid.UUID
    job_id: int | None = None
    job_record: int | None = None
    generation: int = 0
    playground: bool = False


def store(
    tenant: Tenant, done: Sequence[tuple[Claimed, Work]], *, job_id: int | None, prices: Prices
) -> dict[int, list[GateResult]]:
    """Write a batch; return for each record the last of the five steps, for its history.

    A fixed number of statements for the batch. Raises what the services raise; then nothing is written.
    """
    pairs = [(record, work, ran) for record, work in done for ran in work.rans]
    rows = [row for _record, work, ran in pairs if ran.completed for row in _values(work.plan, ran)]
    written = write_values(tenant=tenant, rows=rows, actor=ACTOR) if rows else []
    by_execution: dict[Any, list[Written]] = defaultdict(list)
    for one in written:
        by_execution[one.row.provenance.execution_id].append(one)
    executions = Execution.objects.bulk_create(
        [
            execution_of(tenant, _origin(record, job_id), work.plan, ran, by_execution[ran.execution_id], prices)
            for record, work, ran in pairs
        ]
    )
    count(tenant.pk, executions)
    keep_texts(tenant=tenant, items=[_text(record, ran) for record, _work, ran in pairs])
    charge(
        tenant.pk, [line for record, _work, ran in pairs for line in attempts_of(_origin(record, job_id), ran, prices)]
    )
    unspent = [ran for _record, _work, ran in pairs if not ran.asks]
    idle = [ran for _record, work in done for ran in work.idle]
    release(tenant.pk, [str(ran.execution_id) for ran in (*unspent, *idle)])
    return {record.id: [_step(work, by_execution)] for record, work in done}


def _values(plan: Plan, ran: Ran) -> Iterable[NewValue]:
    """The outputs that have a field; the others are only shown with the execution."""
    assert ran.values is not None
    usage, text = ran.usage, plan.subject.text
    for output in ran.task.outputs:
        if output.field_id is None or output.name not in ran.values:
            continue
        yield NewValue(
            record_type=text.record_type.value,
            record_id=text.record_id,
            field_id=output.field_id,
            value=ran.values[output.name],
            rule=ran.task.overwrite,
            explanation=ran.explanations.get(output.name, ""),
            evidence=ran.evidence.get(output.name, ()),
            provenance=Provenance(
                task_version=ran.task.version_id,
                task_label=ran.task.label[:200],
                engine=ran.target.name[:120],
                model=ran.model[:120],
                prompt_hash=ran.task.prompt_hash,
                tokens=usage.prompt + usage.completion,
                execution_id=ran.execution_id,
                transcript_version=text.version,
            ),
        )


def _origin(record: Claimed, job_id: int | None) -> Origin:
    return Origin(record.record_type, record.record_id, job_id, record.id, record.generation)


def execution_of(
    tenant: Tenant, origin: Origin, plan: Plan, ran: Ran, written: Sequence[Written], prices: Prices
) -> Execution:
    """The row of an execution that has ended; ``written`` are its values, as they were stored."""
    usage, price = ran.usage, price_of(prices, ran)
    refused = [one for one in written if one.outcome in {Outcome.REFUSED, Outcome.GONE}]
    empty = sum(value is None for value in (ran.values or {}).values())
    flags = ran.flags | ({Flag.REFUSED_BY_FIELD.value} if refused else set())
    lines = attempts_of(origin, ran, prices)
    return Execution(
        id=ran.execution_id,
        tenant=tenant,
        record_type=origin.record_type,
        record_id=origin.record_id,
        job_id=origin.job_id,
        job_record=origin.job_record,
        generation=origin.generation,
        playground=origin.playground,
        task_key=ran.task.key,
        task_label=ran.task.label[:200],
        task_version=ran.task.version_id,
        transcript_version=plan.subject.text.version,
        engine_id=ran.target.engine_id or None,
        engine_name=ran.target.name[:120],
        engine_source=ran.target.source,
        model=ran.model[:120],
        state=_state(ran),
        reason=ran.reason,
        detail=ran.detail,
        key=ran.key,
        prompt_tokens=usage.prompt,
        cached_tokens=usage.cached,
        completion_tokens=usage.completion,
        reasoning_tokens=usage.reasoning,
        usage_estimated=usage.estimated,
        cost_micros=sum(line.cost for line in lines),
        currency=price.currency if price is not None else "",
        price_id=price.pk if price is not None else None,
        attempts=len(ran.asks),
        repairs=ran.repairs,
        latency_ms=sum(ask.latency_ms for ask in ran.asks),
        chunks=ran.chunks,
        path=ran.path if ran.path in Execution.Path.values else Execution.Path.WHOLE,
        shared=ran.shared,
        outputs=len(ran.task.outputs),
        missing=len(ran.task.outputs) if not ran.completed else empty + len(refused),
        flags=sorted(flags),
        started_at=ran.started_at,
        ended_at=ran.ended_at or ran.started_at,
    )


def _state(ran: Ran) -> Execution.State:
    if ran.completed:
        return Execution.State.COMPLETED
    skipped = ran.reason == Reason.BUDGET_EXHAUSTED and not ran.asks
    return Execution.State.SKIPPED if skipped else Execution.State.FAILED


def attempts_of(origin: Origin, ran: Ran, prices: Prices) -> list[Attempt]:
    """One line for each request; those of an engine without tokens cost nothing and count all the same."""
    price = price_of(prices, ran)
    return [
        Attempt(
            request=str(ran.execution_id),
            number=number,
            part=Part(ask.part),
            task=ran.task.task_id,
            task_version=ran.task.version_id,
            engine=ran.target.engine_id,
            model=ran.target.model,
            record_type=origin.record_type,
            record_id=origin.record_id,
            usage=ask.usage,
            price=price,
            playground=origin.playground,
        )
        for number, ask in enumerate(ran.asks, start=1)
    ]


def _text(record: Claimed, ran: Ran) -> NewText:
    exchanges = [
        Exchange([(message.role, message.content) for message in ask.messages], ask.answer, ask.note)
        for ask in ran.asks
    ]
    return NewText(ran.execution_id, record.record_type, record.record_id, exchanges)


def _step(work: Work, by_execution: Mapping[Any, Sequence[Written]]) -> GateResult:
    """Persistence, in words."""
    written = [one for ran in work.rans for one in by_execution[ran.execution_id]]
    counts = {kind: sum(one.outcome == kind for one in written) for kind in Outcome}
    pinned = sum(one.pinned for one in written)
    parts = [
        _("%(n)s values written") % {"n": counts[Outcome.WRITTEN]},
        _("%(n)s as they were") % {"n": counts[Outcome.UNCHANGED]},
        _("%(n)s kept by the rule of the task") % {"n": counts[Outcome.KEPT] - pinned},
        _("%(n)s kept because a person pinned them") % {"n": pinned},
        _("%(n)s refused by their fields") % {"n": counts[Outcome.REFUSED] + counts[Outcome.GONE]},
    ]
    shown = [part for part, number in zip(parts, _numbers(counts, pinned), strict=True) if number]
    return GateResult("step:persistence", not counts[Outcome.REFUSED], ", ".join(shown) or _("no values"), "")


def _numbers(counts: Mapping[Outcome, int], pinned: int) -> list[int]:
    refused = counts[Outcome.REFUSED] + counts[Outcome.GONE]
    return [counts[Outcome.WRITTEN], counts[Outcome.UNCHANGED], counts[Outcome.KEPT] - pinned, pinned, refused]
