"""What every speech engine promises the jobs, against a real server of its provider."""

import asyncio
import itertools
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.conf import settings

from core.engines import Step
from core.outbound import AddressRefused, OutboundPolicy
from core.outcomes import EngineError, ErrorClass
from core.transcripts import TranscriptData
from speechserver.tones import spoken, tone_wav
from tests.engines.conftest import KEYS, VARIANTS, VERBS, WITH_JOBS, WITH_REFERENCES, Bench
from tests.engines.providers import LANGUAGE, ask_for, audio_of, words_of
from tests.engines.vendors import PROVIDERS
from transcription.engines.base import AudioSource, Done, Failed, Pending, Remote, SpeechEngine
from transcription.registry import engine_types

AGENT, CUSTOMER = "hello please hold the line", "my bill is too high"
AGENT_MS = 300
CALL = audio_of(tone_wav([spoken(AGENT, AGENT_MS), spoken(CUSTOMER, 3000)]))
SILENCE = audio_of(tone_wav([[], []], duration_ms=3000))
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


async def heard(engine: SpeechEngine, audio: AudioSource = CALL, language: str = LANGUAGE) -> TranscriptData:
    """The transcript of a recording, from jobs and from answers; what failed is raised."""
    remote = await engine.submit(audio, ask_for(new_reference(), language))
    if isinstance(remote, TranscriptData):
        return remote
    state = await ended(engine, remote)
    if isinstance(state, Failed):
        raise state.error
    transcript = await engine.fetch(remote)
    await engine.cleanup(remote)
    return transcript


async def submitted(engine: SpeechEngine) -> Remote:
    remote = await engine.submit(CALL, ask_for(new_reference()))
    assert isinstance(remote, Remote)
    return remote


async def asked(engine: SpeechEngine) -> object:
    return await engine.submit(CALL, ask_for(new_reference()))


async def finished(engine: SpeechEngine) -> Remote | None:
    """A job that has ended, where there are jobs."""
    if not engine.has_jobs:
        return None
    remote = await submitted(engine)
    assert await ended(engine, remote) == Done()
    return remote


