"""The normal form of a transcript, the same for every engine (providers 0.B). Pure data, no Django."""

from dataclasses import dataclass

import msgspec


class Word(msgspec.Struct, frozen=True, gc=False):
    """One word; times in milliseconds from the start of the file; confidence 0–1 or None when the engine gives none.

    A call has hundreds of them, a pass holds thousands: so they are structs that the garbage collector need not visit.
    """

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None = None


class Segment(msgspec.Struct, frozen=True, gc=False):
    """One turn of one channel (0-based). ``speaker`` is the engine's label, kept verbatim."""

    channel: int
    speaker: str
    start_ms: int
    end_ms: int
    text: str
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class TranscriptData:
    """What an engine returns: segments sorted by (start, channel). ``warnings`` says what was clamped or dropped."""

    language: str
    duration_ms: int
    model: str
    segments: tuple[Segment, ...]
    warnings: tuple[str, ...] = ()
