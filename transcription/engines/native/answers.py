"""The answers of a Speech API v2 server, validated: nothing that a provider sends is trusted (hostile 3I)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from core.outcomes import EngineError, ErrorClass
from core.transcripts import Segment, TranscriptData, Word

MAX_MS = 48 * 3600 * 1000
JOB_ID = r"^[A-Za-z0-9_.-]{1,100}$"


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=False)


class Metadata(_Answer):
    """What we told the server about a job; jobs of others may say anything."""

    ref: str = ""

    @field_validator("ref", mode="before")
    @classmethod
    def _ours_are_texts(cls, value: object) -> str:
        return value if isinstance(value, str) else ""


class ListedConfig(_Answer):
    """The part of a listed job's config that names it."""

    metadata: Metadata = Metadata()


class ListedJob(_Answer):
    """One job of a list."""

    id: str = Field(pattern=JOB_ID)
    config: ListedConfig = ListedConfig()


class Listing(_Answer):
    """A page of jobs; without ``nextCursor`` it is the last one."""

    items: list[ListedJob] = Field(max_length=1000)
    nextCursor: str | None = Field(default=None, pattern=JOB_ID)


class JobError(_Answer):
    """Why a job failed."""

    code: str = Field(default="", max_length=100)
    message: str = Field(default="", max_length=10_000)
    retryable: bool = False


class Job(_Answer):
    """The state of a job."""

    id: str = Field(pattern=JOB_ID)
    status: Literal["queued", "processing", "completed", "failed", "canceled"]
    progress: int | None = None
    error: JobError | None = None


@dataclass(frozen=True, slots=True)
class ResultWord(Word):
    """One word, times in milliseconds. Made straight from JSON: a call has hundreds, a model of each costs too much."""

    text: Annotated[str, Field(max_length=500)]
    start_ms: Annotated[int, Field(ge=0, le=MAX_MS, alias="startMs")]
    end_ms: Annotated[int, Field(ge=0, le=MAX_MS, alias="endMs")]
    confidence: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)] = None


class ResultSegment(_Answer):
    """One turn."""

    channel: int = Field(ge=0, le=1)
    speaker: str = Field(default="", max_length=100)
    startMs: int = Field(ge=0, le=MAX_MS)
    endMs: int = Field(ge=0, le=MAX_MS)
    text: str = Field(max_length=100_000)
    words: list[ResultWord] = Field(default=[], max_length=100_000)


class Result(_Answer):
    """A transcript."""

    id: str
    language: str = Field(default="", max_length=20)
    durationMs: int = Field(ge=0, le=MAX_MS)
    model: str = Field(default="", max_length=120)
    segments: list[ResultSegment] = Field(max_length=100_000)


def to_transcript(result: Result) -> TranscriptData:
    """The normal form, sorted by start and channel."""
    segments = sorted(result.segments, key=lambda segment: (segment.startMs, segment.channel))
    return TranscriptData(
        language=result.language,
        duration_ms=result.durationMs,
        model=result.model,
        segments=tuple(
            Segment(
                channel=segment.channel,
                speaker=segment.speaker,
                start_ms=segment.startMs,
                end_ms=max(segment.startMs, segment.endMs),
                text=segment.text,
                words=tuple(segment.words),
            )
            for segment in segments
        ),
    )


RETRY_ANEW = {"timeout", "internal"}


def job_failure(error: JobError | None) -> EngineError:
    """The class of a failed job: what the server calls retryable is submitted anew, once; the rest is the input's."""
    error = error or JobError(code="unknown", message="The server gives no reason.")
    anew = error.retryable or error.code in RETRY_ANEW
    return EngineError(ErrorClass.LOST if anew else ErrorClass.INPUT, error.message or error.code, code=error.code)
