"""What the confined child does for ``core.audio.cutting``: decode to raw samples, look for silence, encode the pieces.

Samples go through the disk, so that the memory does not grow with the length. Runs by :mod:`core.audio.sandbox` only.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from core.audio.sniffing import sniff

Samples = NDArray[np.int16]
# Codec, muxer, and the rates that the codec takes (None: any).
_FORMS: dict[str, tuple[str, str, str]] = {
    "wav": ("pcm_s16le", "wav", "s16"),
    "flac": ("flac", "flac", "s16"),
    "ogg": ("libopus", "ogg", "s16"),
}
_WINDOW_MS = 20
# A pause of this length is looked for; the cut is in its middle.
_PAUSE_MS = 200
# A share of the longest piece at its end, where a cut may lie.
_LAST_SHARE = 1 / 3
# Root mean square, of full scale 1.0, under which there is nothing to be heard.
_FAINTEST = 0.001
_BLOCK = 8192
# Opus, bits a second and channel.
_SPEECH_BIT_RATE = 32_000


def cut(request: dict[str, object]) -> dict[str, object]:
    """Entry point: cut standard input into files in the current folder; what they are, or why there are none."""
    try:
        with open(0, "rb", closefd=False) as source:
            channels, rate = _decode(source, cast(int | None, request["sample_rate"]))
        return {"pieces": list(_made(channels, rate, request))}
    except (av.FFmpegError, ValueError):
        return {"refused": "The audio cannot be decoded."}
    except OSError as error:
        return {"storage_errno": error.errno}


def _decode(source: BinaryIO, wanted: int | None) -> tuple[list[Path], int]:
    """One file of raw 16-bit samples a channel, and their rate in Hz. Damage ends the audio there, as it did when it came in."""
    kind = sniff(source)
    if kind is None:
        raise ValueError("no audio")
    source.seek(0)
    paths: list[Path] = []
    files: list[BinaryIO] = []
    rate = 0
    options = {"protocol_whitelist": "none"}
    with av.open(source, "r", format=kind.demuxer, options=options) as media:
        resampler: AudioResampler | None = None
        try:
            for frame in _frames(media):
                if resampler is None:
                    count = frame.layout.nb_channels
                    paths = [Path(f"channel-{number}.raw") for number in range(count)]
                    files = [path.open("wb") for path in paths]
                    rate = wanted or frame.sample_rate
                    resampler = AudioResampler("s16p", frame.layout.name, rate)
                frame.pts = None
                _write(resampler.resample(frame), files)
            if resampler is not None:
                _write(resampler.resample(None), files)
        finally:
            for file in files:
                file.close()
    if not paths or not paths[0].stat().st_size:
        raise ValueError("no samples")
    return paths, rate


def _frames(media: Any) -> Iterator[AudioFrame]:
    stream = media.streams.audio[0] if media.streams.audio else None
    if stream is None:
        raise ValueError("no audio stream")
    stream.codec_context.thread_count = 1
    begun = False
    packets = media.demux(stream)
    while True:
        try:
            frames = next(packets).decode()
        except StopIteration:
            return
        except av.FFmpegError:
            if begun:
                return
            continue
        for frame in frames:
            begun = True
            yield frame


def _write(frames: list[AudioFrame], files: list[BinaryIO]) -> None:
    for frame in frames:
        for row, file in zip(frame.to_ndarray(), files, strict=True):
            file.write(np.ascontiguousarray(row, dtype="<i2").tobytes())


def _made(channels: list[Path], rate: int, request: dict[str, object]) -> Iterator[dict[str, object]]:
    form = cast(str, request["form"])
    longest = cast(int | None, request["longest_ms"])
    groups: list[tuple[int | None, list[Path]]] = [(None, channels)]
    if request["apart"]:
        groups = [(number, [path]) for number, path in enumerate(channels)]
    for channel, paths in groups:
        levels = np.max([_levels(path, rate) for path in paths], axis=0)
        total = paths[0].stat().st_size // 2
        for number, (start, end) in enumerate(_spans(levels, total, rate, longest)):
            name = f"piece-{'all' if channel is None else channel}-{number:05}.{form}"
            _encode(paths, start, end, rate, name, form)
            window = rate * _WINDOW_MS // 1000
            heard = levels[start // window : -(-end // window)]
            yield {
                "name": name,
                "channel": channel,
                "start_ms": start * 1000 // rate,
                "end_ms": end * 1000 // rate,
                "silent": not len(heard) or bool(heard.max() < _FAINTEST),
            }


def _levels(path: Path, rate: int) -> NDArray[np.float64]:
    """Loudness of each window of 20 ms."""
    window = rate * _WINDOW_MS // 1000
    found = []
    for samples in _blocks(path, 0, path.stat().st_size // 2, window * 512):
        padded = np.pad(samples.astype(np.float64) / 32768, (0, -len(samples) % window))
        found.append(np.sqrt(np.mean(padded.reshape(-1, window) ** 2, axis=1)))
    return np.concatenate(found)


def _spans(levels: NDArray[np.float64], total: int, rate: int, longest_ms: int | None) -> Iterator[tuple[int, int]]:
    """First and last+1 sample of each piece."""
    window = rate * _WINDOW_MS // 1000
    most = total if longest_ms is None else longest_ms * rate // 1000
    start = 0
    while total - start > most:
        low, high = (start + round(most * (1 - _LAST_SHARE))) // window, (start + most) // window
        wide = _PAUSE_MS // _WINDOW_MS
        loudness = np.convolve(levels[low:high], np.ones(wide), "valid")
        # The last of places that are as quiet, so that there are few pieces.
        place = len(loudness) - 1 - int(np.argmin(loudness[::-1]))
        middle = (low + place + wide // 2) * window
        yield start, middle
        start = middle
    yield start, total


def _blocks(path: Path, start: int, end: int, size: int) -> Iterator[Samples]:
    with path.open("rb") as file:
        file.seek(start * 2)
        while start < end:
            count = min(size, end - start)
            yield np.frombuffer(file.read(count * 2), dtype="<i2")
            start += count


def _encode(paths: list[Path], start: int, end: int, rate: int, name: str, form: str) -> None:
    codec, muxer, sample_format = _FORMS[form]
    layout = "mono" if len(paths) == 1 else "stereo"
    with av.open(name, "w", format=muxer, options={"fflags": "+bitexact"}) as media:
        stream = cast(AudioStream, media.add_stream(codec, rate=rate))
        stream.layout, stream.format = layout, sample_format
        if form == "ogg":
            stream.bit_rate = _SPEECH_BIT_RATE * len(paths)
        written = 0
        resampler = AudioResampler(sample_format, layout, rate, stream.codec_context.frame_size or _BLOCK)
        for rows in zip(*(_blocks(path, start, end, _BLOCK) for path in paths), strict=True):
            frame = AudioFrame.from_ndarray(np.stack(rows, axis=1).reshape(1, -1), "s16", layout)
            frame.sample_rate, frame.pts = rate, None
            written = _encoded(media, stream, resampler.resample(frame), rate, written)
        _encoded(media, stream, resampler.resample(None), rate, written)
        media.mux(stream.encode(None))


def _encoded(media: Any, stream: Any, frames: list[AudioFrame], rate: int, written: int) -> int:
    for frame in frames:
        frame.pts, frame.time_base = written, Fraction(1, rate)
        written += frame.samples
        media.mux(stream.encode(frame))
    return written
