"""What the service answers, judged; everything becomes whole milliseconds (providers §2.2, §2.3)."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core.transcripts import Segment, Word

MAX_MS = 48 * 3600 * 1000
Ms = Annotated[float, Field(ge=0, le=MAX_MS, allow_inf_nan=False)]
# The service may say that a word ends before it begins.
Length = Annotated[float, Field(ge=-MAX_MS, le=MAX_MS, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
# Marks that are no part of a word; apostrophes and hyphens inside words stay.
_EDGES = re.compile(r"^[^\w*]+|[^\w*]+$")


class Answer(BaseModel):
    """A part of an answer; what is not known is ignored."""

    model_config = ConfigDict(extra="ignore", strict=False)


class FastWord(Answer):
    """A word as it is written."""

    text: str = Field(max_length=500)
    offsetMilliseconds: Ms
    durationMilliseconds: Length = 0


class FastPhrase(Answer):
    """A turn."""

    text: str = Field(max_length=100_000)
    channel: int = Field(default=0, ge=0, le=1)
    speaker: int | None = Field(default=None, ge=0, le=1000)
    offsetMilliseconds: Ms
    durationMilliseconds: Length = 0
    locale: str = Field(default="", max_length=40)
    confidence: Share | None = None
    words: list[FastWord] = Field(default=[], max_length=100_000)


class Fast(Answer):
    """The answer of fast transcription."""

    durationMilliseconds: Ms = 0
    phrases: list[FastPhrase] = Field(max_length=100_000)


def segments_of(answer: Fast, *, punctuate: bool) -> tuple[Segment, ...]:
    """The turns; words have the confidence of their phrase. Punctuation is always on there, so it is taken off here."""
    segments = []
    for phrase in answer.phrases:
        words = tuple(
            word_at(word.text if punctuate else plain(word.text), word, phrase.confidence) for word in phrase.words
        )
        start, end = span(phrase.offsetMilliseconds, phrase.durationMilliseconds)
        text = phrase.text if punctuate else plain(phrase.text)
        speaker = "" if phrase.speaker is None else str(phrase.speaker)
        segments.append(Segment(phrase.channel, speaker, start, end, text, tuple(word for word in words if word.text)))
    return in_order(segments)


def word_at(text: str, place: FastWord, confidence: float | None) -> Word:
    """A word at its place."""
    start, end = span(place.offsetMilliseconds, place.durationMilliseconds)
    return Word(text, start, end, confidence)


def span(offset_ms: float, length_ms: float) -> tuple[int, int]:
    """Start and end in whole milliseconds; the end is never before the start."""
    start = round(offset_ms)
    return start, max(start, round(offset_ms + length_ms))


def in_order(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Sorted by start and channel; without those in which nothing is said."""
    said = [segment for segment in segments if segment.text.strip()]
    return tuple(sorted(said, key=lambda segment: (segment.start_ms, segment.channel)))


def plain(text: str) -> str:
    """A text without punctuation and capital letters."""
    return " ".join(word for part in text.split() if (word := _EDGES.sub("", part).lower()))


def language_of(locales: Sequence[str]) -> str:
    """The language of most turns, or nothing."""
    counted = Counter(locale for locale in locales if locale)
    return counted.most_common(1)[0][0] if counted else ""
