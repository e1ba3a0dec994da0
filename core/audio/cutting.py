"""Recordings as engines want them: each channel apart, in another form, in pieces that end in silence."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from core.audio.facts import UndecodableAudio
from core.audio.sandbox import SandboxFailed, SandboxLimits, run_entry

_ENTRY = "core.audio.cutting_child:cut"
# Raw samples of the channels lie on the disk of the worker while pieces are encoded: ten hours at 16 kHz.
_FILE_BYTES = 1152 * 1024 * 1024
_MEMORY_BYTES = 256 * 1024 * 1024
# Decoding and encoding an hour takes some seconds; the longest recording is ten hours.
_CPU_S, _WALL_S = 600, 1200.0
MIMES = {"wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg"}


@dataclass(frozen=True, slots=True)
class CutPlan:
    """What is wanted. ``form``: wav, flac, or ogg (Opus); ``sample_rate`` in Hz, None as it is.

    ``apart``: a file for each channel, else all channels in one. ``longest_ms``: no piece is longer; cuts lie in the
    quietest place of the last third before. None: one piece.
    """

    form: str = "flac"
    sample_rate: int | None = 16_000
    apart: bool = True
    longest_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """One file. ``channel`` is None where all are together; times in milliseconds from the start of the recording.

    ``silent``: nothing in it is louder than a whisper, so that sending it would only bring invented words.
    """

    path: Path
    channel: int | None
    start_ms: int
    end_ms: int
    mime: str
    silent: bool

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size


@contextlib.contextmanager
def cut_audio(parts: Iterator[bytes], plan: CutPlan) -> Iterator[Sequence[Piece]]:
    """Decode a recording in a confined child and give its pieces, by channel and start; gone afterwards.

    Blocks: call it in a thread. ``parts`` are the bytes of the recording, which were judged by ``inspect_audio`` when
    they came in. Raises :class:`UndecodableAudio` when they cannot be decoded all the same; OSError of a full disk.
    """
    folder = Path(tempfile.mkdtemp(prefix="parlance-cut-"))
    try:
        source = folder / "source"
        with source.open("wb") as file:
            for part in parts:
                file.write(part)
        yield _pieces(source, folder, plan)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _pieces(source: Path, folder: Path, plan: CutPlan) -> list[Piece]:
    limits = SandboxLimits(memory_bytes=_MEMORY_BYTES, file_bytes=_FILE_BYTES, cpu_s=_CPU_S, wall_s=_WALL_S)
    try:
        with source.open("rb") as stdin:
            answer = run_entry(_ENTRY, asdict(plan), stdin=stdin, work_dir=folder, limits=limits)
    except SandboxFailed as error:
        raise UndecodableAudio("decode_crashed", "Decoding this audio file failed or took too long.") from error
    if "storage_errno" in answer:
        number = cast(int | None, answer["storage_errno"]) or 0
        raise OSError(number, os.strerror(number))
    if "refused" in answer:
        raise UndecodableAudio("decode_failed", str(answer["refused"]))
    return [
        Piece(
            path=folder / str(made["name"]),
            channel=made["channel"],
            start_ms=made["start_ms"],
            end_ms=made["end_ms"],
            mime=MIMES[plan.form],
            silent=made["silent"],
        )
        for made in cast(list[dict[str, Any]], answer["pieces"])
    ]
