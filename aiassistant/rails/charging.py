"""Writing what requests cost into the ledger, in the transaction that stores what they brought."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from aiassistant.engines.base import Usage
from aiassistant.pricing import Price, cost_micros
from licensing.spending import book
from licensing.spending.models import Part


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that an engine answered or charged for: the first, a repeated one, a repair, a part of a long one.

    ``request`` is the key under which the execution was admitted, at most 80 characters; a later try of the execution
    has a key of its own, or what it costs would not be charged. ``number`` counts from 1. ``price`` is the row that
    held (``pricing.price_at``), None where nobody has named one. ``playground`` marks the try of a draft.
    """

    request: str
    number: int
    part: Part
    task: int
    task_version: int
    engine: int
    model: str
    record_type: str
    record_id: uuid.UUID
    usage: Usage
    price: Price | None = None
    playground: bool = False

    @property
    def cost(self) -> int:
        """In micro-units of the currency of the price row."""
        return cost_micros(self.price, self.usage)

    def line(self) -> book.Line:
        """As it stands in the ledger."""
        usage, price = self.usage, self.price
        return book.Line(
            request=self.request,
            number=self.number,
            part=self.part,
            task=self.task,
            task_version=self.task_version,
            engine=self.engine,
            model=self.model[:120],
            record_type=self.record_type,
            record_id=self.record_id,
            prompt=usage.prompt,
            cached=min(usage.cached, usage.prompt),
            completion=usage.completion,
            reasoning=min(usage.reasoning, usage.completion),
            estimated=usage.estimated,
            cost=self.cost,
            currency=price.currency if price is not None else "",
            price=price.pk if price is not None else None,
            playground=self.playground,
        )


def charge(tenant_id: uuid.UUID, rows: Sequence[Attempt]) -> None:
    """Write one line for each attempt and free what was held for their requests; twice is once.

    Call it in the transaction of the commit, once for a tenant, also for executions that failed: they cost the same.
    """
    book.charge(tenant_id=tenant_id, lines=[row.line() for row in rows])


def release(tenant_id: uuid.UUID, requests: Sequence[str]) -> None:
    """Give back what was held for executions that made no request after all."""
    book.release(tenant_id=tenant_id, requests=requests)
