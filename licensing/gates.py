"""The gates of metered work: pure functions in the order of domain §4.3, used by passes, previews and "Why?"."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.outcomes import Reason


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a licensed user stands: ``rank`` counts from 1; ``seats`` None means unlimited (domain §4.4)."""

    rank: int
    seats: int | None

    @property
    def accepted(self) -> bool:
        """Whether the user is among the first N."""
        return self.seats is None or self.rank <= self.seats


@dataclass(frozen=True, slots=True)
class Limit:
    """One service limit that is set: how many units it allows and how many are reserved or used."""

    reason: Reason
    allowed: int
    taken: int

    def admits(self, amount: int) -> bool:
        """Whether ``amount`` more units fit."""
        return self.taken + amount <= self.allowed


@dataclass(frozen=True, slots=True)
class Facts:
    """What the gates must know about one request for ``amount`` units. ``seat`` None: the user holds no licence."""

    tenant_enabled: bool
    seat: Seat | None
    limits: Sequence[Limit] = ()
    amount: int = 0


@dataclass(frozen=True, slots=True)
class GateResult:
    """One line of "Why?": the gate, what it saw, what it allows, and whether it let the request pass.

    ``seen`` of a limit are the units taken before, ``amount`` those asked for; ``allowed`` None means unlimited.
    """

    gate: str
    passed: bool
    seen: Any = None
    allowed: Any = None
    amount: int = 0

    def line(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def judge(facts: Facts) -> tuple[Reason | None, list[GateResult]]:
    """Return why the request is refused (None: every gate lets it pass) and what each gate saw.

    The order is binding: tenant enabled → user licence → seat → service limits; the first refusal ends it.
    """
    trace: list[GateResult] = []
    for reason, result in _gates(facts):
        trace.append(result)
        if not result.passed:
            return reason, trace
    return None, trace


def _gates(facts: Facts) -> Iterable[tuple[Reason, GateResult]]:
    yield Reason.TENANT_DISABLED, GateResult("tenant", facts.tenant_enabled, facts.tenant_enabled, True)
    licensed = facts.seat is not None
    yield Reason.NO_LICENSE, GateResult("licence", licensed, licensed, True)
    if facts.seat is not None:
        yield Reason.SEAT_EXCEEDED, GateResult("seat", facts.seat.accepted, facts.seat.rank, facts.seat.seats)
    for limit in facts.limits:
        passed = limit.admits(facts.amount)
        yield limit.reason, GateResult(limit.reason.value, passed, limit.taken, limit.allowed, facts.amount)
