"""Writing and reading the book: lines are charged once, holds are kept and given back, scopes are summed (R10, R15)."""

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import orjson
from django.db import connection

from licensing.models import Entitlement
from licensing.periods import day_of, month_of
from licensing.spending import statements
from licensing.spending.models import SHARDS, Part, SpendHold
from tenants.models import Tenant

# Longer than any conversation may take; a worker that died keeps its share of a budget for so long.
HOLD_S = 3600


@dataclass(frozen=True, slots=True)
class Line:
    """One request to an engine, as it is written; tokens, and micro-units of ``currency``."""

    request: str
    number: int
    part: Part
    task: int
    task_version: int
    engine: int
    model: str
    record_type: str
    record_id: uuid.UUID
    prompt: int
    cached: int
    completion: int
    reasoning: int
    estimated: bool
    cost: int
    currency: str
    price: int | None
    playground: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """What one execution may come to at most."""

    request: str
    task: int
    engine: int
    tokens: int
    cost: int
    currency: str


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose spending is summed: None is all tenants, tasks or engines; without a currency tokens are counted."""

    id: int
    tenant: uuid.UUID | None
    task: int | None
    engine: int | None
    currency: str
    period: str

    def covers(self, tenant: uuid.UUID, *, task: int, engine: int, currency: str) -> bool:
        """Whether such an execution counts here."""
        return (
            self.tenant in {None, tenant}
            and self.task in {None, task}
            and self.engine in {None, engine}
            and self.currency in {"", currency}
        )


@dataclass(frozen=True, slots=True)
class Taken:
    """What is charged and what is held, in tokens or micro-units."""

    used: int
    held: int


@dataclass(frozen=True, slots=True)
class Month:
    """The instant, and the month and day that it belongs to in the tenant's zone; ``utc`` is the month of UTC."""

    at: datetime
    period: str
    day: str
    zone: str
    utc: str


def month_now(tenant_id: uuid.UUID, *, at: datetime | None = None) -> Month:
    """The month of the database's clock, or of ``at``, in the zone that the tenant's months begin in (domain C28).

    Raises Tenant.DoesNotExist.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement_timestamp(), t.time_zone, e.month_zone FROM tenants_tenant t"
            " LEFT JOIN licensing_entitlement e ON e.tenant_id = t.id WHERE t.id = %s",
            [tenant_id],
        )
        row = cursor.fetchone()
    if row is None:
        raise Tenant.DoesNotExist
    now, zone, month_zone = at or row[0], row[1], row[2]
    zone = "UTC" if month_zone == Entitlement.MonthZone.UTC else zone
    return Month(now, month_of(now, zone), day_of(now, zone).isoformat(), zone, month_of(now, "UTC"))


def charge(*, tenant_id: uuid.UUID, lines: Sequence[Line], at: datetime | None = None) -> int:
    """Write the lines and all sums over them, free what was held for their requests; return how many were new.

    One statement, in the transaction that stores the results. Charging a line again changes nothing (R10).
    """
    if not lines:
        return 0
    month = month_now(tenant_id, at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            statements.CHARGE,
            {
                "tenant": tenant_id,
                "lines": orjson.dumps([asdict(line) for line in lines]).decode(),
                "requests": sorted({line.request for line in lines}),
                "period": month.period,
                "day": month.day,
                "zone": month.zone,
                "month": month.utc,
                "at": month.at,
                "shard": os.getpid() % SHARDS,
            },
        )
        return int(cursor.fetchone()[0])


def hold(*, tenant_id: uuid.UUID, holds: Sequence[Hold]) -> None:
    """Keep so much of every budget for these requests; one that is held already is held anew."""
    with connection.cursor() as cursor:
        lines = orjson.dumps([asdict(one) for one in holds]).decode()
        cursor.execute(statements.HOLD, {"tenant": tenant_id, "lines": lines, "seconds": HOLD_S})


def release(*, tenant_id: uuid.UUID, requests: Sequence[str]) -> int:
    """Give back what is held for requests that will not be made; return how many were held."""
    return SpendHold.objects.filter(tenant_id=tenant_id, request__in=requests).delete()[0] if requests else 0


def taken(
    scopes: Sequence[Scope], *, tenant_id: uuid.UUID | None = None, besides: Sequence[str] = ()
) -> Mapping[int, Taken]:
    """What is used and held in each scope, of one moment; the holds of the tenant's requests ``besides`` do not count."""
    if not scopes:
        return {}
    with connection.cursor() as cursor:
        asked = orjson.dumps([asdict(scope) for scope in scopes]).decode()
        cursor.execute(statements.TAKEN, {"scopes": asked, "tenant": tenant_id, "requests": list(besides)})
        return {pk: Taken(used, held) for pk, used, held in cursor.fetchall()}
