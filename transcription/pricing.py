"""Prices of minutes. Money is in micro-units of the currency, whole numbers, as for AI engines. Pure functions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

from core.money import MICRO


@dataclass(frozen=True, slots=True)
class Price:
    """One row: of a minute of audio, in units of the currency, from the beginning of a day (UTC) on."""

    per_minute: Decimal
    currency: str
    valid_from: date
    created_at: datetime

    @property
    def begins(self) -> datetime:
        """Since when it counts: a row that is added later than its day changes nothing that was charged before."""
        return max(datetime.combine(self.valid_from, time.min, UTC), self.created_at)

    @property
    def text(self) -> str:
        """``0.006 EUR``."""
        return f"{self.per_minute.normalize():,f} {self.currency}"


@dataclass(frozen=True, slots=True)
class Span:
    """A time, without its end, during which one price was in force; None: nobody had named one."""

    since: datetime
    until: datetime
    price: Price | None


def price_at(prices: Iterable[Price], moment: datetime) -> Price | None:
    """The row in force: of those that count at ``moment``, the one from the latest day."""
    begun = [price for price in prices if price.begins <= moment]
    return max(begun, key=lambda price: price.valid_from, default=None)


def spans_of(prices: Sequence[Price], since: datetime, until: datetime) -> list[Span]:
    """The time from ``since`` to ``until``, cut where another price came into force."""
    cuts = sorted({price.begins for price in prices if since < price.begins < until})
    edges = [since, *cuts, until]
    return [Span(start, end, price_at(prices, start)) for start, end in pairwise(edges)]


def cost_micros(price: Price | None, seconds: int) -> int:
    """What so many seconds cost, in micro-units; nothing without a price."""
    if price is None:
        return 0
    return int((price.per_minute * MICRO * seconds / 60).quantize(Decimal(1), rounding=ROUND_HALF_UP))
