"""AssemblyAI's answers, judged. Times are milliseconds already; channels are texts that begin at "1"."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from core.outcomes import EngineError, ErrorClass
from core.transcripts import Segment, Word

MAX_MS = 48 * 3600 * 1000
JOB_ID = r"^[A-Za-z0-9_-]{1,100}$"
DELETED = "deleted_by_user"
# The vendor's words for trouble of its own; all other failures are about the recording.
THEIRS = ("server error", "internal error", "please try again", "timed out")
Milliseconds = Annotated[int, Field(ge=0, le=MAX_MS)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


def _channel(value: object) -> object:
    return 0 if value is None else int(value) - 1 if isinstance(value, str) and value.isdecimal() else value


Channel = Annotated[int, BeforeValidator(_channel), Field(ge=0, le=1)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=False)


class Uploaded(_Answer):
    """Where the audio lies."""

    upload_url: str = Field(min_length=1, max_length=2000)


class HeardWord(_Answer):
    """A word."""

    text: str = Field(max_length=500)
    start: Milliseconds
    end: Milliseconds
    confidence: Share | None = None


class Utterance(_Answer):
    """A turn of a speaker or a channel."""

    start: Milliseconds
    end: Milliseconds
    text: str = Field(max_length=100_000)
    words: list[HeardWord] = Field(default=[], max_length=100_000)
    channel: Channel = 0
    speaker: str | None = Field(default=None, max_length=100)


class Job(_Answer):
    """A job, and when it is completed its transcript."""

    id: str = Field(pattern=JOB_ID)
    status: Literal["queued", "processing", "completed", "error"]
    audio_url: str | None = Field(default=None, max_length=4000)
    error: str | None = Field(default=None, max_length=10_000)
    text: str | None = Field(default=None, max_length=2_000_000)
    audio_duration: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    utterances: list[Utterance] | None = Field(default=None, max_length=100_000)
    words: list[HeardWord] | None = Field(default=None, max_length=300_000)
    language_code: str | None = Field(default=None, max_length=40)

    @property
    def deleted(self) -> bool:
        """A deleted job is still shown, without its contents."""
        return DELETED in (self.audio_url or "")


def segments_of(job: Job) -> tuple[Segment, ...]:
    """The turns, sorted by start and channel; without turns all words are one."""
    turns = job.utterances
    if not turns and job.words:
        first, last = job.words[0], job.words[-1]
        turns = [Utterance(start=first.start, end=last.end, text=job.text or "", words=job.words)]
    segments = [
        Segment(
            channel=turn.channel,
            speaker=turn.speaker or "",
            start_ms=turn.start,
            end_ms=max(turn.start, turn.end),
            text=turn.text,
            words=tuple(Word(w.text, w.start, max(w.start, w.end), w.confidence) for w in turn.words),
        )
        for turn in turns or []
    ]
    return tuple(sorted(segments, key=lambda segment: (segment.start_ms, segment.channel)))


def failure_of(job: Job, shown: str) -> EngineError:
    """Trouble of the vendor's own is submitted anew, once; ``shown`` are its words without secrets."""
    theirs = any(words in shown.lower() for words in THEIRS)
    return EngineError(ErrorClass.LOST if theirs else ErrorClass.INPUT, shown or "The job failed.", code="error")