def verb(name: str, remote: Remote | None) -> Callable[[SpeechEngine], Awaitable[Any]]:
    """One call of one verb."""
    if name == "submit":
        return asked
    return lambda engine: getattr(engine, name)(remote)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``bench``: each engine type; ``jobs_bench``: each that has jobs; ``answering_bench``: each without;
    ``referring_bench``: each whose provider keeps our references; ``verb_name``: each verb that asks the provider."""
    if {"bench", "verb_name"} <= set(metafunc.fixturenames):
        asked = [(key, name) for key in KEYS for name in (VERBS if key in WITH_JOBS else VERBS[:1])]
        metafunc.parametrize(("bench", "verb_name"), asked, indirect=["bench"])
    elif "bench" in metafunc.fixturenames:
        metafunc.parametrize("bench", KEYS, indirect=True)
    if "jobs_bench" in metafunc.fixturenames:
        metafunc.parametrize("jobs_bench", WITH_JOBS, indirect=True)
    if "referring_bench" in metafunc.fixturenames:
        metafunc.parametrize("referring_bench", WITH_REFERENCES, indirect=True)
    if "answering_bench" in metafunc.fixturenames:
        metafunc.parametrize("answering_bench", sorted(set(KEYS) - set(WITH_JOBS)), indirect=True)


def test_every_engine_type_is_held_to_the_contract():
    assert set(PROVIDERS) - set(VARIANTS) == set(settings.SPEECH_ENGINES)
    assert set(VARIANTS) <= set(PROVIDERS)


def test_an_engine_type_with_a_secret_and_an_address_says_which_field_the_address_is():
    for kind in engine_types().values():
        names = set(kind.options_type.model_fields)
        assert set(kind.options_type.address_names()) <= names
        assert set(kind.options_type.address_names()) >= {name for name in names if "address" in name or "url" in name}


def test_a_recording_becomes_the_words_of_both_channels_in_order_of_time(bench: Bench):
    transcript = bench.run(heard)
    assert words_of(transcript, 0) == AGENT.split()
    assert words_of(transcript, 1) == CUSTOMER.split()
    begins = [segment.start_ms for segment in transcript.segments]
    assert begins == sorted(begins)
    words = [word for segment in transcript.segments for word in segment.words]
    assert all(0 <= word.start_ms <= word.end_ms for word in words)
    assert abs(words[0].start_ms - AGENT_MS) <= 60


def test_a_recording_in_which_nobody_speaks_is_an_empty_transcript(bench: Bench):
    assert bench.run(lambda engine: heard(engine, SILENCE)).segments == ()


def test_the_same_reference_twice_makes_one_remote_job_and_another_makes_another(referring_bench: Bench):
    bench = referring_bench
    first, second, before = new_reference(), new_reference(), bench.provider.jobs()

    async def work(engine: SpeechEngine) -> list[str]:
        return [(await engine.submit(CALL, ask_for(name))).external_id for name in (first, first, second)]

    ids = bench.run(work)
    assert ids[0] == ids[1] != ids[2]
    assert bench.provider.jobs() - before == {ids[0], ids[2]}


@pytest.mark.parametrize("name", ["poll", "fetch"])
def test_cleanup_twice_is_fine_and_the_job_is_lost_afterwards(jobs_bench: Bench, name: str):
    async def gone(engine: SpeechEngine) -> Remote | None:
        remote = await finished(engine)
        assert remote is not None
        await engine.cleanup(remote)
        await engine.cleanup(remote)
        return remote

    remote = jobs_bench.run(gone)
    assert jobs_bench.error(verb(name, remote)).error_class == ErrorClass.LOST


def test_an_engine_without_jobs_has_lost_what_another_left_and_has_nothing_to_delete(answering_bench: Bench):
    async def left(engine: SpeechEngine) -> tuple[ErrorClass, dict[str, list[Remote]]]:
        await engine.cleanup(Remote("left-by-another"))
        with pytest.raises(EngineError) as failed:
            await engine.poll(Remote("left-by-another"))
        return failed.value.error_class, await engine.find({"left-by-another"})

    assert answering_bench.run(left) == (ErrorClass.LOST, {})


def test_a_wrong_token_is_a_wrong_setting_and_is_not_repeated(bench: Bench, verb_name: str):
    remote, wrong = bench.run(finished), "wrong-token-that-nobody-sees"
    error = bench.error(verb(verb_name, remote), secret=wrong)
    assert error.error_class == ErrorClass.CONFIG
    assert wrong not in f"{error} {error.message} {error.code}"


def test_audio_that_cannot_be_decoded_fails_as_input(bench: Bench):
    assert bench.error(lambda engine: heard(engine, NO_AUDIO)).error_class == ErrorClass.INPUT


def test_a_language_that_the_provider_does_not_have_is_refused_at_once_or_fails_with_its_words(bench: Bench):
    error = bench.error(lambda engine: heard(engine, language="xx-YY"))
    assert error.error_class == ErrorClass.INPUT
    assert error.message


def test_throttling_comes_with_the_providers_hint_and_trouble_is_transient(bench: Bench, verb_name: str):
    remote = bench.run(finished)
    bench.provider.answer(verb_name, 429, {}, {"Retry-After": "7"})
    error = bench.error(verb(verb_name, remote))
    assert (error.error_class, error.retry_after) == (ErrorClass.RATE, 7.0)
    bench.provider.answer(verb_name, 503)
    assert bench.error(verb(verb_name, remote)).error_class == ErrorClass.TRANSIENT
    bench.run(verb(verb_name, remote))


def test_an_answer_that_breaks_the_format_is_refused_as_output(bench: Bench):
    remote = bench.run(finished)
    for name, body in bench.provider.unusable("" if remote is None else remote.external_id):
        bench.provider.answer(name, 202 if name == "submit" else 200, body)
        error = bench.error(verb(name, remote))
        assert error.error_class == ErrorClass.OUTPUT, (name, body[:200])
        assert body[:40] not in error.message
    bench.run(verb("submit" if remote is None else "poll", remote))


def test_a_server_that_cannot_be_reached_is_transient(bench: Bench, verb_name: str):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        error = bench.error(verb(verb_name, Remote(bench.provider.unknown)), address=address)
    assert error.error_class == ErrorClass.TRANSIENT


def test_an_address_that_is_not_listed_is_a_wrong_setting_when_saved_and_when_used(bench: Bench):
    bench.run(asked)
    assert bench.error(asked, policy=OutboundPolicy()).error_class == ErrorClass.CONFIG
    with pytest.raises(AddressRefused):
        bench.kind.check_address(bench.provider.options(), OutboundPolicy())


def test_of_a_redirect_only_the_status_is_shown(bench: Bench, verb_name: str):
    remote = bench.run(finished)
    bench.provider.answer(verb_name, 302, "a secret page", {"Location": "http://169.254.169.254/latest"})
    error = bench.error(verb(verb_name, remote))
    assert error.message == "HTTP 302"
    bench.run(verb(verb_name, remote))


def test_find_gives_the_jobs_under_our_references_and_no_others(referring_bench: Bench, monkeypatch):
    # Some providers list their jobs page by page.
    monkeypatch.setattr("transcription.engines.native.engine.PAGE_JOBS", 1)
    references = [new_reference() for _number in range(3)]

    async def look(engine: SpeechEngine):
        remotes = [await engine.submit(CALL, ask_for(reference)) for reference in references]
        return remotes, await engine.find({references[0], references[2], "nobody's"})

    remotes, found = referring_bench.run(look)
    ids = {reference: [job.external_id for job in jobs] for reference, jobs in found.items()}
    assert ids == {references[0]: [remotes[0].external_id], references[2]: [remotes[2].external_id]}


def test_test_connection_shows_the_four_steps_and_the_words_that_were_heard(bench: Bench):
    async def steps(engine: SpeechEngine) -> list[Step]:
        return [step async for step in engine.check(CALL)]

    done = [step for step in bench.run(steps) if step.status == "ok"]
    assert [step.key for step in done] == ["settings", "upload", "wait", "cleanup"]
    assert [step.progress for step in done] == [25, 50, 75, 100]
    assert "hold the line" in done[2].text.lower()


def test_a_job_that_cannot_be_deleted_fails_the_last_step_of_the_test_and_no_other(jobs_bench: Bench):
    seen: list[tuple[str, str]] = []

    async def steps(engine: SpeechEngine) -> None:
        async for step in engine.check(CALL):
            seen.append((step.key, step.status))

    jobs_bench.provider.answer("cleanup", 503)
    assert jobs_bench.error(steps).error_class == ErrorClass.TRANSIENT
    assert seen[-2:] == [("wait", "ok"), ("cleanup", "running")]


def test_the_test_of_an_engine_without_jobs_says_that_there_was_nothing_to_wait_for(answering_bench: Bench):
    async def steps(engine: SpeechEngine) -> dict[str, str]:
        return {step.key: step.detail async for step in engine.check(CALL)}

    details = answering_bench.run(steps)
    assert (details["upload"], details["cleanup"]) == ("Sent with request", "Nothing to delete")
