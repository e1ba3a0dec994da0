"""Calls for the tests: tone audio, metadata, stored calls and transcripts."""

import os
from datetime import UTC, datetime
from pathlib import Path

from conversations.metadata import CallMetadata
from conversations.models import Call
from conversations.preparing import prepare_transcript
from conversations.services import NewTranscript, ingest_call, store_transcripts
from core.transcripts import Segment, TranscriptData, Word
from speechserver.tones import spoken, tone_wav

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def wav(text: str = "hello thank you", reply: str = "yes please", *, duration_ms: int = 3000) -> bytes:
    """A two-channel call; another text makes other bytes."""
    return tone_wav([spoken(text), spoken(reply, 200)], duration_ms=duration_ms)


def audio_file(folder: Path, name: str = "call.wav", content: bytes | None = None) -> Path:
    """A file with audio in it."""
    path = folder / name
    path.write_bytes(wav() if content is None else content)
    return path


def metadata(external_id: str = "call-1", **fields) -> CallMetadata:
    """Valid metadata."""
    return CallMetadata(**({"external_id": external_id, "started_at": START} | fields))


def stored_call(tenant, external_id: str = "call-1", *, audio: Path | None = None, **fields) -> Call:
    """A call taken in by the service."""
    return ingest_call(
        tenant=tenant,
        metadata=metadata(external_id, **fields),
        audio_path=audio,
        label="call.wav",
        actor="test",
        source="test",
    )


def transcript(*turns: str, duration_ms: int = 3000) -> TranscriptData:
    """Turns of alternating channels, 100 ms a word."""
    segments, at = [], 0
    for number, text in enumerate(turns):
        words = [Word(word, at + 100 * index, at + 100 * index + 90, 0.9) for index, word in enumerate(text.split())]
        end = words[-1].end_ms
        segments.append(Segment(number % 2, f"S{number % 2 + 1}", at, end, text, tuple(words)))
        at = end + 100
    return TranscriptData("en-US", duration_ms, "model-1", tuple(segments))


def transcribed(tenant, call: Call, *turns: str) -> None:
    """Store a transcript for the call."""
    store_transcripts(tenant=tenant, items=[new_transcript(call.pk, transcript(*turns))])


def new_transcript(call_id, data: TranscriptData, duration_ms: int = 3000) -> NewTranscript:
    """What a job hands over for a call of this length."""
    return NewTranscript(call_id, prepare_transcript(data, duration_ms), "Tones")


def stored_files() -> set[str]:
    """The names of all files in the audio store."""
    from django.core.files.storage import default_storage

    root = default_storage.location
    return {
        os.path.relpath(os.path.join(folder, name), root) for folder, _folders, names in os.walk(root) for name in names
    }
