"""The tone words survive codecs: at least 99 of 100 words, start error at most 20 ms."""

import io
import random
import time
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from speechserver.audio import decode
from speechserver.recognisers.base import Segment
from speechserver.recognisers.tones import PLACEHOLDER, TonesRecogniser
from speechserver.tones import WORDS, code_of, spoken, tone_wav, word_of

CODECS = [
    ("wav", "pcm_s16le", 8000, None),
    ("wav", "pcm_mulaw", 8000, None),
    ("wav", "pcm_alaw", 8000, None),
    ("flac", "flac", 8000, None),
    ("flac", "flac", 44100, None),
    ("mp3", "libmp3lame", 16000, 16000),
    ("mp3", "libmp3lame", 44100, 64000),
    ("ogg", "libopus", 48000, 24000),
    ("ogg", "libopus", 16000, 12000),
    ("wav", "g726", 8000, None),
    ("webm", "libopus", 48000, 32000),
    ("mp4", "aac", 16000, 32000),
]


# Telephone codecs have one channel; Opus below about 20 kbit/s folds two channels into one by itself.
MONO = {("g726", None), ("libopus", 12000)}


def talk(channels: int) -> list[list[tuple[int, str]]]:
    """A hundred random words, the channels taking turns of five words."""
    dice = random.Random(7)
    start, words = 200, [[] for _ in range(channels)]
    for number in range(100):
        words[number // 5 % channels].append(
            (start, word_of(dice.choice([dice.randrange(65536), dice.randrange(len(WORDS))])))
        )
        start += dice.choice([380, 400, 450, 1200])
    return words


def encode(wav: bytes, container: str, codec: str, rate: int, bit_rate: int | None) -> bytes:
    """Re-encode a WAV file."""
    target = io.BytesIO()
    with av.open(io.BytesIO(wav)) as source, av.open(target, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.layout = "mono" if source.streams.audio[0].channels == 1 else "stereo"
        if bit_rate:
            stream.bit_rate = bit_rate
        resampler = av.AudioResampler(format=stream.format, layout=stream.layout, rate=rate)
        for frame in source.decode(audio=0):
            for piece in resampler.resample(frame):
                out.mux(stream.encode(piece))
        for piece in resampler.resample(None):
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return target.getvalue()


def recognised(data: bytes, folder: Path) -> list[list[Segment]]:
    """Segments of every channel of a file."""
    (folder / "audio").write_bytes(data)
    decoded = decode(folder / "audio", folder, sample_rate=8000, max_duration_ms=600_000, mix=False)
    recogniser = TonesRecogniser(None)
    return [
        recogniser.recognise(np.fromfile(path, dtype="<i2"), language="en-US", progress=lambda _: None)
        for path in decoded.paths
    ]


@pytest.mark.parametrize(("container", "codec", "rate", "bit_rate"), CODECS)
def test_words_and_times_survive_the_codec(
    container: str, codec: str, rate: int, bit_rate: int | None, tmp_path: Path
) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV cannot encode {codec}")
    words = talk(1 if (codec, bit_rate) in MONO else 2)
    heard = recognised(encode(tone_wav(words), container, codec, rate, bit_rate), tmp_path)
    assert len(heard) == len(words)
    for said, segments in zip(words, heard, strict=True):
        found = [word for segment in segments for word in segment.words]
        right = [
            any(other.text == word and abs(other.start_ms - start) <= 20 for other in found) for start, word in said
        ]
        assert sum(right) >= 0.99 * len(said), (codec, sum(right), len(found))
        assert len(found) <= len(said) + 2, "words of the other channel were heard"


def test_ten_seconds_are_recognised_within_50_ms() -> None:
    with wave.open(io.BytesIO(tone_wav([spoken("hello thank you " * 7)], duration_ms=10_000))) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    recogniser, best = TonesRecogniser(None), 9.9
    for _ in range(3):
        begin = time.perf_counter()
        recogniser.recognise(samples, language="en-US", progress=lambda _: None)
        best = min(best, time.perf_counter() - begin)
    assert best < 0.05


def test_sounds_that_are_no_tone_words_become_placeholders(tmp_path: Path) -> None:
    noise = np.zeros(8000 * 4, dtype="<i2")
    noise[8000:16000] = np.random.default_rng(1).normal(0, 6000, 8000).astype("<i2")
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(noise.tobytes())
    (segments,) = recognised(target.getvalue(), tmp_path)
    words = [word for segment in segments for word in segment.words]
    assert {word.text for word in words} == {PLACEHOLDER}
    assert 1 <= len(words) <= 3
    assert abs(words[0].start_ms - 1000) <= 20
    assert abs(words[-1].end_ms - 2000) <= 20


def test_the_lexicon_is_one_to_one() -> None:
    assert len(set(WORDS)) == len(WORDS)
    for code in (*range(len(WORDS) + 3), 0x1234, 65535):
        assert code_of(word_of(code)) == code
    with pytest.raises(ValueError, match="no tone word"):
        code_of("unknown")
    with pytest.raises(ValueError, match="too near"):
        tone_wav([[(0, "hello"), (350, "thank")]])
