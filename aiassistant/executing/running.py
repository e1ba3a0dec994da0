"""What became of one task on one conversation, while it is made and once it is. Pure."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from aiassistant.engines.base import AIEngine, Message, Usage
from aiassistant.library.definitions import TaskDefinition
from aiassistant.pacing.turns import Entrance, Freely
from conversations.fields.writing import Evidence
from core.ids import uuid7
from core.outcomes import TREATMENTS, EngineError, Reason

Part = Literal["ask", "map", "reduce", "retry", "repair"]
MAX_DETAIL = 500


@dataclass(slots=True)
class Target:
    """The engine that answers, opened; ``engine_id`` 0 where there is none. ``source`` says who named it; ``entrance`` bounds what is sent to it."""

    engine_id: int
    name: str
    adapter: AIEngine
    source: str = ""
    calibration: float = 1.0
    entrance: Entrance = field(default_factory=Freely)

    @property
    def model(self) -> str:
        """The model, for provenance, prices and keys."""
        return self.adapter.model


@dataclass(frozen=True, slots=True)
class Ask:
    """One request that was answered or charged for. ``expected`` is our estimate of its prompt before calibration."""

    part: Part
    usage: Usage
    messages: tuple[Message, ...] = ()
    answer: str = ""
    note: str = ""
    model: str = ""
    latency_ms: int = 0
    expected: int = 0


@dataclass(slots=True)
class Ran:
    """One execution. Without a ``reason`` and with ``values`` it is completed; with ``later`` it is to be tried again.

    ``detail`` names outputs and rules and quotes nothing. ``shared`` tasks were answered by the first request.
    """

    task: TaskDefinition
    target: Target
    key: str
    started_at: datetime
    execution_id: uuid.UUID = field(default_factory=uuid7)
    ended_at: datetime | None = None
    asks: list[Ask] = field(default_factory=list)
    values: Mapping[str, Any] | None = None
    explanations: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Sequence[Evidence]] = field(default_factory=dict)
    reason: str = ""
    detail: str = ""
    later: EngineError | None = None
    path: str = "whole"
    chunks: int = 1
    shared: int = 1
    flags: set[str] = field(default_factory=set)

    @property
    def completed(self) -> bool:
        """There are values."""
        return self.values is not None

    @property
    def usage(self) -> Usage:
        """Of all requests together."""
        total = Usage()
        for ask in self.asks:
            total = added(total, ask.usage)
        return total

    @property
    def repairs(self) -> int:
        """Requests that asked to mend an answer."""
        return sum(ask.part == "repair" for ask in self.asks)

    @property
    def model(self) -> str:
        """As the server named it at last, else as it was asked for."""
        return next((ask.model for ask in reversed(self.asks) if ask.model), self.target.model)

    def fail(self, reason: Reason, detail: str) -> None:
        """It ends without values, for good."""
        self.reason, self.detail = reason.value, detail[:MAX_DETAIL]

    def trouble(self, error: EngineError) -> None:
        """The engine raised: for good, or until it is tried again, as the class of the error says."""
        treatment = TREATMENTS[error.error_class]
        self.fail(treatment.reason, error.message)
        self.later = error if treatment.retry else None


def added(one: Usage, other: Usage) -> Usage:
    """Two usages as one."""
    return Usage(
        one.prompt + other.prompt,
        one.cached + other.cached,
        one.completion + other.completion,
        one.reasoning + other.reasoning,
        one.estimated or other.estimated,
    )


def shares(usage: Usage, number: int) -> list[Usage]:
    """The usage of one request divided among ``number`` tasks; their sum is the usage."""
    names = ("prompt", "cached", "completion", "reasoning")
    parts = []
    for place in range(number):
        portions: dict[str, Any] = {name: _portion(getattr(usage, name), number, place) for name in names}
        parts.append(replace(usage, **portions))
    return parts


def _portion(total: int, number: int, place: int) -> int:
    return total // number + (place < total % number)
