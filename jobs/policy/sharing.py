"""How the passes that use one engine share its slots. Pure functions.

Every pass says how many calls it would like to make at once. What the engine allows is shared by weight: nobody gets more
than wanted, what one leaves goes to the others, and what cannot be divided goes round.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

# So often, in seconds, an indivisible rest goes to somebody else.
TURN_S = 2.0
GOLDEN = 0.6180339887498949
# Sums of fractions fall short of whole numbers by about so much.
EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class SlotClaim:
    """Somebody at work: ``wanted`` calls at once, ``held`` allowed, until the time ``until`` (seconds since 1970)."""

    holder: str
    job: int | None
    weight: float
    wanted: int
    held: int
    until: float

    def row(self) -> list[Any]:
        """As it is stored."""
        return [self.holder, self.job, self.weight, self.wanted, self.held, self.until]


def alive(rows: Iterable[Sequence[Any]], now: float) -> list[SlotClaim]:
    """The stored claims that have not run out."""
    return [claim for claim in (SlotClaim(*row) for row in rows) if claim.until > now]


def shares(claims: Iterable[SlotClaim], capacity: int, now: float) -> Mapping[str, int]:
    """The whole number of slots for each holder; together at most ``capacity``, each at most as wanted.

    By weight, max-min fair. A share of 2.5 is 2 or 3, changing with time, and 2.5 in the long run.
    """
    ordered = sorted(claims, key=lambda claim: claim.holder)
    fractions = _fractions(ordered, capacity)
    offset = (floor(now / TURN_S) * GOLDEN) % 1.0
    given, total, before = {}, 0.0, floor(offset)
    for claim in ordered:
        total += fractions[claim.holder]
        mark = floor(total + EPSILON + offset * (1 - 2 * EPSILON))
        given[claim.holder], before = min(mark - before, claim.wanted), mark
    return given


def _fractions(claims: list[SlotClaim], capacity: int) -> dict[str, float]:
    """Filled up together like vessels: who has enough leaves the rest to the others."""
    given = {claim.holder: 0.0 for claim in claims}
    left, thirsty = float(capacity), [claim for claim in claims if claim.wanted > 0]
    while thirsty:
        level = left / sum(claim.weight for claim in thirsty)
        full = [claim for claim in thirsty if claim.wanted <= claim.weight * level + EPSILON]
        for claim in full or thirsty:
            given[claim.holder] = float(claim.wanted) if full else claim.weight * level
        if not full:
            break
        left -= sum(claim.wanted for claim in full)
        thirsty = [claim for claim in thirsty if claim not in full]
    return given


def allowed(mine: SlotClaim, others: Sequence[SlotClaim], *, capacity: int, of_job: int | None, now: float) -> int:
    """How many calls the holder of ``mine`` may make at once from now on: its share, as far as it is free.

    ``of_job`` bounds what all holders of the same job may make together. What others still hold is never given twice.
    """
    share = shares([*others, mine], capacity, now)[mine.holder]
    free = capacity - sum(claim.held for claim in others)
    if of_job is not None:
        free = min(free, of_job - sum(claim.held for claim in others if claim.job == mine.job))
    return max(min(share, free), 0)
