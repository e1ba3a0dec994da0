"""What Speechmatics answers, judged, and its transcripts in our form."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Annotated, Literal

from msgspec import structs
from pydantic import BaseModel, Field

from core.transcripts import Segment, TranscriptData, Word
from transcription.engines.speechmatics.languages import tag_of

LONGEST_S = 24 * 3600
# A silence of so many milliseconds ends a turn where no punctuation does.
PAUSE_MS = 1500
# What is named so has a voice that was not recognised as anybody's.
NOBODY = "UU"
# Those that the service gives unasked, so that a server that ignores them is understood too.
LABELS = ("channel_1", "channel_2")

JobId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_S, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Tag = Annotated[str, Field(max_length=40)]


class Created(BaseModel):
    """The answer to an upload."""

    id: JobId


class Tracking(BaseModel):
    """What we sent along."""

    reference: Annotated[str, Field(max_length=1000)] | None = None


class JobConfig(BaseModel):
    """How a job was asked for."""

    tracking: Tracking | None = None


class JobProblem(BaseModel):
    """Why a job was rejected, or what went on with it."""

    message: Annotated[str, Field(max_length=10_000)] = ""


class Job(BaseModel):
    """A job's state."""

    id: JobId
    status: Literal["created", "running", "done", "rejected", "deleted", "expired"]
    created_at: Annotated[str, Field(max_length=60)] = ""
    config: JobConfig | None = None
    errors: Annotated[list[JobProblem], Field(max_length=1000)] | None = None

    @property
    def reference(self) -> str:
        """Ours, or empty."""
        return (self.config and self.config.tracking and self.config.tracking.reference) or ""


class JobAnswer(BaseModel):
    """The answer about one job."""

    job: Job


class JobList(BaseModel):
    """One page of jobs."""

    jobs: Annotated[list[Job], Field(max_length=1000)]


class Alternative(BaseModel):
    """What was said, as far as the service knows."""

    content: Annotated[str, Field(max_length=1000)]
    confidence: Share | None = None
    language: Tag = ""
    speaker: Tag = ""


class Item(BaseModel):
    """A word, a mark of punctuation, or something that is no part of the text."""

    type: Annotated[str, Field(max_length=40)]
    start_time: Seconds
    end_time: Seconds
    channel: Literal["channel_1", "channel_2"] | None = None
    is_eos: bool = False
    attaches_to: Literal["previous", "next", "both", "none"] | None = None
    alternatives: Annotated[list[Alternative], Field(max_length=100)] = []

    @property
    def channel_number(self) -> int:
        """0-based."""
        return 0 if self.channel is None else LABELS.index(self.channel)

    @property
    def speaker(self) -> str:
        """The service's name of who spoke; empty where it tells none apart."""
        name = self.alternatives[0].speaker
        return "" if name == NOBODY or self.channel is not None else name


class AskedFor(BaseModel):
    """The part of the request that a transcript repeats."""

    language: Tag = ""
    output_locale: Tag | None = None
    model: Tag | None = None
    operating_point: Tag | None = None


class LanguagePack(BaseModel):
    """How a language is written."""

    word_delimiter: Annotated[str, Field(max_length=3)] = " "


class Metadata(BaseModel):
    """About the transcript."""

    transcription_config: AskedFor = AskedFor()
    language_pack_info: LanguagePack | None = None


class JobFacts(BaseModel):
    """The job that a transcript is of."""

    id: JobId
    duration: Seconds = 0


class Transcript(BaseModel):
    """The format json-v2."""

    job: JobFacts
    metadata: Metadata = Metadata()
    results: Annotated[list[Item], Field(max_length=1_000_000)]

    def as_data(self) -> TranscriptData:
        """In our form: a turn ends with its sentence, where another speaks, and at a long silence."""
        asked, pack = self.metadata.transcription_config, self.metadata.language_pack_info
        items = [item for item in self.results if item.alternatives and item.type in ("word", "entity", "punctuation")]
        items.sort(key=lambda item: item.channel_number)
        delimiter = " " if pack is None else pack.word_delimiter
        segments = [
            _segment(turn, delimiter)
            for _channel, spoken in groupby(items, key=lambda item: item.channel_number)
            for turn in _turns(spoken)
        ]
        return TranscriptData(
            language=tag_of(asked.output_locale or self._language(items) or asked.language),
            duration_ms=_ms(self.job.duration),
            model=asked.model or asked.operating_point or "",
            segments=tuple(sorted(segments, key=lambda segment: (segment.start_ms, segment.channel))),
        )

    def _language(self, items: Iterable[Item]) -> str:
        """The one that most words are in."""
        found = Counter(item.alternatives[0].language for item in items if item.alternatives[0].language)
        return found.most_common(1)[0][0] if found else ""


def _turns(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Items of one channel, in turns with at least one word; marks in front of a word go with it."""
    turn: list[Item] = []
    ahead: list[Item] = []
    for item in items:
        if item.type == "punctuation" and item.attaches_to == "next":
            ahead.append(item)
        elif item.type != "punctuation":
            if turn and _ends(turn, item):
                yield turn
                turn = []
            turn += [*ahead, item]
            ahead = []
        elif turn:
            turn.append(item)
    if turn:
        yield turn


def _ends(turn: list[Item], following: Item) -> bool:
    last = turn[-1]
    pause = _ms(following.start_time) - _ms(last.end_time)
    return last.is_eos or pause > PAUSE_MS or following.speaker != _speaker(turn)


def _speaker(turn: list[Item]) -> str:
    return next(item.speaker for item in turn if item.type != "punctuation")


def _segment(turn: list[Item], delimiter: str) -> Segment:
    text, words, glued, ahead = "", list[Word](), True, ""
    for item in turn:
        heard = item.alternatives[0]
        to_the_left = item.attaches_to in ("previous", "both")
        text += heard.content if glued or to_the_left else delimiter + heard.content
        glued = item.attaches_to in ("next", "both")
        if item.type != "punctuation":
            start = _ms(item.start_time)
            words.append(Word(ahead + heard.content, start, max(start, _ms(item.end_time)), heard.confidence))
            ahead = ""
        elif item.attaches_to == "next":
            ahead += heard.content
        elif to_the_left and words:
            words[-1] = structs.replace(words[-1], text=words[-1].text + heard.content)
    return Segment(
        channel=turn[0].channel_number,
        speaker=_speaker(turn),
        start_ms=words[0].start_ms,
        end_ms=max(word.end_ms for word in words),
        text=text,
        words=tuple(words),
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
