"""What the batch interface answers, judged; times are milliseconds, ticks of 100 ns or ISO 8601 (providers §2.2)."""

import re
from typing import Annotated, Literal

from pydantic import Field

from core.transcripts import Segment, Word
from transcription.engines.azure.answers import Answer, Length, Ms, Share, in_order, plain, span

TICKS_PER_MS = 10_000
MAX_TICKS = 48 * 3600 * 1000 * TICKS_PER_MS
Ticks = Annotated[float, Field(ge=-MAX_TICKS, le=MAX_TICKS, allow_inf_nan=False)]
_ISO = r"^(-?PT(?:\d{1,3}H)?(?:\d{1,4}M)?(?:\d{1,6}(?:\.\d{1,9})?S)?)?$"
Iso = Annotated[str, Field(pattern=_ISO)]
_UNITS = {"H": 3_600_000.0, "M": 60_000.0, "S": 1000.0}


class Problem(Answer):
    """Why a job failed."""

    code: str = ""
    message: str = ""


class JobProperties(Answer):
    """Of a job; the error where it failed."""

    error: Problem = Problem()


class Job(Answer):
    """A job; its id is in its address."""

    self_: str = Field(alias="self", max_length=2000)
    status: Literal["NotStarted", "Running", "Succeeded", "Failed"]
    properties: JobProperties = JobProperties()
    customProperties: dict[str, str] = {}


class Jobs(Answer):
    """A page of jobs."""

    values: list[Job] = Field(max_length=1000)


class Links(Answer):
    """Where the content is, for whoever has the address."""

    contentUrl: str = Field(pattern=r"^https?://", max_length=4000)


class File(Answer):
    """A file that a job made."""

    kind: str = Field(max_length=100)
    links: Links


class Files(Answer):
    """All of a job of one recording."""

    values: list[File] = Field(max_length=1000)


class Detail(Answer):
    """What became of a recording."""

    status: str = ""
    errorKind: str | None = None
    errorMessage: str | None = None


class Report(Answer):
    """What became of all."""

    failedTranscriptionsCount: int = 0
    details: list[Detail] = Field(default=[], max_length=1000)


class Placed(Answer):
    """Where something is in the recording; milliseconds are preferred."""

    offsetMilliseconds: Ms | None = None
    durationMilliseconds: Length | None = None
    offsetInTicks: Ticks | None = Field(default=None, ge=0)
    durationInTicks: Ticks | None = None
    offset: Iso = ""
    duration: Iso = ""

    @property
    def span(self) -> tuple[int, int]:
        """Start and end in milliseconds."""
        start = _told(self.offsetMilliseconds, self.offsetInTicks, self.offset)
        return span(start, _told(self.durationMilliseconds, self.durationInTicks, self.duration))


class SpokenWord(Placed):
    """A word as it was spoken."""

    word: str = Field(max_length=500)
    confidence: Share | None = None


class ShownWord(Placed):
    """A word as it is written."""

    displayText: str = Field(max_length=500)


class Reading(Answer):
    """One reading of a phrase."""

    confidence: Share | None = None
    lexical: str = Field(default="", max_length=100_000)
    display: str = Field(default="", max_length=100_000)
    words: list[SpokenWord] = Field(default=[], max_length=100_000)
    displayWords: list[ShownWord] = Field(default=[], max_length=100_000)


class Phrase(Placed):
    """A turn; speakers begin at 1."""

    recognitionStatus: str = Field(default="", max_length=100)
    channel: int = Field(default=0, ge=0, le=1)
    speaker: int | None = Field(default=None, ge=0, le=1000)
    locale: str = Field(default="", max_length=40)
    nBest: list[Reading] = Field(default=[], max_length=100)


class Result(Answer):
    """What was heard in one recording."""

    durationMilliseconds: Ms = 0
    recognizedPhrases: list[Phrase] = Field(max_length=100_000)


def segments_of(result: Result, *, punctuate: bool) -> tuple[Segment, ...]:
    """The turns that were recognised, by their best reading."""
    segments = []
    for phrase in result.recognizedPhrases:
        if phrase.recognitionStatus != "Success" or not phrase.nBest:
            continue
        best, (start, end) = phrase.nBest[0], phrase.span
        text = best.display if punctuate else best.lexical or plain(best.display)
        speaker = "" if phrase.speaker is None else str(phrase.speaker)
        segments.append(Segment(phrase.channel, speaker, start, end, text, words_of(best, punctuate=punctuate)))
    return in_order(segments)


def words_of(best: Reading, *, punctuate: bool) -> tuple[Word, ...]:
    """The words as they are written, with the confidences of the spoken ones where these are as many."""
    if not punctuate or not best.displayWords:
        return tuple(Word(word.word, *word.span, word.confidence) for word in best.words)
    same = len(best.words) == len(best.displayWords)
    heard = [word.confidence for word in best.words] if same else [best.confidence] * len(best.displayWords)
    return tuple(
        Word(word.displayText, *word.span, confidence)
        for word, confidence in zip(best.displayWords, heard, strict=True)
    )


def _told(milliseconds: float | None, ticks: float | None, iso: str) -> float:
    if milliseconds is not None:
        return milliseconds
    if ticks is not None:
        return ticks / TICKS_PER_MS
    length = sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)([HMS])", iso))
    return -length if iso.startswith("-") else length
