"""The answers of a Speech API v2 server, validated: nothing that a provider sends is trusted (hostile 3I)."""

from typing import Annotated, Literal

import msgspec
from msgspec.structs import replace
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


# The result is by far the largest answer: structs read it at a fifth of the price of models, as strictly.
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=MAX_MS)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class ResultWord(Word, frozen=True, gc=False, rename="camel"):
    """One word, times in milliseconds."""

    text: Annotated[str, msgspec.Meta(max_length=500)]
    start_ms: Milliseconds
    end_ms: Milliseconds
    confidence: Share | None = None


class ResultSegment(Segment, frozen=True, gc=False, rename="camel", kw_only=True):
    """One turn."""

    channel: Annotated[int, msgspec.Meta(ge=0, le=1)]
    start_ms: Milliseconds
    end_ms: Milliseconds
    text: Annotated[str, msgspec.Meta(max_length=100_000)]
    speaker: Annotated[str, msgspec.Meta(max_length=100)] = ""
    words: Annotated[tuple[ResultWord, ...], msgspec.Meta(max_length=100_000)] = ()


class Result(msgspec.Struct, frozen=True, rename="camel"):
    """A transcript."""

    id: str
    duration_ms: Milliseconds
    segments: Annotated[list[ResultSegment], msgspec.Meta(max_length=100_000)]
    language: Annotated[str, msgspec.Meta(max_length=20)] = ""
    model: Annotated[str, msgspec.Meta(max_length=120)] = ""


_RESULT = msgspec.json.Decoder(Result, strict=False)


def read_result(body: bytes) -> Result:
    """The result that a server sent, every field judged; raises ValueError when it does not follow the contract."""
    try:
        return _RESULT.decode(body)
    except RecursionError as error:
        raise ValueError("The answer is nested too deeply.") from error


def to_transcript(result: Result) -> TranscriptData:
    """The normal form, sorted by start and channel."""
    segments = sorted(result.segments, key=lambda segment: (segment.start_ms, segment.channel))
    return TranscriptData(
        language=result.language,
        duration_ms=result.duration_ms,
        model=result.model,
        segments=tuple(
            segment if segment.start_ms <= segment.end_ms else replace(segment, end_ms=segment.start_ms)
            for segment in segments
        ),
    )


RETRY_ANEW = {"timeout", "internal"}


def job_failure(error: JobError | None) -> EngineError:
    """The class of a failed job: what the server calls retryable is submitted anew, once; the rest is the input's."""
    error = error or JobError(code="unknown", message="The server gives no reason.")
    anew = error.retryable or error.code in RETRY_ANEW
    return EngineError(ErrorClass.LOST if anew else ErrorClass.INPUT, error.message or error.code, code=error.code)
