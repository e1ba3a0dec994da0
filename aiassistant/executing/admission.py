"""Asking the rails before the engine: budgets, rates and repetitions (providers §6.5)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from django.utils import timezone

from aiassistant.engines.base import Usage
from aiassistant.engines.tokens import calibrated, estimate
from aiassistant.executing.asking import REPAIRS
from aiassistant.executing.planning import Plan
from aiassistant.executing.running import Ran
from aiassistant.pricing import Price, cost_micros, price_at
from aiassistant.rails.admitting import Answer, Later, Refused, Wanted, admit
from aiassistant.rails.charging import release
from licensing.gates import GateResult
from tenants.models import Tenant

# Signs of one token of instructions, which are in the language of their author.
SIGNS = 3.5
Prices = dict[int, list[Price]]


@dataclass(slots=True)
class Admitted:
    """What the rails said about one conversation: ``delay_s`` when all of it has to wait."""

    refused: list[tuple[Ran, Refused]] = field(default_factory=list)
    delay_s: float | None = None


def price_of(prices: Prices, ran: Ran) -> Price | None:
    """The row that holds today for the model that was asked."""
    rows = prices.get(ran.target.engine_id, [])
    return price_at(rows, model=ran.target.model, day=timezone.now().date()) if rows else None


def admit_plans(tenant: Tenant, plans: Sequence[Plan], prices: Prices, *, playground: bool = False) -> list[Admitted]:
    """Ask for all executions of a batch at once; what is refused is taken out of its plan.

    A conversation of which one task must wait for the tenant's rate waits as a whole, and holds nothing meanwhile.
    In the ``playground`` a conversation may be asked about as often as people like, within budgets and rate.
    """
    wanted = [_wanted(plan, ran, tokens, prices) for plan in plans for tokens in [_size(plan)] for ran in plan.rans]
    if playground:
        wanted = [replace(one, max_executions=None) for one in wanted]
    answers = admit(tenant.pk, wanted)
    found = [_sorted(plan, answers) for plan in plans]
    idle = [str(ran.execution_id) for plan, one in zip(plans, found, strict=True) if one.delay_s for ran in plan.rans]
    release(tenant.pk, idle)
    return found


def _sorted(plan: Plan, answers: dict[str, Answer]) -> Admitted:
    found = Admitted()
    for ran in list(plan.rans):
        answer = answers[str(ran.execution_id)]
        if isinstance(answer, Later):
            found.delay_s = max(found.delay_s or 0.0, answer.delay_s)
        elif isinstance(answer, Refused):
            plan.rans.remove(ran)
            ran.fail(answer.reason, answer.detail)
            plan.trace.append(GateResult("step:budget", False, f"{ran.task.title}: {answer.detail}", ""))
            found.refused.append((ran, answer))
    return found


def _size(plan: Plan) -> float:
    return sum(estimate(turn.text) + 8 for turn in plan.subject.text.turns)


def _wanted(plan: Plan, ran: Ran, size: float, prices: Prices) -> Wanted:
    """The most that it may come to: every part read, answered, and mended as often as is allowed."""
    task, adapter = ran.task, ran.target.adapter
    usage, price = Usage(), price_of(prices, ran)
    if adapter.reads_messages:
        asked = size + (len(task.system_template) + len(task.user_template)) / SIGNS + 200
        prompt = calibrated(asked, ran.target.calibration)
        cap = task.params.max_output_tokens or adapter.max_output_tokens
        parts = -(-prompt // max(adapter.window - cap, 1))
        answers = cap if parts <= 1 else cap * (parts + 1)
        usage = Usage(prompt=prompt * (1 + REPAIRS), completion=answers * (1 + REPAIRS))
    return Wanted(
        key=str(ran.execution_id),
        task=task.task_id,
        engine=ran.target.engine_id,
        record_id=plan.facts.record_id,
        tokens=usage.prompt + usage.completion,
        # Nobody knows beforehand how much of the answer is reasoning, which may have a price of its own.
        cost=max(cost_micros(price, usage), cost_micros(price, replace(usage, reasoning=usage.completion))),
        currency=price.currency if price is not None else "",
        max_executions=task.limits.max_executions,
    )
