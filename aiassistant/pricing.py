"""Prices of tokens. Money is in micro-units of the currency, whole numbers (providers §6.5). Pure functions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from aiassistant.engines.base import Usage


@dataclass(frozen=True, slots=True)
class Price:
    """One row: per million tokens, in units of the currency."""

    pk: int
    model_pattern: str
    valid_from: date
    currency: str
    input: Decimal
    cached_input: Decimal
    output: Decimal
    batch_factor: Decimal
    reasoning: Decimal | None = None


def price_at(prices: Iterable[Price], *, model: str, day: date) -> Price | None:
    """The row that holds on ``day``: of those for the model the most exact pattern, of these the newest; None: free
    or nobody said it."""
    fitting = [price for price in prices if price.valid_from <= day and fits(price.model_pattern, model)]
    return max(fitting, key=lambda price: (_exactness(price.model_pattern), price.valid_from), default=None)


def cost_micros(price: Price | None, usage: Usage, *, batch: bool = False) -> int:
    """What one request costs, in micro-units. A price per million tokens is as many micro-units for one token.

    Cached tokens are part of the prompt, reasoning part of the completion: nothing is counted twice. Reasoning costs what
    other output does, unless it has a price of its own.
    """
    if price is None:
        return 0
    cached = min(usage.cached, usage.prompt)
    reasoning = 0 if price.reasoning is None else min(usage.reasoning, usage.completion)
    amount = price.input * (usage.prompt - cached) + price.cached_input * cached
    amount += price.output * (usage.completion - reasoning) + (price.reasoning or 0) * reasoning
    if batch:
        amount *= price.batch_factor
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def fits(pattern: str, model: str) -> bool:
    """Whether a model is meant by a pattern: itself, or a beginning that ends with ``*``."""
    if pattern.endswith("*"):
        return model.startswith(pattern[:-1])
    return model == pattern


def _exactness(pattern: str) -> tuple[bool, int]:
    return not pattern.endswith("*"), len(pattern)
