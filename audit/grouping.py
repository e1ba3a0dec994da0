"""One row for a request that calls several services (security A1): what they append becomes parts of one entry."""

import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction


class Part(dict[str, Any]):
    """What one nested append says. It is also a callback of the transaction: a rolled back savepoint forgets it."""

    def __call__(self) -> None:
        """After the commit: nothing to do."""


@dataclass
class Group:
    """The open group, for the chain of ``tenant_id``. ``target_id`` may be set once a new object has its id."""

    tenant_id: uuid.UUID
    target_id: str
    parts: list[Part] = field(default_factory=list)

    def add(self, part: Part) -> None:
        """Take the part in; it counts unless the savepoint around it is rolled back."""
        transaction.on_commit(part)
        self.parts.append(part)

    def standing(self) -> list[dict[str, Any]]:
        """The parts whose changes still stand."""
        # Django drops the callbacks of a savepoint that is rolled back: what is left was not undone.
        left = {id(entry[1]) for entry in connection.run_on_commit}
        return [dict(part) for part in self.parts if id(part) in left]


current_group: ContextVar[Group | None] = ContextVar("audit_group", default=None)
