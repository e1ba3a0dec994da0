"""How long the transcription of a task still takes, in seconds (R5.2). Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

DEFAULT_FACTOR, OVERHEAD_S = 0.25, 5
# Of the newest finished ones so many count.
SAMPLES = 50


@dataclass(frozen=True, slots=True)
class Pace:
    """Of a tenant's engine: seconds of work a second of audio, and how many recordings it takes at a time."""

    factor: float = DEFAULT_FACTOR
    parallel: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """One meeting that is not final: seconds of audio, and for how many seconds it is being worked on (None: not yet)."""

    audio_s: float
    worked_s: float | None = None


def factor_of(samples: Sequence[tuple[float, float]]) -> float:
    """The rolling median of (seconds of work, seconds of audio); the default without any."""
    factors = [work / audio for work, audio in samples if audio > 0 and work >= 0]
    return median(factors) if factors else DEFAULT_FACTOR


def remaining_seconds(parts: Sequence[Part], pace: Pace) -> float:
    """Without the time in queues; 0 when nothing is left, and at least 1 while something is being worked on."""
    if not parts:
        return 0.0
    parallel = max(1, min(pace.parallel, len(parts)))
    whole = sum(part.audio_s for part in parts) * pace.factor / parallel + OVERHEAD_S
    worked = [part.worked_s for part in parts if part.worked_s is not None]
    return max(1.0, whole - max(worked)) if worked else whole


def capped(seconds: float, cap: int) -> int:
    """As ``sttRemainingTime`` says it: whole seconds, so few that a client that sleeps so long never waits for hours."""
    return min(cap, math.ceil(seconds))
