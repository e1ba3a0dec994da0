"""Makes the audio files of the tests, good ones and hostile ones."""

import struct
from pathlib import Path

import av
import numpy as np


def tone(
    path: Path, codec: str, container: str, *, rate: int = 8000, channels: int = 2, seconds: float = 2, **options: str
) -> Path:
    """Write a file of a tone: the first channel sounds throughout, the others only in the second half."""
    time = np.arange(int(rate * seconds)) / rate
    wave = (np.sin(2 * np.pi * 440 * time) * 12000).astype(np.int16)
    samples = np.repeat(wave[:, None], channels, axis=1)
    samples[: len(wave) // 2, 1:] = 0
    layout = {1: "mono", 2: "stereo", 3: "3.0"}[channels]
    with av.open(str(path), "w", format=container) as target:
        stream = target.add_stream(codec, rate=rate, options=options)
        stream.layout = layout
        for start in range(0, len(samples), 8000):
            part = np.ascontiguousarray(samples[start : start + 8000]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout=layout)
            frame.sample_rate, frame.pts = rate, start
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def wav(payload: bytes, *, tag: int = 1, rate: int = 8000, bits: int = 16, align: int = 2, claim: int | None = None):
    """Return the bytes of a mono WAV file with this format tag, whose header may lie about the payload's length."""
    length = len(payload) if claim is None else claim
    layout = struct.pack("<HHIIHH", tag, 1, rate, rate * align if tag == 1 else 1000, align, bits)
    form = b"WAVEfmt " + struct.pack("<I", len(layout)) + layout + b"data" + struct.pack("<I", length)
    return b"RIFF" + struct.pack("<I", min(length + 36, 0xFFFFFFFF)) + form + payload


def id3(*frames: tuple[bytes, bytes]) -> bytes:
    """Return an ID3v2.3 tag of these frames."""
    body = b"".join(name + struct.pack(">IH", len(data), 0) + data for name, data in frames)
    length = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + length + body
