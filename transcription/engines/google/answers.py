"""What the service answers, as JSON of its messages, judged: all versions (providers §1.3)."""

import itertools
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from core.outcomes import EngineError, ErrorClass
from core.transcripts import Segment, Word
from transcription.engines.tags import Spoken

MAX_S = 48 * 3600.0
GRPC_CLASSES = {
    3: ErrorClass.INPUT,
    5: ErrorClass.LOST,
    7: ErrorClass.CONFIG,
    8: ErrorClass.RATE,
    9: ErrorClass.CONFIG,
    11: ErrorClass.INPUT,
    12: ErrorClass.CONFIG,
    16: ErrorClass.CONFIG,
}


def _seconds(value: object) -> object:
    """Durations are texts such as "1.500s"."""
    return value.removesuffix("s") if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=MAX_S, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=False)


class HeardWord(_Answer):
    """A word; v1 and v2 name its times differently."""

    word: str = Field(max_length=500)
    startTime: Seconds = 0.0
    endTime: Seconds = 0.0
    startOffset: Seconds = 0.0
    endOffset: Seconds = 0.0
    confidence: Share | None = None
    speakerTag: int = Field(default=0, ge=0, le=1000)
    speakerLabel: str = Field(default="", max_length=100)

    @property
    def speaker(self) -> str:
        """The service's own name, or nothing."""
        return self.speakerLabel or (str(self.speakerTag) if self.speakerTag else "")

    def as_word(self) -> Word:
        """In milliseconds."""
        start = round(max(self.startTime, self.startOffset) * 1000)
        end = round(max(self.endTime, self.endOffset) * 1000)
        return Word(self.word, start, max(start, end), self.confidence or None)


class Alternative(_Answer):
    """One reading."""

    transcript: str = Field(default="", max_length=200_000)
    confidence: Share | None = None
    words: list[HeardWord] = Field(default=[], max_length=300_000)


class Result(_Answer):
    """One stretch of one channel; ``channelTag`` begins at 1."""

    alternatives: list[Alternative] = Field(default=[], max_length=100)
    channelTag: int = Field(default=0, ge=0, le=2)
    resultEndTime: Seconds = 0.0
    resultEndOffset: Seconds = 0.0
    languageCode: str = Field(default="", max_length=40)


class Results(_Answer):
    """What was heard; no speech is no results."""

    results: list[Result] = Field(default=[], max_length=100_000)


def read_results(said: Any) -> Results:
    """Judge an answer. Raises EngineError."""
    try:
        return Results.model_validate(said)
    except ValidationError as error:
        message = "The service's answer is no transcript."
        raise EngineError(ErrorClass.OUTPUT, message, code="invalid_answer") from error


def language_of(answer: Results) -> str:
    """The language in which most was said, as the service writes it; empty when it names none."""
    spoken = Spoken()
    note_languages(answer, spoken)
    return spoken.most


def note_languages(answer: Results, spoken: Spoken) -> None:
    """Add what was said in which language."""
    for result in answer.results:
        spoken.note(result.languageCode, result.alternatives[0].transcript if result.alternatives else "")


def segments_of(answer: Results, *, diarized: bool) -> Sequence[Segment]:
    """The turns. With speakers told apart, the last result alone holds all words (providers §1.3)."""
    if diarized:
        return _by_speaker(answer)
    found, before = [], {0: 0, 1: 0}
    for result in answer.results:
        best = result.alternatives[0] if result.alternatives else Alternative()
        channel = max(result.channelTag - 1, 0)
        end = round(max(result.resultEndTime, result.resultEndOffset) * 1000)
        words = tuple(word.as_word() for word in best.words)
        if best.transcript.strip():
            start, last = (words[0].start_ms, words[-1].end_ms) if words else (before[channel], end)
            found.append(Segment(channel, "", start, max(start, last), best.transcript.strip(), words))
        before[channel] = end
    return sorted(found, key=lambda segment: (segment.start_ms, segment.channel))


def _by_speaker(answer: Results) -> Sequence[Segment]:
    last = answer.results[-1].alternatives if answer.results else []
    words = last[0].words if last else []
    if not any(word.speaker for word in words):
        return segments_of(answer, diarized=False)
    found = []
    for speaker, said in itertools.groupby(words, key=lambda word: word.speaker):
        turn = tuple(word.as_word() for word in said)
        text = " ".join(word.text for word in turn)
        found.append(Segment(0, speaker, turn[0].start_ms, max(word.end_ms for word in turn), text, turn))
    return found


def failure_of(code: int, message: str) -> EngineError:
    """The error of an operation by its gRPC code; what else went wrong at Google is submitted anew, once."""
    error_class = GRPC_CLASSES.get(code, ErrorClass.LOST)
    return EngineError(error_class, message or f"The operation failed with code {code}.", code=str(code))
