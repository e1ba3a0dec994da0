"""What every speech engine makes of a server that is slow, broken, throttling or at odds with itself."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from core.outcomes import EngineError, ErrorClass
from tests.engines.conftest import Bench
from tests.engines.providers import ask_for
from tests.engines.test_contract import CALL, ended, finished, new_reference, pytest_generate_tests, verb
from transcription.engines.base import Done, Pending, Remote, SpeechEngine

__all__ = ["pytest_generate_tests"]
DAY = datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC)
SOON = {"Retry-After": format_datetime(DAY + timedelta(seconds=90), usegmt=True)}
CLOCK = {"Date": format_datetime(DAY, usegmt=True)}
ABSURD = ["soon", "nan", "-5"]


def test_a_throttling_server_may_say_when_in_seconds_or_as_a_date_and_what_makes_no_sense_is_no_hint(bench: Bench):
    hints = [({}, None), ({"Retry-After": "7"}, 7.0), (SOON | CLOCK, 90.0)]
    hints += [({"Retry-After": said}, None) for said in ABSURD]

    async def work(engine: SpeechEngine) -> list[tuple[ErrorClass, float | None]]:
        found = []
        for headers, _expected in hints:
            await asyncio.to_thread(bench.provider.answer, "submit", 429, {}, headers)
            with pytest.raises(EngineError) as failed:
                await engine.submit(CALL, ask_for(new_reference()))
            found.append((failed.value.error_class, failed.value.retry_after))
        return found

    assert bench.run(work) == [(ErrorClass.RATE, expected) for _headers, expected in hints]


@pytest.mark.parametrize(("status", "body"), [(500, {}), (502, "<html>Bad gateway</html>"), (504, "\x00")])
def test_a_server_in_trouble_is_transient_and_none_of_its_words_are_needed(bench: Bench, status: int, body: Any):
    bench.provider.answer("submit", status, body)
    assert bench.error(lambda engine: engine.submit(CALL, ask_for(new_reference()))).error_class == ErrorClass.TRANSIENT


def test_a_connection_that_is_cut_after_the_server_did_its_work_is_transient(bench: Bench, verb_name: str):
    remote = bench.run(finished)
    # Twice: a question on a connection that was used before is asked once more by the client.
    bench.provider.fault(match=bench.provider.verbs[verb_name], times=2, accept_then_drop=True)
    assert bench.error(verb(verb_name, remote)).error_class == ErrorClass.TRANSIENT
    bench.provider.lift()
    bench.run(verb(verb_name, remote))


def test_an_answer_that_is_cut_in_its_middle_is_transient_and_no_part_of_it_is_taken(bench: Bench):
    remote = bench.run(finished)
    for name in ["submit"] if remote is None else ["submit", "poll", "fetch"]:
        bench.provider.fault(match=bench.provider.verbs[name], times=2, drop_after_bytes=5)
        assert bench.error(verb(name, remote)).error_class == ErrorClass.TRANSIENT
        bench.provider.lift()


def test_an_upload_whose_answer_was_cut_off_is_one_job_after_the_repeat(referring_bench: Bench):
    bench, reference, before = referring_bench, new_reference(), referring_bench.provider.jobs()

    async def twice(engine: SpeechEngine) -> tuple[ErrorClass, Remote]:
        await asyncio.to_thread(bench.provider.fault, match=bench.provider.verbs["submit"], accept_then_drop=True)
        with pytest.raises(EngineError) as failed:
            await engine.submit(CALL, ask_for(reference))
        remote = await engine.submit(CALL, ask_for(reference))
        assert isinstance(remote, Remote)
        return failed.value.error_class, remote

    failed, remote = bench.run(twice)
    assert failed == ErrorClass.TRANSIENT
    assert bench.provider.jobs() - before == {remote.external_id}


def test_a_server_that_is_slower_than_the_time_limit_is_transient_whatever_it_is_asked(bench: Bench):
    remote = bench.run(finished)
    names = ["submit"] if remote is None else ["submit", "poll", "fetch", "cleanup"]

    async def all_at_once(engine: SpeechEngine) -> list[Any]:
        await asyncio.to_thread(bench.provider.fault, delay_ms=2500, times=50)
        calls = [verb(name, remote)(engine) for name in names]
        return await asyncio.gather(*calls, return_exceptions=True)

    for error in bench.run(all_at_once, request_timeout_s=1):
        assert isinstance(error, EngineError)
        assert (error.error_class, error.code) == (ErrorClass.TRANSIENT, "timeout")
        assert error.message == "No answer within 1 seconds."


def test_an_answer_that_is_not_encoded_as_it_says_is_an_error_of_ours(bench: Bench):
    bench.provider.answer("submit", 200, "no gzip at all", {"Content-Encoding": "gzip"})
    error = bench.error(lambda engine: engine.submit(CALL, ask_for(new_reference())))
    assert error.error_class in {ErrorClass.OUTPUT, ErrorClass.TRANSIENT}


def test_a_job_that_was_done_and_runs_again_is_waited_for_and_has_no_transcript_meanwhile(jobs_bench: Bench):
    bench = jobs_bench
    remote = bench.run(finished)
    assert remote is not None
    bench.provider.answer("poll", 200, bench.provider.running(remote.external_id))

    async def again(engine: SpeechEngine) -> tuple[Any, Any]:
        return await engine.poll(remote), await ended(engine, remote)

    before, after = bench.run(again)
    assert isinstance(before, Pending)
    assert after == Done()
    for name, status, body in bench.provider.not_done(remote.external_id):
        bench.provider.answer(name, status, body)
    assert bench.error(verb("fetch", remote)).error_class == ErrorClass.TRANSIENT
    assert bench.run(verb("fetch", remote)).segments
