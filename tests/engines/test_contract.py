"""What every speech engine promises the jobs, against a real server of its provider."""

import asyncio
import itertools
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.conf import settings

from core.outbound import AddressRefused, OutboundPolicy
from core.outcomes import ErrorClass
from speechserver.tones import spoken, tone_wav
from tests.engines.conftest import Bench
from tests.engines.providers import PROVIDERS, ask_for, audio_of, words_of
from transcription.engines.base import Done, Failed, Pending, Remote, SpeechEngine
from transcription.registry import engine_types

AGENT, CUSTOMER = "hello please hold the line", "my bill is too high"
CALL = audio_of(tone_wav([spoken(AGENT, 300), spoken(CUSTOMER, 3000)]))
NO_AUDIO = audio_of(b"this is no sound at all, whatever its name says")
NUMBERS = itertools.count(1)


def new_reference() -> str:
    return f"contract-{next(NUMBERS)}"


async def ended(engine: SpeechEngine, remote: Remote, seconds: float = 20) -> Done | Failed:
    """Poll until the job has ended."""
    deadline = time.monotonic() + seconds
    while isinstance(state := await engine.poll(remote), Pending):
        assert time.monotonic() < deadline, "the job did not end in time"
        await asyncio.sleep(0.05)
    return state


async def submitted(engine: SpeechEngine) -> Remote:
    return await engine.submit(CALL, ask_for(new_reference()))


async def finished(engine: SpeechEngine) -> Remote:
    remote = await submitted(engine)
    assert await ended(engine, remote) == Done()
    return remote


def verb(name: str, remote: Remote) -> Callable[[SpeechEngine], Awaitable[Any]]:
    """One call of one verb."""
    if name == "submit":
        return submitted
    return lambda engine: getattr(engine, name)(remote)


def test_every_engine_type_is_held_to_the_contract():
    assert set(PROVIDERS) == set(settings.SPEECH_ENGINES)


def test_an_engine_type_with_a_secret_and_an_address_says_which_field_the_address_is():
    for kind in engine_types().values():
        names = set(kind.options_type.model_fields)
        assert set(kind.options_type.address_names()) <= names
        assert set(kind.options_type.address_names()) >= {name for name in names if "address" in name or "url" in name}


def test_submit_poll_fetch_and_cleanup_give_the_words_of_both_channels(bench: Bench):
    async def work(engine: SpeechEngine) -> Any:
        remote = await finished(engine)
        transcript = await engine.fetch(remote)
        await engine.cleanup(remote)
        return transcript

    transcript = bench.run(work)
    assert words_of(transcript, 0) == AGENT.split()
    assert words_of(transcript, 1) == CUSTOMER.split()
    begins = [segment.start_ms for segment in transcript.segments]
    assert begins == sorted(begins)
    assert all(0 <= word.start_ms <= word.end_ms for segment in transcript.segments for word in segment.words)


def test_the_same_reference_twice_makes_one_remote_job_and_another_makes_another(bench: Bench):
    first, second, before = new_reference(), new_reference(), bench.provider.jobs()

    async def work(engine: SpeechEngine) -> list[str]:
        return [(await engine.submit(CALL, ask_for(name))).external_id for name in (first, first, second)]

    ids = bench.run(work)
    assert ids[0] == ids[1] != ids[2]
    assert bench.provider.jobs() - before == {ids[0], ids[2]}


@pytest.mark.parametrize("name", ["poll", "fetch"])
def test_cleanup_twice_is_fine_and_the_job_is_lost_afterwards(bench: Bench, name: str):
    async def gone(engine: SpeechEngine) -> Remote:
        remote = await finished(engine)
        await engine.cleanup(remote)
        await engine.cleanup(remote)
        return remote

    remote = bench.run(gone)
    assert bench.error(verb(name, remote)).error_class == ErrorClass.LOST


