"""Deepgram's answer, judged; its seconds become milliseconds."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core.transcripts import Segment, Word
from transcription.engines.tags import Spoken

MAX_S = 48 * 3600.0
Seconds = Annotated[float, Field(ge=0, le=MAX_S, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=False)


class HeardWord(_Answer):
    """A word; ``punctuated_word`` where punctuation was asked for."""

    word: str = Field(max_length=500)
    start: Seconds
    end: Seconds
    confidence: Share | None = None
    punctuated_word: str | None = Field(default=None, max_length=500)


class Utterance(_Answer):
    """A turn of one channel."""

    start: Seconds
    end: Seconds
    channel: int = Field(default=0, ge=0, le=1)
    transcript: str = Field(max_length=100_000)
    words: list[HeardWord] = Field(default=[], max_length=100_000)
    speaker: int | None = Field(default=None, ge=0, le=1000)


class Alternative(_Answer):
    """What was heard of a channel, in one piece."""

    transcript: str = Field(default="", max_length=2_000_000)


class Channel(_Answer):
    """One channel; ``detected_language`` where detection was asked for."""

    detected_language: str | None = Field(default=None, max_length=40)
    alternatives: list[Alternative] = Field(default=[], max_length=100)


class Results(_Answer):
    """What was heard, as turns."""

    utterances: list[Utterance] = Field(max_length=100_000)
    channels: list[Channel] = Field(default=[], max_length=100)


class Metadata(_Answer):
    """What the server says about the request."""

    duration: Seconds = 0.0


class Listened(_Answer):
    """The answer to one upload."""

    results: Results
    metadata: Metadata = Metadata()


def language_of(answer: Listened) -> str:
    """The language that was found out: that of the channel in which most was said; empty without detection."""
    spoken = Spoken()
    for channel in answer.results.channels:
        spoken.note(channel.detected_language or "", "".join(each.transcript for each in channel.alternatives[:1]))
    return spoken.most


def segments_of(answer: Listened) -> tuple[Segment, ...]:
    """The turns, sorted by start and channel."""
    segments = [
        Segment(
            channel=turn.channel,
            speaker="" if turn.speaker is None else f"speaker {turn.speaker + 1}",
            start_ms=_ms(turn.start),
            end_ms=max(_ms(turn.start), _ms(turn.end)),
            text=turn.transcript,
            words=tuple(_word(word) for word in turn.words),
        )
        for turn in answer.results.utterances
    ]
    return tuple(sorted(segments, key=lambda segment: (segment.start_ms, segment.channel)))


def _word(word: HeardWord) -> Word:
    start = _ms(word.start)
    return Word(word.punctuated_word or word.word, start, max(start, _ms(word.end)), word.confidence)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
