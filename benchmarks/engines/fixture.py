"""The recording of 105 tone words in two channels, in nine codecs."""

import io
import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from core.transcripts import TranscriptData
from speechserver.tones import WORDS, tone_wav
from transcription.engines.base import AudioSource

COUNT = 105
STEP_MS = 450
RATE = 8000
# Every tenth pause is as long as one between sentences, so that there are turns and places to cut at.
PAUSE_MS = 900
Spoken = tuple[int, int, str]
Samples = NDArray[np.int16]


def _script() -> list[Spoken]:
    """(channel, start in ms, word): the channels speak by turns of five words."""
    spoken, moment = [], 300
    vocabulary = itertools.chain(WORDS[:60], (f"w{code:04x}" for code in range(0x1234, 0xFFFF, 0x4D3)))
    for number, word in zip(range(COUNT), vocabulary, strict=False):
        spoken.append((number // 5 % 2, moment, word))
        moment += STEP_MS + (PAUSE_MS if number % 5 == 4 else 0)
    return spoken


SCRIPT = _script()
DURATION_MS = SCRIPT[-1][1] + 1500


def _wav(rate: int = RATE) -> bytes:
    channels = [[(start, word) for number, start, word in SCRIPT if number == channel] for channel in (0, 1)]
    return tone_wav(channels, rate, duration_ms=DURATION_MS)


def _samples(rate: int) -> Samples:
    """Two rows."""
    return np.frombuffer(_wav(rate)[44:], "<i2").reshape(-1, 2).T.copy()


def _encoded(samples: Samples, rate: int, container: str, codec: str, bit_rate: int | None = None) -> bytes:
    """A file of the rows of ``samples``."""
    file, layout = io.BytesIO(), "stereo" if len(samples) == 2 else "mono"
    with av.open(file, "w", format=container) as made:
        stream: Any = made.add_stream(codec, rate=rate)
        stream.layout = layout
        if bit_rate:
            stream.bit_rate = bit_rate
        resampler = av.AudioResampler(
            format=stream.format.name, layout=layout, rate=rate, frame_size=stream.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T).reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            made.mux(stream.encode(part))
        made.mux(stream.encode(None))
    return file.getvalue()


def _decoded(content: bytes, rate: int) -> Samples:
    with av.open(io.BytesIO(content), "r") as file:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
        parts = [part.to_ndarray()[0] for frame in file.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate(parts)


def _through_g722() -> bytes:
    """Each channel through G.722, which has one channel only, and both as a WAV file again."""
    rows = [_decoded(_encoded(row[None, :], 16_000, "wav", "g722"), 16_000) for row in _samples(16_000)]
    length = min(len(row) for row in rows)
    return _encoded(np.stack([row[:length] for row in rows]), 16_000, "wav", "pcm_s16le")


CODECS: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "PCM 8 kHz": ("call.wav", "audio/wav", _wav),
    "PCM 8 → 16 kHz": ("call.wav", "audio/wav", lambda: _resampled()),
    "µ-law": ("call.wav", "audio/wav", lambda: _encoded(_samples(RATE), RATE, "wav", "pcm_mulaw")),
    "A-law": ("call.wav", "audio/wav", lambda: _encoded(_samples(RATE), RATE, "wav", "pcm_alaw")),
    "G.722": ("call.wav", "audio/wav", _through_g722),
    "FLAC": ("call.flac", "audio/flac", lambda: _encoded(_samples(RATE), RATE, "flac", "flac")),
    "MP3 32 kb/s": ("call.mp3", "audio/mpeg", lambda: _encoded(_samples(16_000), 16_000, "mp3", "libmp3lame", 32_000)),
    "Opus 24 kb/s": ("call.ogg", "audio/ogg", lambda: _encoded(_samples(16_000), 16_000, "ogg", "libopus", 24_000)),
    "Opus 12 kb/s": ("call.ogg", "audio/ogg", lambda: _encoded(_samples(16_000), 16_000, "ogg", "libopus", 12_000)),
}


def _resampled() -> bytes:
    rows = np.stack([_decoded(_encoded(row[None, :], RATE, "wav", "pcm_s16le"), 16_000) for row in _samples(RATE)])
    return _encoded(rows, 16_000, "wav", "pcm_s16le")


def recording(codec: str) -> AudioSource:
    """The recording in one of ``CODECS``."""
    name, mime, made = CODECS[codec]
    content = made()
    return AudioSource(name, mime, len(content), DURATION_MS, 2, lambda: iter([content]))


def judged(transcript: TranscriptData) -> tuple[int, int, int]:
    """How many words are right, how many of these in the right channel, and the largest error of a start (ms).

    Each word of the script is sought once among the words that were heard, nearest in time first.
    """
    heard = [
        (segment.channel, word.start_ms, word.text.lower().strip(".,?!"))
        for segment in transcript.segments
        for word in segment.words
    ]
    right = placed = worst = 0
    for channel, start, word in SCRIPT:
        near = [said for said in heard if said[2] == word and abs(said[1] - start) < STEP_MS]
        if near:
            best = min(near, key=lambda said: (said[0] != channel, abs(said[1] - start)))
            heard.remove(best)
            right, placed, worst = right + 1, placed + (best[0] == channel), max(worst, abs(best[1] - start))
    return right, placed, worst
