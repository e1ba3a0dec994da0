"""What was spent and how it ended, from the daily sums; never from single requests."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.utils.translation import gettext as _

from accounts.models import User
from aiassistant.library.models import AITask
from aiassistant.models import AIEngine
from aiassistant.rails.models import Budget, DailyOutcome
from licensing.spending.models import DailySpend
from tenants.models import Tenant
from tenants.selectors import visible_tenants

GROUPS = ("tenant", "task", "engine", "model", "day")
FIGURES = ("executions", "requests", "again", "prompt", "cached", "completion", "reasoning", "again_tokens")
OUTCOMES = ("completed", "failed", "invalid", "skipped", "outputs", "missing")


@dataclass(slots=True)
class Spent:
    """Sums of one part; ``cost`` and ``again_cost`` are micro-units by currency."""

    key: Any = None
    name: str = ""
    executions: int = 0
    requests: int = 0
    again: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    again_tokens: int = 0
    cost: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    again_cost: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def tokens(self) -> int:
        """Asked and answered; cached and reasoning tokens are parts of these."""
        return self.prompt + self.completion

    @property
    def dearest(self) -> tuple[int, int]:
        """What parts are sorted by: money, whatever its currency, else tokens."""
        return max(self.cost.values(), default=0), self.tokens

    def add(self, row: Mapping[str, Any]) -> None:
        """One group of rows in one currency."""
        for name in FIGURES:
            setattr(self, name, getattr(self, name) + row[f"s_{name}"])
        if row["currency"]:
            self.cost[row["currency"]] += row["s_cost"]
            self.again_cost[row["currency"]] += row["s_again_cost"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How the executions of one task on one engine, or of one tenant, ended."""

    name: str
    engine: str
    completed: int
    failed: int
    invalid: int
    skipped: int
    outputs: int
    missing: int

    @property
    def tried(self) -> int:
        """All that were not skipped."""
        return self.completed + self.failed


def spend_of(user: User, *, since: date, until: date, **only: Any) -> QuerySet[DailySpend]:
    """The daily sums that ``user`` may see, of local days from ``since`` to ``until``; ``only`` names columns."""
    return DailySpend.objects.filter(_seen(user), day__range=(since, until), **only)


def outcomes_of(user: User, *, since: date, until: date, **only: Any) -> QuerySet[DailyOutcome]:
    """The same of how executions ended."""
    return DailyOutcome.objects.filter(_seen(user), day__range=(since, until), **only)


def _seen(user: User) -> Q:
    """Everything, or the tenants that the viewer may see; never a join over all tenants for those who see all."""
    if user.everywhere and user.tenant.is_system and user.viewing is None:
        return Q()
    return Q(tenant__in=visible_tenants(user).order_by().values("pk"))


def parts_of(rows: QuerySet[DailySpend], group: str) -> list[Spent]:
    """The sums by ``group``, the dearest first; days in their order. Raises KeyError for another group."""
    column = {name: name for name in GROUPS}[group]
    found: dict[Any, Spent] = defaultdict(Spent)
    sums = {f"s_{name}": Sum(name) for name in (*FIGURES, "cost", "again_cost")}
    for row in rows.order_by().values(column, "currency").annotate(**sums):
        found[row[column]].key = row[column]
        found[row[column]].add(row)
    names = names_of(group, found)
    for key, part in found.items():
        part.name = names.get(key, "") or _named(group, key)
    parts = list(found.values())
    return sorted(parts, key=lambda part: part.key) if group == "day" else sorted(parts, key=_order)


def _order(part: Spent) -> tuple[int, int, str]:
    cost, tokens = part.dearest
    return -cost, -tokens, part.name


def total_of(parts: Collection[Spent]) -> Spent:
    """All parts together."""
    total = Spent(name=_("Total"))
    for part in parts:
        for name in FIGURES:
            setattr(total, name, getattr(total, name) + getattr(part, name))
        for sums, more in ((total.cost, part.cost), (total.again_cost, part.again_cost)):
            for currency, micros in more.items():
                sums[currency] += micros
    return total


def names_of(group: str, keys: Collection[Any]) -> dict[Any, str]:
    """The names of tenants, tasks or engines by key; those that are gone are missing."""
    if not keys:
        return {}
    if group == "tenant":
        return dict(Tenant.objects.filter(pk__in=keys).values_list("pk", "name"))
    if group == "task":
        return dict(AITask.objects.filter(pk__in=keys).values_list("pk", "title"))
    if group == "engine":
        return dict(AIEngine.objects.filter(pk__in=keys).values_list("pk", "name"))
    return {}


def _named(group: str, key: Any) -> str:
    if group in {"task", "engine"}:
        return _("Deleted (%(id)s)") % {"id": key}
    return str(key or _("Not known"))


def days_of(parts: Collection[Spent], since: date, until: date) -> list[Spent]:
    """One part for every day, without gaps."""
    known = {part.key: part for part in parts}
    days = [since + timedelta(days=number) for number in range((until - since).days + 1)]
    return [known.get(day) or Spent(key=day, name=day.isoformat()) for day in days]


def ended_by(rows: QuerySet[DailyOutcome], *columns: str) -> list[Ended]:
    """How executions ended by ``task_key`` and ``engine``, or by ``tenant``: the most failures first."""
    sums = {f"s_{name}": Sum(name) for name in OUTCOMES}
    found = list(rows.order_by().values(*columns).annotate(**sums))
    names: dict[Any, str] = {}
    if "tenant" in columns:
        names = names_of("tenant", {row["tenant"] for row in found})
    else:
        keys = AITask.objects.filter(key__in={row["task_key"] for row in found}).order_by("-tenant_id", "pk")
        names = dict(keys.values_list("key", "title"))
    engines = names_of("engine", {row["engine"] for row in found}) if "engine" in columns else {}
    ended = [
        Ended(
            str(names.get(row.get("tenant", row.get("task_key")), row.get("task_key", ""))),
            engines.get(row.get("engine"), _("No engine") if row.get("engine") == 0 else _("Deleted")),
            *(row[f"s_{name}"] for name in OUTCOMES),
        )
        for row in found
    ]
    return sorted(ended, key=lambda one: (-one.failed, -one.missing, one.name))


def months_of(user: User) -> list[str]:
    """The newest 24 months in which somebody whom ``user`` sees spent something."""
    rows = DailySpend.objects.filter(_seen(user)).order_by("-period").values_list("period", flat=True)
    return list(rows.distinct()[:24])


def budgets_for(user: User) -> QuerySet[Budget]:
    """The budgets that ``user`` may see: those of visible tenants, and for platform staff those of all together."""
    rows = Budget.objects.select_related("tenant", "task", "engine")
    if user.everywhere and user.tenant.is_system and user.viewing is None:
        return rows
    return rows.filter(tenant__in=visible_tenants(user).order_by().values("pk"))
