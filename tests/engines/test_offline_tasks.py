"""What the engine type "Meeting Insights On-Prem" promises beyond the contract of all engines."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from core.outcomes import EngineError, ErrorClass
from speechserver.tones import spoken, tone_wav
from tests.engines.conftest import Bench
from tests.engines.providers import OfflineTaskProvider, ask_for, audio_of, words_of
from tests.engines.standing_in import PASSWORD, USER, StandIn
from tests.engines.test_contract import AGENT, CALL, ended, finished, new_reference
from transcription.engines.base import AudioSource, Done, Pending, Remote, SpeechEngine
from transcription.engines.miaop import OfflineTaskEngine, tokens
from transcription.engines.miaop.answers import ANEW, ErrorInfo, meeting_failure

TOKENS = "/realms/"
ONE_CHANNEL = tone_wav([spoken(AGENT, 300)])
MONO = AudioSource("call.wav", "audio/wav", len(ONE_CHANNEL), 5000, 1, lambda: iter([ONE_CHANNEL]))


@pytest.fixture
def server(miaop_server: StandIn) -> Iterator[StandIn]:
    """Nobody is signed in yet."""
    tokens._kept.clear()
    yield miaop_server
    miaop_server.control("DELETE", "/_emu/faults")
    miaop_server.control("POST", "/_emu/settings", {"stt_s": 0.2, "access_s": 300})


@pytest.fixture
def bench(server: StandIn) -> Bench:
    """The engine type and its server."""
    return Bench(OfflineTaskEngine, OfflineTaskProvider(OfflineTaskEngine, server), server.url)


async def submitted(engine: SpeechEngine, reference: str = "", audio: AudioSource = CALL) -> Remote:
    return await engine.submit(audio, ask_for(reference or new_reference()))


def sign_ins(server: StandIn) -> list[int]:
    return [entry["status"] for entry in server.requests(TOKENS)]


def members_of(server: StandIn, task_id: str) -> Any:
    tasks = {task["id"]: task["members"] for task in server.control("GET", "/_emu/tasks")["tasks"]}
    return tasks[task_id]


def test_one_sign_in_serves_many_requests_and_the_next_session(bench: Bench, server: StandIn):
    before = len(sign_ins(server))
    bench.run(finished)
    bench.run(finished)
    assert sign_ins(server)[before:] == [200]


def test_many_requests_at_once_sign_in_once(bench: Bench, server: StandIn):
    before = len(sign_ins(server))

    async def work(engine: SpeechEngine) -> None:
        await asyncio.gather(*(submitted(engine) for _number in range(4)))

    bench.run(work)
    assert sign_ins(server)[before:] == [200]


def test_an_access_token_about_to_expire_is_renewed_by_the_refresh_token(bench: Bench, server: StandIn):
    server.control("POST", "/_emu/settings", {"access_s": 5})
    bench.run(submitted)
    before = len(sign_ins(server))
    # Were the refresh refused, the password would make a second request.
    server.control("POST", "/_emu/settings", {"access_s": 300})
    bench.run(submitted)
    assert sign_ins(server)[before:] == [200]


def test_after_the_server_ended_the_session_the_engine_signs_in_again_and_uploads_once(bench: Bench, server: StandIn):
    bench.run(submitted)
    server.control("DELETE", "/_emu/sessions")
    before = bench.provider.jobs()
    remote = bench.run(submitted)
    assert bench.provider.jobs() - before == {remote.external_id}
    assert bench.run(lambda engine: ended(engine, remote)) == Done()


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refused_sign_in_is_a_wrong_setting_and_shows_nothing_of_the_answer(
    bench: Bench, server: StandIn, status: int
):
    fault = {"match": {"path_prefix": TOKENS}, "status": status, "body": {"error": PASSWORD}}
    server.control("POST", "/_emu/faults", fault)
    error = bench.error(submitted)
    assert error.error_class == ErrorClass.CONFIG
    assert PASSWORD not in error.message


def test_a_throttled_sign_in_comes_with_its_hint_and_trouble_there_is_transient(bench: Bench, server: StandIn):
    hint = {"Retry-After": "9"}
    server.control("POST", "/_emu/faults", {"match": {"path_prefix": TOKENS}, "status": 429, "headers": hint})
    error = bench.error(submitted)
    assert (error.error_class, error.retry_after) == (ErrorClass.RATE, 9.0)
    server.control("POST", "/_emu/faults", {"match": {"path_prefix": TOKENS}, "status": 503})
    assert bench.error(submitted).error_class == ErrorClass.TRANSIENT


def test_an_upload_whose_answer_was_lost_is_found_by_its_reference_and_not_repeated(bench: Bench, server: StandIn):
    reference = new_reference()
    fault = {"match": {"method": "POST", "path_prefix": "/hrec"}, "accept_then_drop": True}
    server.control("POST", "/_emu/faults", fault)
    assert bench.error(lambda engine: submitted(engine, reference)).error_class == ErrorClass.TRANSIENT
    before = len(server.requests("/hrec"))
    assert bench.run(lambda engine: submitted(engine, reference)) == Remote(reference)
    assert len(server.requests("/hrec")) == before


def test_a_task_in_processing_is_asked_about_again_when_the_server_says(bench: Bench, server: StandIn):
    server.control("POST", "/_emu/settings", {"stt_s": 42})

    async def work(engine: SpeechEngine) -> Any:
        return await engine.poll(await submitted(engine))

    state = bench.run(work)
    assert isinstance(state, Pending)
    assert state.check_after_s is not None
    assert 30 <= state.check_after_s <= 42


def test_a_waiting_task_and_an_endless_wait_give_no_hint_to_trust(bench: Bench, server: StandIn):
    remote = bench.run(finished)

    def poll(status: str, seconds: Any) -> Any:
        body = {"taskId": remote.external_id, "taskStatus": status, "sttRemainingTime": seconds}
        bench.provider.answer("poll", 200, body)
        return bench.run(lambda engine: engine.poll(remote))

    assert poll("sttPending", 60) == Pending()
    assert poll("sttProcessing", 10**9) == Pending(check_after_s=900.0)
    assert poll("sttProcessing", 0) == Pending()


def test_the_task_is_the_guides_and_asks_for_no_ai_tasks(bench: Bench, server: StandIn):
    remote = bench.run(submitted)
    members = members_of(server, remote.external_id)
    assert (members["taskType"], members["taskStatus"], members["tenant"]) == ("offline", "sttPending", "demo")
    assert members["baseLanguages"] == ["English"]
    files = [{"file": CALL.name, "baseLanguage": "English"}]
    assert members["meetings"] == [{"files": files, "aiGenerationMode": "none"}]


def test_the_language_of_the_settings_stands_before_that_of_the_conversation(bench: Bench, server: StandIn):
    remote = bench.run(submitted, base_language="Hebrew")
    assert members_of(server, remote.external_id)["baseLanguages"] == ["Hebrew"]


def test_speakers_of_one_channel_stay_on_it(bench: Bench):
    async def work(engine: SpeechEngine) -> Any:
        remote = await submitted(engine, audio=MONO)
        await ended(engine, remote)
        return await engine.fetch(remote)

    transcript = bench.run(work)
    assert words_of(transcript, 0) == AGENT.split()
    assert {segment.speaker for segment in transcript.segments} == {"Speaker-1"}
    assert words_of(transcript, 1) == []


def test_what_was_archived_is_cleaned_up_and_not_found_under_its_reference(bench: Bench, server: StandIn):
    remote = bench.run(submitted)
    bench.run(lambda engine: engine.cleanup(remote))
    assert bench.run(lambda engine: engine.find({remote.external_id})) == {}


def test_a_server_that_cannot_archive_is_no_error(bench: Bench, server: StandIn):
    remote = bench.run(submitted)
    bench.provider.answer("cleanup", 405)
    bench.run(lambda engine: engine.cleanup(remote))


def test_a_transcript_that_is_not_ready_yet_is_transient_and_one_that_failed_is_not_asked_for_again(bench: Bench):
    remote = bench.run(finished)
    for code, error_class in [
        ("TRANSCRIPTION_NOT_READY", ErrorClass.TRANSIENT),
        ("TRANSCRIPTION_FAILED", ErrorClass.INPUT),
        ("NOT_FOUND", ErrorClass.LOST),
    ]:
        bench.provider.answer("fetch", 404, {"error": {"code": code, "message": "words"}})
        assert bench.error(lambda engine: engine.fetch(remote)).error_class == error_class


def test_a_password_that_the_server_repeats_is_masked(bench: Bench):
    remote = bench.run(finished)
    bench.provider.answer("poll", 403, {"error": {"code": "PERMISSION_DENIED", "message": f"not with {PASSWORD}"}})
    error = bench.error(lambda engine: engine.poll(remote))
    assert (error.error_class, error.code) == (ErrorClass.CONFIG, "PERMISSION_DENIED")
    assert error.message == "HTTP 403 PERMISSION_DENIED not with ••••"


def test_what_a_new_try_may_mend_is_lost_and_the_rest_is_the_inputs():
    for name in ANEW:
        assert meeting_failure(ErrorInfo(name=name)).error_class == ErrorClass.LOST
    for info in (ErrorInfo(name="UnsupportedAudio", message="No audio."), None):
        assert meeting_failure(info).error_class == ErrorClass.INPUT


def test_test_connection_signs_in_uploads_waits_and_archives(bench: Bench, server: StandIn):
    async def work(engine: SpeechEngine) -> list[Any]:
        return [step async for step in engine.check(audio_of(tone_wav([spoken(AGENT, 300)])))]

    steps = bench.run(work)
    assert [step.key for step in steps if step.status == "ok"] == ["settings", "upload", "wait", "cleanup"]
    assert steps[1].detail == f"{USER} @ demo"
    assert AGENT in [step.text for step in steps]
    tasks = {task["id"]: task["archive"] for task in server.control("GET", "/_emu/tasks")["tasks"]}
    assert tasks[steps[3].detail] is True


def test_test_connection_with_a_wrong_password_ends_at_the_first_step(bench: Bench, server: StandIn):
    seen: list[Any] = []

    async def work(engine: SpeechEngine) -> None:
        async for step in engine.check(CALL):
            seen.append(step)

    error = bench.error(work, secret="wrong")
    assert isinstance(error, EngineError)
    assert error.error_class == ErrorClass.CONFIG
    assert [(step.key, step.status) for step in seen] == [("settings", "running")]
