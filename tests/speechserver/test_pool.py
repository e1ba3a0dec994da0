"""Children crash, hang and are cancelled; the pool goes on."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from speechserver.pool import OrderRefused, Pool, WorkerCrashed, WorkerTimeout
from speechserver.tones import spoken, tone_wav
from stack.processes import start_ticks
from tests.speechserver.conftest import children_of


def with_pool(work: Callable[[Pool], Awaitable[None]]) -> None:
    """Run with a pool of one tones child."""

    async def main() -> None:
        pool = Pool(recogniser="tones", model_path="", size=1)
        await pool.warm()
        try:
            await work(pool)
        finally:
            await pool.close()

    asyncio.run(main())


@pytest.fixture
def probe(tmp_path: Path) -> dict[str, str]:
    """An order that succeeds."""
    path = tmp_path / "a.wav"
    path.write_bytes(tone_wav([spoken("hello")]))
    return {"op": "probe", "path": str(path)}


def newest_worker() -> int:
    """The child this process started last, by its start time: process ids wrap around."""
    return max(children_of(os.getpid()), key=lambda pid: start_ticks(pid) or 0)


def test_an_order_whose_child_is_killed_is_done_by_a_new_child(probe: dict[str, str]) -> None:
    async def work(pool: Pool) -> None:
        os.kill(newest_worker(), signal.SIGKILL)
        assert (await pool.run(probe, seconds=20))["sample_rate"] == 8000
        assert pool.crashes == 0

    with_pool(work)


def test_an_order_that_crashes_two_children_is_given_up_and_the_next_one_works(probe: dict[str, str]) -> None:
    async def work(pool: Pool) -> None:
        with pytest.raises(WorkerCrashed):
            await pool.run({"op": "recognise", "path": "/nonexistent", "language": "en-US"}, seconds=20)
        assert pool.crashes == 2
        assert (await pool.run(probe, seconds=20))["channels"] == 1

    with_pool(work)


def test_a_hanging_child_is_killed_after_its_time(probe: dict[str, str]) -> None:
    async def work(pool: Pool) -> None:
        os.kill(newest_worker(), signal.SIGSTOP)
        with pytest.raises(WorkerTimeout):
            await pool.run(probe, seconds=0.3)
        assert (await pool.run(probe, seconds=20))["channels"] == 1

    with_pool(work)


def test_bad_audio_is_refused_without_losing_the_child(tmp_path: Path, probe: dict[str, str]) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF\x00\x00\x00\x00WAVEjunk")

    async def work(pool: Pool) -> None:
        child = newest_worker()
        with pytest.raises(OrderRefused) as refused:
            await pool.run({"op": "probe", "path": str(bad)}, seconds=20)
        assert refused.value.code == "decode_error"
        await pool.run(probe, seconds=20)
        assert newest_worker() == child

    with_pool(work)
