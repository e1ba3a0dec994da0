"""The journal of calls over every engine type: what was asked and what came of it, and nothing that could be a secret or a text."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from core.outcomes import EngineError
from core.transcripts import TranscriptData
from speechserver.tones import spoken, tone_wav
from tests.engines.conftest import KEYS, Bench
from tests.engines.providers import ask_for, audio_of
from transcription.engines.base import AudioSource, Done, Pending, SpeechEngine
from transcription.journal import keeping
from transcription.journal.calls import VERBS, Call
from transcription.journal.keeping import MOST, Journal, key_of, last_calls
from transcription.journal.noting import for_record, noted

ENGINE, FILE, WRONG, REFERENCE = 2**40, "confidential-merger", "wrong-token-that-nobody-sees", "our-own-reference"
WORDS = "hello please hold the line"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``bench``: each engine type."""
    if "bench" in metafunc.fixturenames:
        metafunc.parametrize("bench", KEYS, indirect=True)


@pytest.fixture(autouse=True)
def empty_journal():
    keeping._client().delete(key_of(ENGINE))
    yield
    keeping._client().delete(key_of(ENGINE))


def named(content: bytes) -> AudioSource:
    audio = audio_of(content)
    return AudioSource(f"{FILE}.wav", audio.mime, audio.size, audio.duration_ms, audio.channels, audio.open)


CALL = named(tone_wav([spoken(WORDS, 300), spoken("my bill is too high", 3000)]))


NO_AUDIO = named(b"this is no sound at all, whatever its name says")


async def whole(engine: SpeechEngine) -> TranscriptData:
    """Every verb once, as a pass and a test of the connection use them."""
    await engine.greet()
    for_record(4711)
    remote = await engine.submit(CALL, ask_for(REFERENCE))
    if isinstance(remote, TranscriptData):
        return remote
    while isinstance(state := await engine.poll(remote), Pending):
        await asyncio.sleep(0.05)
    assert state == Done()
    transcript = await engine.fetch(remote)
    await engine.find({REFERENCE})
    await engine.cleanup(remote)
    return transcript


async def refused(engine: SpeechEngine, audio: AudioSource = NO_AUDIO) -> None:
    with suppress(EngineError):
        remote = await engine.submit(audio, ask_for(f"{REFERENCE}-{audio.size}"))
        while isinstance(state := await engine.poll(remote), Pending):
            await asyncio.sleep(0.05)
        if isinstance(state, Done):
            await engine.fetch(remote)


def journalled(bench: Bench, work: Any, **changes: Any) -> tuple[list[Call], bytes]:
    """What the journal has after the work: as calls, the oldest first, and as it is stored."""

    async def noting(engine: SpeechEngine) -> None:
        await work(noted(engine, Journal(ENGINE)))

    bench.run(noting, **changes)
    stored: list[Any] = keeping._client().lrange(key_of(ENGINE), 0, -1)
    return list(reversed(last_calls(ENGINE) or [])), b"\n".join(stored)


def test_every_verb_of_every_engine_type_is_in_the_journal_and_nothing_of_what_was_said_sent_or_secret(bench: Bench):
    calls, stored = journalled(bench, whole)
    asked = [call.verb for call in calls]
    assert asked[:2] == ["test", "submit"]
    if "fetch" in asked:
        assert asked[-3:] == ["fetch", "find", "cleanup"]
        assert set(asked[2:-3]) == {"poll"}
    assert {call.outcome for call in calls} == {"ok"}
    assert [call.record for call in calls[:2]] == [None, 4711]
    assert calls[1].size == CALL.size
    more, stored_more = journalled(bench, refused)
    assert more[-1].outcome == "INPUT"
    wrong, stored_wrong = journalled(bench, lambda engine: refused(engine, CALL), secret=WRONG)
    assert wrong[-1].outcome == "CONFIG"
    text = (stored + stored_more + stored_wrong).decode().lower()
    host = bench.address.split("://")[-1]
    options = bench.provider.options().model_dump()
    secrets = [value.get_secret_value() for value in options.values() if hasattr(value, "get_secret_value")]
    for forbidden in (*WORDS.split(), "bill", FILE, ".wav", WRONG, REFERENCE, host, "http", *filter(None, secrets)):
        assert forbidden.lower() not in text, forbidden


def test_a_call_that_we_end_ourselves_and_code_that_breaks_are_in_the_journal_too():
    class Broken(SpeechEngine):
        """Hangs, and breaks."""

        async def open(self) -> None: ...

        async def close(self) -> None: ...

        async def submit(self, audio: Any, request: Any) -> Any:
            await asyncio.Event().wait()

        async def poll(self, remote: Any) -> Any:
            raise KeyError("a word of the call")

        async def fetch(self, remote: Any) -> Any: ...

        async def greet(self) -> str:
            return ""

        async def cleanup(self, remote: Any) -> None: ...

    async def work() -> None:
        engine = noted(Broken(None, None), Journal(ENGINE))  # type: ignore[arg-type]
        task = asyncio.create_task(engine.submit(CALL, ask_for(REFERENCE)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with pytest.raises(KeyError):
            await engine.poll(None)  # type: ignore[arg-type]
        await engine.close()
        await engine.close()

    asyncio.run(work())
    assert [(call.verb, call.outcome, call.code) for call in last_calls(ENGINE) or []] == [
        ("poll", "ended", "KeyError"),
        ("submit", "ended", ""),
    ]


def filled(number: int) -> list[bytes]:
    return [Call(NOON, VERBS[0], "ok", "", place).packed() for place in range(number)]


def test_the_newest_two_hundred_are_kept_for_a_week_and_what_is_none_of_ours_is_passed_over():
    keeping.keep(ENGINE, filled(MOST - 10))
    keeping.keep(ENGINE, filled(MOST - 10))
    found = last_calls(ENGINE)
    assert found is not None
    assert len(found) == MOST
    assert found[0].ms == MOST - 11
    assert 0 < keeping._client().ttl(key_of(ENGINE)) <= 7 * 24 * 3600
    keeping._client().lpush(key_of(ENGINE), b"{", b"[1]", b'["x","poll","ok","",1,null,null]')
    assert len(last_calls(ENGINE) or []) == MOST - 3


def test_a_code_that_could_be_a_text_is_left_out():
    for code in ("rate_limited", "HTTP-429", "InvalidRequest.Model"):
        assert Call.unpacked(Call(NOON, "poll", "RATE", code, 1).packed()).code == code  # type: ignore[union-attr]
    for code in ("no such words: hello", "x" * 61, "https://inside/?key=1", "שלום"):
        assert Call.unpacked(Call(NOON, "poll", "RATE", code, 1).packed()).code == ""  # type: ignore[union-attr]


def test_a_journal_that_cannot_be_written_fails_no_call(settings: Any):
    cache = settings.CACHES["default"]
    settings.CACHES = {"default": {**cache, "LOCATION": "redis://127.0.0.1:1/0"}}
    keeping._client.cache_clear()
    try:
        keeping.keep(ENGINE, filled(1))
        assert last_calls(ENGINE) is None
    finally:
        settings.CACHES = {"default": cache}
        keeping._client.cache_clear()
    assert last_calls(ENGINE) == []
