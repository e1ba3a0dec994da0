"""Whether an execution may begin: repetitions of its conversation, hard budgets, the tenant's rate, in this order.

Budgets are judged under the locks of their rows, one short transaction for a batch, so passes at once never overshoot:
what each admits is held until it is charged. Without budgets, rate and repetitions nothing is written.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from aiassistant.rails.models import Budget, TenantRate
from core.outcomes import Reason
from jobs.policy.rates import comes_back, counted, free
from licensing.spending import book

ASKED = """
SELECT task, record_id, count(*) FROM licensing_spendline
WHERE tenant_id = %s AND record_id = ANY(%s) AND number = 1 AND NOT playground
    AND at > statement_timestamp() - interval '1 day'
GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One execution that is about to be made.

    ``tokens`` and ``cost`` (micro-units of ``currency``, both of the price row) are the most that it may come to: prompt and
    the cap of the answer, once for each request that may be needed. ``max_executions`` is the task's limit of
    executions of one conversation within a day, None without one.
    """

    key: str
    task: int
    engine: int
    record_id: uuid.UUID
    tokens: int
    cost: int = 0
    currency: str = ""
    max_executions: int | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """It may be made now; charge or release its key afterwards."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It is skipped. ``detail`` names the budget or the limit, for the record's page."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Later:
    """The rate of the tenant is used up: it may be asked for again in ``delay_s`` seconds."""

    delay_s: float
    detail: str


Answer = Admitted | Refused | Later


def admit(tenant_id: uuid.UUID, wanted: Sequence[Wanted]) -> dict[str, Answer]:
    """The answer to each wish by its key. Asking again with a key that is admitted replaces what is held for it.

    In a transaction of its own, before the requests; raises Tenant.DoesNotExist.
    """
    if not wanted:
        return {}
    refused: dict[str, Answer] = dict(_repeated(tenant_id, wanted))
    left = [one for one in wanted if one.key not in refused]
    with transaction.atomic():
        budgets = _locked(tenant_id)
        over, holds = _within(tenant_id, left, budgets)
        left = [one for one in left if one.key not in over]
        late = _rated(tenant_id, left)
        admitted = [one for one in left if one.key not in late]
        kept = [holds[one.key] for one in admitted if one.key in holds]
        if kept:
            book.hold(tenant_id=tenant_id, holds=kept)
    return refused | over | late | {one.key: Admitted() for one in admitted}


def _repeated(tenant_id: uuid.UUID, wanted: Sequence[Wanted]) -> Mapping[str, Refused]:
    """Those whose conversation had its task too often within a day; a loop ends here, whatever its cause."""
    limited = [one for one in wanted if one.max_executions is not None]
    if not limited:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(ASKED, [tenant_id, [one.record_id for one in limited]])
        asked = Counter({(task, record_id): number for task, record_id, number in cursor.fetchall()})
    found = {}
    for one in limited:
        place = (one.task, one.record_id)
        if one.max_executions is not None and asked[place] >= one.max_executions:
            text = _("%(n)s executions of this conversation within a day") % {"n": asked[place]}
            found[one.key] = Refused(Reason.BUDGET_EXHAUSTED, text)
        asked[place] += 1
    return found


def _locked(tenant_id: uuid.UUID) -> list[Budget]:
    """The hard budgets that count this tenant, locked in one order. What is summed after this is not overtaken."""
    rows = Budget.objects.filter(Q(tenant=tenant_id) | Q(tenant=None), enabled=True, hard__isnull=False)
    if not rows.exists():
        return []
    return list(rows.select_for_update(of=("self",)).order_by("pk"))


def _within(
    tenant_id: uuid.UUID, wanted: Sequence[Wanted], budgets: Sequence[Budget]
) -> tuple[dict[str, Answer], dict[str, book.Hold]]:
    """What no hard budget has room for, and what to hold for the others, each by what those before it left."""
    counting = {
        one.key: [b for b in budgets if _covers(b, one)] for one in wanted if any(_covers(b, one) for b in budgets)
    }
    if not counting:
        return {}, {}
    month = book.month_now(tenant_id)
    scopes = [b.scope(month.utc if b.tenant_id is None else month.period) for b in budgets]
    taken = book.taken(scopes, tenant_id=tenant_id, besides=list(counting))
    sums: dict[int, int] = defaultdict(int, {pk: found.used + found.held for pk, found in taken.items()})
    over: dict[str, Answer] = {}
    holds = {}
    for one in wanted:
        mine = counting.get(one.key, [])
        full = next((b for b in mine if sums[b.pk] + _amount(b, one) > (b.hard or 0)), None)
        if full is not None:
            over[one.key] = Refused(Reason.BUDGET_EXHAUSTED, full.name)
        elif mine:
            holds[one.key] = book.Hold(one.key, one.task, one.engine, one.tokens, one.cost, one.currency)
            for budget in mine:
                sums[budget.pk] += _amount(budget, one)
    return over, holds


def _covers(budget: Budget, one: Wanted) -> bool:
    return (
        budget.task_id in {None, one.task}
        and budget.engine_id in {None, one.engine}
        and budget.currency in {"", one.currency}
    )


def _amount(budget: Budget, one: Wanted) -> int:
    """What the wish takes of the budget; even the smallest needs room, or nothing would ever end at the limit."""
    return max(one.tokens if budget.in_tokens else one.cost, 1)


def _rated(tenant_id: uuid.UUID, wanted: Sequence[Wanted]) -> dict[str, Answer]:
    """Those that must wait for the tenant's rate; the others have spent their token."""
    if not wanted or not TenantRate.objects.filter(tenant=tenant_id).exists():
        return {}
    rate = TenantRate.objects.select_for_update().filter(tenant=tenant_id).first()
    if rate is None:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        now = float(cursor.fetchone()[0])
    room = free(rate.spent, rate.per_minute, now)
    begun = min(room, len(wanted))
    spent = [*counted(rate.spent, now), [now, begun]] if begun else counted(rate.spent, now)
    if begun:
        TenantRate.objects.filter(pk=rate.pk).update(spent=spent)
    text = _("%(n)s executions a minute") % {"n": rate.per_minute}
    return {
        one.key: Later(comes_back(spent, rate.per_minute, now, place), text) for place, one in enumerate(wanted[begun:])
    }