@pytest.mark.parametrize("name", ["submit", "poll", "fetch", "cleanup"])
def test_a_wrong_token_is_a_wrong_setting_and_is_not_repeated(bench: Bench, name: str):
    remote, wrong = bench.run(finished), "wrong-token-that-nobody-sees"
    error = bench.error(verb(name, remote), secret=wrong)
    assert error.error_class == ErrorClass.CONFIG
    assert wrong not in f"{error} {error.message} {error.code}"


def test_audio_that_cannot_be_decoded_fails_as_input(bench: Bench):
    async def work(engine: SpeechEngine) -> None:
        state = await ended(engine, await engine.submit(NO_AUDIO, ask_for(new_reference())))
        assert isinstance(state, Failed)
        raise state.error

    assert bench.error(work).error_class == ErrorClass.INPUT


def test_a_job_that_the_provider_gives_up_on_is_failed_with_its_words(bench: Bench):
    async def work(engine: SpeechEngine) -> Done | Failed:
        return await ended(engine, await engine.submit(CALL, ask_for(new_reference(), language="xx-YY")))

    state = bench.run(work)
    assert isinstance(state, Failed)
    assert state.error.error_class == ErrorClass.INPUT
    assert state.error.message


@pytest.mark.parametrize("name", ["submit", "poll", "fetch", "cleanup"])
def test_throttling_comes_with_the_providers_hint_and_trouble_is_transient(bench: Bench, name: str):
    remote = bench.run(finished)
    bench.provider.answer(name, 429, {}, {"Retry-After": "7"})
    error = bench.error(verb(name, remote))
    assert (error.error_class, error.retry_after) == (ErrorClass.RATE, 7.0)
    bench.provider.answer(name, 503)
    assert bench.error(verb(name, remote)).error_class == ErrorClass.TRANSIENT
    bench.run(verb(name, remote))


def test_an_answer_that_breaks_the_format_is_refused_as_output(bench: Bench):
    remote = bench.run(finished)
    for name, body in bench.provider.unusable(remote.external_id):
        bench.provider.answer(name, 202 if name == "submit" else 200, body)
        error = bench.error(verb(name, remote))
        assert error.error_class == ErrorClass.OUTPUT, (name, body[:200])
        assert body[:40] not in error.message
    assert bench.run(verb("poll", remote)) == Done()


@pytest.mark.parametrize("name", ["submit", "poll", "fetch", "cleanup"])
def test_a_server_that_cannot_be_reached_is_transient(bench: Bench, name: str):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        error = bench.error(verb(name, Remote("tr_1")), address=address)
    assert error.error_class == ErrorClass.TRANSIENT


def test_an_address_that_is_not_listed_is_a_wrong_setting_when_saved_and_when_used(bench: Bench):
    bench.run(submitted)
    assert bench.error(submitted, policy=OutboundPolicy()).error_class == ErrorClass.CONFIG
    with pytest.raises(AddressRefused):
        bench.kind.check_address(bench.provider.options(), OutboundPolicy())


@pytest.mark.parametrize("name", ["submit", "poll", "fetch", "cleanup"])
def test_of_a_redirect_only_the_status_is_shown(bench: Bench, name: str):
    remote = bench.run(finished)
    bench.provider.answer(name, 302, "a secret page", {"Location": "http://169.254.169.254/latest"})
    error = bench.error(verb(name, remote))
    assert error.message == "HTTP 302"
    bench.run(verb(name, remote))


def test_find_gives_the_jobs_under_our_references_and_no_others(bench: Bench, monkeypatch):
    # Some providers list their jobs page by page.
    monkeypatch.setattr("transcription.engines.native.engine.PAGE_JOBS", 1)
    references = [new_reference() for _number in range(3)]

    async def look(engine: SpeechEngine):
        remotes = [await engine.submit(CALL, ask_for(reference)) for reference in references]
        return remotes, await engine.find({references[0], references[2], "nobody's"})

    remotes, found = bench.run(look)
    ids = {reference: [job.external_id for job in jobs] for reference, jobs in found.items()}
    assert ids == {references[0]: [remotes[0].external_id], references[2]: [remotes[2].external_id]}
