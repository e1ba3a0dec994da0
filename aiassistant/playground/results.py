"""What a side of the playground came to: stored in the tenant, summed in the run. Pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from aiassistant.executing.models import Execution
from aiassistant.executing.running import Ran
from aiassistant.executing.variables import told

DRAFT, CURRENT = "draft", "current"
SIDES = (CURRENT, DRAFT)
MAX_NOTE = 2000


@dataclass(frozen=True, slots=True)
class Side:
    """One version on one conversation.

    ``state`` is that of an execution, or ``skipped`` when it was not asked; ``reason`` a code and ``detail`` its words.
    ``left_out`` says why the filters of the version would not let the conversation through. ``values`` are as people read
    them, empty for none; ``evidence`` has quotes with ``verified`` and the number of the turn; ``problems`` is what was
    wrong with answers that had to be mended or were not used. Money is in micro-units, time in milliseconds.
    """

    state: str
    reason: str = ""
    detail: str = ""
    left_out: str = ""
    engine: str = ""
    model: str = ""
    execution: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    explanations: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    problems: Sequence[str] = ()
    flags: Sequence[str] = ()
    prompt: int = 0
    completion: int = 0
    cost: int = 0
    currency: str = ""
    latency: int = 0
    requests: int = 0
    repairs: int = 0

    @classmethod
    def of(cls, ran: Ran, row: Execution, left_out: str) -> "Side":
        """Of an execution that has ended."""
        return cls(
            state=row.state,
            reason=row.reason,
            detail=row.detail,
            left_out=left_out,
            engine=row.engine_name,
            model=row.model,
            execution=str(row.pk),
            values={name: sound(told(value)) for name, value in (ran.values or {}).items()},
            explanations={name: sound(text) for name, text in ran.explanations.items()},
            evidence={
                name: [{"quote": sound(one.quote), "turn": one.turn, "verified": one.verified} for one in found]
                for name, found in ran.evidence.items()
            },
            problems=[sound(ask.note)[:MAX_NOTE] for ask in ran.asks if ask.note],
            flags=row.flags,
            prompt=row.prompt_tokens,
            completion=row.completion_tokens,
            cost=row.cost_micros,
            currency=row.currency,
            latency=row.latency_ms,
            requests=row.attempts,
            repairs=row.repairs,
        )

    @classmethod
    def loaded(cls, stored: Mapping[str, Any]) -> "Side":
        """As it was stored; what a later release added or took away does not matter."""
        return cls(**{each.name: stored[each.name] for each in fields(cls) if each.name in stored})

    @property
    def tokens(self) -> int:
        """Of prompt and answer."""
        return self.prompt + self.completion


def stored(sides: Mapping[str, Side]) -> dict[str, Any]:
    """For JSON."""
    return {name: asdict(side) for name, side in sides.items()}


def added(figures: Mapping[str, Any], sides: Mapping[str, Side]) -> dict[str, Any]:
    """The sums of a run with one more conversation: numbers and currencies, no words."""
    sums = {name: dict(each) for name, each in figures.get("sides", {}).items()}
    for name, side in sides.items():
        mine = sums.setdefault(name, {})
        for key, number in _counted(side).items():
            mine[key] = mine.get(key, 0) + number
        if side.currency:
            cost = dict(mine.get("cost", {}))
            cost[side.currency] = cost.get(side.currency, 0) + side.cost
            mine["cost"] = cost
    different = figures.get("different", 0) + bool(differing(sides))
    return {**figures, "sides": sums, "different": different}


def _counted(side: Side) -> dict[str, int]:
    return {
        "asked": int(side.requests > 0),
        "completed": int(side.state == Execution.State.COMPLETED),
        "failed": int(side.state == Execution.State.FAILED),
        "prompt": side.prompt,
        "completion": side.completion,
        "latency": side.latency,
        "requests": side.requests,
        "repairs": side.repairs,
    }


def differing(sides: Mapping[str, Side]) -> list[str]:
    """The outputs that the two answered differently; without two answers there is nothing to compare."""
    if any(name not in sides or sides[name].state != Execution.State.COMPLETED for name in SIDES):
        return []
    one, other = (sides[name].values for name in SIDES)
    return [name for name in names_of(sides.values()) if one.get(name, "") != other.get(name, "")]


def names_of(sides: Iterable[Side]) -> list[str]:
    """All outputs, in the order of the versions."""
    return list(dict.fromkeys(name for side in sides for name in side.values))


def sound(text: str) -> str:
    """Without lone surrogates, which no encoding can hold."""
    return text.encode("utf-8", "ignore").decode()
