"""What becomes of a value that a machine says: pure functions over what stands there (ADR 0012)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from customfields.typed import Columns


class Overwrite(StrEnum):
    """When a task may replace a value that is not pinned. A pinned one is never replaced (domain C40)."""

    ALWAYS = "always"
    IF_EMPTY = "if_empty"
    IF_NOT_EDITED = "if_not_edited"


class Outcome(StrEnum):
    """What became of it. ``REFUSED``: the value breaks a rule of its field; ``GONE``: conversation or field is gone."""

    WRITTEN = "written"
    KEPT = "kept"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    GONE = "gone"


class Stored(Protocol):
    """What the decision reads of a stored version."""

    pinned: bool
    origin: Any
    explanation: str
    evidence: Any

    @property
    def columns(self) -> Columns:
        """The value."""
        ...

    @property
    def empty(self) -> bool:
        """Whether it says nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """What a machine says now."""

    columns: Columns
    explanation: str
    evidence: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Decision:
    """``outcome`` for the caller; ``hold``: the new version is stored as held back, behind the pinned one."""

    outcome: Outcome
    hold: bool = False


def decide(rule: Overwrite, current: Stored | None, held: Stored | None, said: Said) -> Decision:
    """Whether ``said`` becomes the current value."""
    if current is None:
        return Decision(Outcome.UNCHANGED if said.columns == Columns() else Outcome.WRITTEN)
    if current.pinned:
        return Decision(Outcome.KEPT, hold=held is None or not _same(held, said))
    if _same(current, said):
        return Decision(Outcome.UNCHANGED)
    if rule == Overwrite.IF_EMPTY and not current.empty:
        return Decision(Outcome.KEPT)
    if rule == Overwrite.IF_NOT_EDITED and current.origin == "person":
        return Decision(Outcome.KEPT)
    return Decision(Outcome.WRITTEN)


def _same(stored: Stored, said: Said) -> bool:
    """The same value for the same reasons: another explanation is another version."""
    same = (stored.columns, stored.explanation, list(stored.evidence)) == (
        said.columns,
        said.explanation,
        list(said.evidence),
    )
    return same and stored.origin != "person"
