"""Audio containers: a cheap look at the first bytes, and decoding with PyAV (only ever in a child process).

Files are opened as file objects with the demuxer named by us, so no playlist, URL or reference inside a file is followed;
metadata and pictures are ignored.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.container
import numpy as np

# What /v2/info lists; the value is the name of the demuxer.
FORMATS: dict[str, str] = {
    "wav": "wav",
    "flac": "flac",
    "ogg": "ogg",
    "mp3": "mp3",
    "aac": "aac",
    "m4a": "mov",
    "webm": "matroska",
    "aiff": "aiff",
    "au": "au",
    "amr": "amr",
    "caf": "caf",
}
MAX_CHANNELS = 8
MIN_PARTIAL_MS = 1000


class AudioError(Exception):
    """Audio that cannot be used; ``code`` is ``decode_error`` or ``audio_too_long``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Probe:
    """What a file says of itself; ``duration_ms`` is the container's claim and None when it makes none."""

    format: str
    codec: str
    sample_rate: int
    channels: int
    duration_ms: int | None


@dataclass(frozen=True)
class Decoded:
    """What was really decoded: one file of signed 16-bit mono samples a channel, length in milliseconds."""

    paths: tuple[Path, ...]
    duration_ms: int
    sample_rate: int
    channels: int
    warnings: tuple[str, ...]


def sniff(head: bytes) -> str | None:
    """The format of a file by its first 16 bytes, or None when it is no audio container we take."""
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "wav"
    for magic, name in (
        (b"fLaC", "flac"),
        (b"OggS", "ogg"),
        (b"ID3", "mp3"),
        (b"\x1a\x45\xdf\xa3", "webm"),
        (b".snd", "au"),
        (b"#!AMR", "amr"),
        (b"caff", "caf"),
    ):
        if head.startswith(magic):
            return name
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[4:8] == b"ftyp":
        return "m4a"
    if len(head) >= 4 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "aac" if head[1] & 0x06 == 0 else "mp3"
    return None


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any, str]]:
    with path.open("rb") as file:
        name = sniff(file.read(16))
        file.seek(0)
        if name is None:
            raise AudioError("decode_error", "The file is not a supported audio file.")
        try:
            with av.open(file, mode="r", format=FORMATS[name], metadata_errors="ignore") as container:
                stream = next((s for s in container.streams if s.type == "audio"), None)
                if stream is None:
                    raise AudioError("decode_error", "The file has no audio track.")
                yield container, stream, name
        except (av.error.FFmpegError, ValueError) as error:
            raise AudioError("decode_error", f"The audio cannot be decoded ({type(error).__name__}).") from error


def probe(path: Path) -> Probe:
    """Open a file and decode its first frame. Raises ``AudioError`` (``decode_error``) when that fails."""
    with _opened(path) as (container, stream, name):
        frame = next(container.decode(stream), None)
        if frame is None or not frame.samples:
            raise AudioError("decode_error", "The file contains no audio.")
        channels = frame.layout.nb_channels
        if channels > MAX_CHANNELS:
            raise AudioError("decode_error", f"At most {MAX_CHANNELS} channels are supported.")
        claim = container.duration / 1000 if container.duration else None
        codec = stream.codec_context.name
        return Probe(name, codec, frame.sample_rate, channels, None if claim is None else max(0, round(claim)))


def decode(path: Path, folder: Path, *, sample_rate: int, max_duration_ms: int, mix: bool) -> Decoded:
    """Decode a file to one raw 16-bit file a channel in ``folder`` at ``sample_rate`` Hz.

    The limit counts decoded samples, whatever the header claims. Damage in the middle ends the audio there, with a
    warning; raises ``AudioError`` when less than one second was decoded before the damage, or when it is too long.
    """
    with _opened(path) as (container, stream, _):
        first = next(container.decode(stream), None)
        if first is None or not first.samples:
            raise AudioError("decode_error", "The file contains no audio.")
        source_rate, source_channels = first.sample_rate, first.layout.nb_channels
        channels = 1 if mix else source_channels
        # The frame stays planar: one row of samples a channel, resampled without mixing channels.
        layout = "mono" if mix else first.layout.name
        resampler = av.AudioResampler(format="s16p", layout=layout, rate=sample_rate)
        paths = tuple(folder / f"channel{number}.pcm" for number in range(channels))
        files = [p.open("wb") for p in paths]
        try:
            samples, damaged = _pump(container, stream, first, resampler, files, max_duration_ms * sample_rate // 1000)
        finally:
            for file in files:
                file.close()
    duration_ms = samples * 1000 // sample_rate
    if not samples or (damaged and duration_ms < MIN_PARTIAL_MS):
        raise AudioError("decode_error", "Less than one second of audio could be decoded.")
    warnings = ("The audio is damaged; it was decoded up to the damage.",) if damaged else ()
    return Decoded(paths, duration_ms, source_rate, channels, warnings)


def _pump(
    container: Any, stream: Any, first: Any, resampler: Any, files: list[Any], max_samples: int
) -> tuple[int, bool]:
    samples, damaged = 0, False

    def write(frames: list[Any]) -> None:
        nonlocal samples
        for frame in frames:
            rows = frame.to_ndarray()
            samples += rows.shape[1]
            if samples > max_samples:
                raise AudioError("audio_too_long", "The audio is longer than this server accepts.")
            for row, file in zip(rows, files, strict=True):
                file.write(np.ascontiguousarray(row, dtype="<i2").tobytes())

    def resampled(frame: Any) -> list[Any]:
        if frame is not None:
            # Timestamps of damaged or hand-cut files jump; the position in the audio is what counts.
            frame.pts = None
        found: list[Any] = resampler.resample(frame)
        return found

    write(resampled(first))
    try:
        for frame in container.decode(stream):
            write(resampled(frame))
    except (av.error.FFmpegError, ValueError):
        damaged = True
    write(resampled(None))
    return samples, damaged
