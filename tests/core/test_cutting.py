"""Recordings cut for engines: channels apart, pieces that end in silence, nothing left behind."""

import asyncio
import itertools
import tempfile
import threading
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.audio import UndecodableAudio
from core.audio.cutting import CutPlan, cut_audio
from core.outcomes import EngineError, ErrorClass
from speechserver.tones import spoken, tone_wav
from transcription.engines.base import AudioSource
from transcription.engines.pieces import pieces_of

# Ten seconds of words with a pause of two seconds in the middle of each channel, not at the same time.
CALL = tone_wav(
    [
        spoken("one two three four five six seven eight", 200) + spoken("nine zero yes no", 6000),
        spoken("hello thank you", 1000) + spoken("good bye", 8500),
    ],
    duration_ms=10_000,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_channels_are_apart_and_pieces_follow_each_other_without_a_gap():
    with cut_audio(iter([CALL]), CutPlan(longest_ms=6000)) as pieces:
        for channel in (0, 1):
            spans = [(piece.start_ms, piece.end_ms) for piece in pieces if piece.channel == channel]
            assert spans[0][0] == 0
            assert spans[-1][1] == 10_000
            assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
            assert all(end - start <= 6000 for start, end in spans)
    with cut_audio(iter([CALL]), CutPlan(longest_ms=None)) as pieces:
        assert [(piece.channel, piece.start_ms, piece.end_ms) for piece in pieces] == [(0, 0, 10_000), (1, 0, 10_000)]


def test_a_cut_lies_in_a_pause_and_not_in_a_word():
    with cut_audio(iter([CALL]), CutPlan(longest_ms=6000)) as pieces:
        [cut] = [piece.end_ms for piece in pieces if piece.channel == 0 and piece.end_ms < 10_000]
    assert 3900 <= cut <= 6000


def test_speech_without_any_pause_is_cut_all_the_same():
    loud = tone_wav([spoken("one two three four five six seven eight nine zero " * 3, 0, step_ms=390)])
    with cut_audio(iter([loud]), CutPlan(longest_ms=2000)) as pieces:
        assert all(piece.end_ms - piece.start_ms <= 2000 for piece in pieces)
        assert len(pieces) >= 6


@pytest.mark.parametrize(("apart", "channels"), [(True, 1), (False, 2)])
def test_a_wav_piece_has_the_rate_and_the_channels_that_were_asked_for(apart: bool, channels: int):
    with cut_audio(iter([CALL]), CutPlan(form="wav", sample_rate=8000, apart=apart)) as pieces:
        with wave.open(str(pieces[0].path)) as made:
            assert (made.getframerate(), made.getnchannels(), made.getsampwidth()) == (8000, channels, 2)
            assert made.getnframes() == 80_000
        assert [piece.channel for piece in pieces] == ([0, 1] if apart else [None])


def test_what_nobody_can_hear_is_called_silent():
    with cut_audio(iter([tone_wav([spoken("hello", 0), []], duration_ms=3000)]), CutPlan()) as pieces:
        assert [piece.silent for piece in pieces] == [False, True]


def test_nothing_is_left_behind_after_work_or_failure(folder: Path):
    with cut_audio(iter([CALL]), CutPlan()) as pieces:
        assert all(piece.path.exists() for piece in pieces)
    with pytest.raises(UndecodableAudio), cut_audio(iter([b"no sound at all"]), CutPlan()):
        pass
    assert not list(folder.iterdir())


def test_work_that_is_cancelled_while_audio_is_cut_leaves_nothing_behind(folder: Path):
    reached, go_on = threading.Event(), threading.Event()

    def slow() -> Iterator[bytes]:
        reached.set()
        go_on.wait(20)
        yield CALL

    async def work() -> None:
        audio = AudioSource("call.wav", "audio/wav", len(CALL), 10_000, 2, slow)

        async def cut() -> None:
            async with pieces_of(audio, CutPlan()):
                raise AssertionError("was not cancelled")

        task = asyncio.create_task(cut())
        await asyncio.to_thread(reached.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        # The thread that cuts is the only one at work: the executor's end is its end.
        await asyncio.get_running_loop().shutdown_default_executor()
        await asyncio.sleep(0)

    asyncio.run(work())
    assert not list(folder.iterdir())


def test_audio_that_cannot_be_decoded_is_an_error_of_the_input():
    audio = AudioSource("call.wav", "audio/wav", 5, 1000, 1, lambda: iter([b"noise"]))

    async def work() -> None:
        async with pieces_of(audio, CutPlan()):
            raise AssertionError("was not refused")

    with pytest.raises(EngineError) as failed:
        asyncio.run(work())
    assert failed.value.error_class == ErrorClass.INPUT
