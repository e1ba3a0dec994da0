"""What the ledger says was charged for the work of one engine. Engines are named as they were called at that time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet, Sum

from licensing.models import Entry, Meter

Times = Sequence[tuple[datetime, datetime]]


@dataclass(frozen=True, slots=True)
class Settled:
    """One settling: ``amount`` units for a generation of a processing record."""

    record: int
    generation: int
    amount: int


def settled_amounts(*, meter: Meter, engine: str, whose: Q, times: Times) -> list[int]:
    """The units that were charged in each of some adjoining ``times`` (from, until; the end is outside); one query.

    ``whose`` is a condition on the tenant. Every unit is settled once (R10), so it is in one of these sums at most.
    """
    rows = _settled(meter, engine, whose, times[0][0]).filter(at__lt=times[-1][1])
    sums = {
        f"time_{place}": Sum("amount", filter=Q(at__gte=since, at__lt=until), default=0)
        for place, (since, until) in enumerate(times)
    }
    found = rows.aggregate(**sums)
    return [found[name] for name in sums]


def newest_settled(*, meter: Meter, engine: str, whose: Q, since: datetime, most: int) -> list[Settled]:
    """The last ``most`` settlings since then, the newest first; one query."""
    rows = _settled(meter, engine, whose, since).order_by("-at")
    return [Settled(*row) for row in rows.values_list("record", "generation", "amount")[:most]]


def _settled(meter: Meter, engine: str, whose: Q, since: datetime) -> "QuerySet[Entry]":
    return Entry.objects.filter(whose, engine=engine, step=Entry.Step.SETTLE, meter=meter, at__gte=since)
