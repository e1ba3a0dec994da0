"""The answers of a server of the offline-task API, validated: nothing that it sends is trusted (hostile 3I)."""

import json
import re
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from core.outcomes import EngineError, ErrorClass
from core.transcripts import Segment, TranscriptData, Word

TASK_ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$"
MAX_MS = 48 * 3600 * 1000
# How many channels were sent stands in the additional information, which servers give back with the task.
CHANNELS = "parlanceChannels"
# A server may also number its speakers in the language's own words.
SPEAKER_NUMBER = re.compile(r"-([12])\Z")


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=False)


class Tokens(_Answer):
    """What the token address answers; lifetimes in seconds."""

    access_token: str = Field(min_length=1, max_length=16_384)
    expires_in: float = Field(default=60, ge=0, le=1e9, allow_inf_nan=False)
    refresh_token: str = Field(default="", max_length=16_384)


class Submitted(_Answer):
    """The id of the task that was made."""

    taskId: str = Field(pattern=TASK_ID)


class Task(_Answer):
    """Where a task stands; ``sttRemainingTime`` in seconds."""

    taskId: str = Field(pattern=TASK_ID)
    taskStatus: Literal["sttPending", "sttProcessing", "sttDone", "error"]
    sttRemainingTime: float | None = Field(default=None, allow_inf_nan=False)
    archive: bool = False
    genericAdditionalInfo: Any = None

    @property
    def channels(self) -> int:
        """How many were sent, as far as the server gives that back; else one."""
        info = self.genericAdditionalInfo
        try:
            found = json.loads(info) if isinstance(info, str) else info
        except (ValueError, RecursionError):
            return 1
        return 2 if isinstance(found, dict) and found.get(CHANNELS) == 2 else 1


class ErrorInfo(_Answer):
    """Why a meeting failed."""

    name: str = Field(default="", max_length=100)
    message: str = Field(default="", max_length=10_000)


class Metadata(_Answer):
    """The part of a meeting that says how it went."""

    errorInfo: ErrorInfo | None = None


class Meeting(_Answer):
    """One file of a task."""

    metadata: Metadata = Metadata()


Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=MAX_MS)]


class ResultWord(msgspec.Struct, frozen=True):
    """One word; milliseconds from the start of the file."""

    word: Annotated[str, msgspec.Meta(max_length=500)]
    location: Milliseconds
    duration: Milliseconds
    confidence: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None


class ResultParagraph(msgspec.Struct, frozen=True):
    """One turn. The guide names its speaker in two ways."""

    location: Milliseconds
    duration: Milliseconds
    text: Annotated[str, msgspec.Meta(max_length=100_000)] = ""
    id: Annotated[str, msgspec.Meta(max_length=200)] = ""
    legacy_id: Annotated[str, msgspec.Meta(max_length=200)] = msgspec.field(name="Id", default="")
    words: Annotated[list[ResultWord], msgspec.Meta(max_length=100_000)] = []


class Result(msgspec.Struct, frozen=True):
    """A transcript."""

    transcription: Annotated[list[ResultParagraph], msgspec.Meta(max_length=100_000)]


_RESULT = msgspec.json.Decoder(Result, strict=False)


def read_result(body: bytes) -> Result:
    """The transcript that a server sent, every field judged; raises ValueError when it does not follow the contract."""
    try:
        return _RESULT.decode(body)
    except RecursionError as error:
        raise ValueError("The answer is nested too deeply.") from error


def to_transcript(result: Result, channels: int) -> TranscriptData:
    """The normal form, sorted. Of two channels the speakers 1 and 2 are the first and the second (contract R5.6)."""
    segments = sorted(
        (_segment(each, channels) for each in result.transcription), key=lambda s: (s.start_ms, s.channel)
    )
    length = max((segment.end_ms for segment in segments), default=0)
    return TranscriptData(language="", duration_ms=length, model="", segments=tuple(segments))


def _segment(paragraph: ResultParagraph, channels: int) -> Segment:
    speaker = paragraph.id or paragraph.legacy_id
    number = SPEAKER_NUMBER.search(speaker)
    words = tuple(
        Word(word.word, round(word.location), round(word.location + word.duration), word.confidence)
        for word in paragraph.words
    )
    return Segment(
        channel=int(number[1]) - 1 if number and channels == 2 else 0,
        speaker=speaker,
        start_ms=round(paragraph.location),
        end_ms=round(paragraph.location + paragraph.duration),
        text=paragraph.text or " ".join(word.text for word in words),
        words=words,
    )


# What submitting the same file anew may mend; everything else is the file's or the other organisation's matter. What
# was aborted there, somebody or a rule of theirs has decided: each new try would be decided alike.
ANEW = frozenset({"TranscriptionFailed", "TranscriptionTimeout"})


def meeting_failure(info: ErrorInfo | None) -> EngineError:
    """The class of a meeting that failed, in the server's words (contract R5.3)."""
    info = info or ErrorInfo(name="unknown", message="The server gives no reason.")
    message = f"{info.name}: {info.message}" if info.message else info.name
    return EngineError(ErrorClass.LOST if info.name in ANEW else ErrorClass.INPUT, message, code=info.name)
