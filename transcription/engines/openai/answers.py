"""What servers answer, judged: seconds as numbers or texts, words or none, names where others number (providers §3)."""

import math
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from core.transcripts import Segment, Word

MAX_S = 48 * 3600.0
# Whisper's own rule for what it made up in silence.
NO_SPEECH, UNSURE = 0.6, -1.0


def _none_to_empty(value: Any) -> Any:
    return [] if value is None else value


Seconds = Annotated[float, Field(ge=0, le=MAX_S, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=False)


class HeardWord(_Answer):
    """A word; times in seconds."""

    word: str = Field(max_length=500)
    start: Seconds
    end: Seconds


class HeardSegment(_Answer):
    """A phrase; ``speaker`` in diarized answers only."""

    start: Seconds
    end: Seconds
    text: str = Field(max_length=100_000)
    speaker: str = Field(default="", max_length=100)
    avg_logprob: Number | None = None
    no_speech_prob: Number | None = None


class Heard(_Answer):
    """An answer of any of the three forms."""

    text: str = Field(max_length=2_000_000)
    language: str | None = Field(default=None, max_length=60)
    segments: Annotated[list[HeardSegment], BeforeValidator(_none_to_empty)] = Field(default=[], max_length=100_000)
    words: Annotated[list[HeardWord], BeforeValidator(_none_to_empty)] = Field(default=[], max_length=300_000)


def segments_of(heard: Heard, length_ms: int) -> Sequence[Segment]:
    """The turns of an answer about ``length_ms`` milliseconds of audio; without times it is one turn over all of it."""
    if not heard.segments:
        text = heard.text.strip()
        words = tuple(_word(word, None) for word in heard.words)
        return [Segment(0, "", 0, length_ms, text, words)] if text else []
    kept = [segment for segment in heard.segments if segment.text.strip() and not _made_up(segment)]
    shared = _shared(heard.words, kept)
    return [
        Segment(
            channel=0,
            speaker=segment.speaker,
            start_ms=_ms(segment.start),
            end_ms=max(_ms(segment.start), _ms(segment.end)),
            text=segment.text.strip(),
            words=tuple(_word(word, _confidence(segment)) for word in words),
        )
        for segment, words in zip(kept, shared, strict=True)
    ]


def _shared(words: list[HeardWord], segments: list[HeardSegment]) -> list[list[HeardWord]]:
    """The words of each segment: those whose middle lies before its end, in order."""
    found: list[list[HeardWord]] = [[] for _segment in segments]
    place = 0
    for word in words:
        middle = (word.start + word.end) / 2
        while place < len(segments) - 1 and middle >= segments[place].end:
            place += 1
        if segments and segments[place].start - 0.5 <= middle:
            found[place].append(word)
    return found


def _made_up(segment: HeardSegment) -> bool:
    return (segment.no_speech_prob or 0) > NO_SPEECH and (segment.avg_logprob or 0) < UNSURE


def _confidence(segment: HeardSegment) -> float | None:
    """Derived from the mean of the logarithms; exactly -1 is a filler of servers that do not know."""
    value = segment.avg_logprob
    return None if value is None or value == UNSURE else min(1.0, math.exp(min(value, 0.0)))


def _word(word: HeardWord, confidence: float | None) -> Word:
    return Word(word.word.strip(), _ms(word.start), max(_ms(word.start), _ms(word.end)), confidence)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
