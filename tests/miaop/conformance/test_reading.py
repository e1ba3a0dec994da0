"""T08, T18–T23, T26, T27: tasks, lists, meetings and transcripts, with faults at the speech server and in the worker."""

import json

import pytest

from speechserver.tones import spoken, tone_wav
from tests.miaop.conformance.conftest import speech, task_of
from tests.polling import until

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("miaop conformance")]
CHANNELS = [spoken("hello thank you", 300), spoken("my bill is too high", 4000)]
REFUSE = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "status": 422, "body": {"detail": "no"}}


@pytest.fixture
def held(site):
    """The speech server keeps its results back until the test lets go."""
    site.machine.hold(True)
    yield lambda: site.machine.hold(False)
    site.machine.hold(False)


@pytest.fixture(scope="module")
def sent(site) -> dict[str, str]:
    """Tasks that are worked on at the same time, so that the first test waits for all of them."""
    mixed = [("1.wav", speech("one")), ("2.wav", b"no audio" * 200), ("3.wav", speech("three"))]
    return {
        "stereo": site.submit(task_of("stereo.wav", taskName="t18"), ("stereo.wav", tone_wav(CHANNELS))),
        "mixed": site.submit(task_of("1.wav", "2.wav", "3.wav"), *mixed),
        "audited": site.submit(task_of("one.wav"), ("one.wav", speech("service"))),
    }


def test_t08_both_spellings_of_the_path_give_the_same(site, sent):
    task_id = sent["stereo"]
    site.ended(task_id)
    paths = (f"/api/tasks/{task_id}", f"/api/task/{task_id}", f"/api/tasks/{task_id}/")
    assert len({site.get(path).content for path in paths}) == 1


def test_t18_the_filter_of_the_guide_in_seconds_and_in_milliseconds_finds_the_same(site, sent):
    task_id = sent["stereo"]
    stamp = site.ended(task_id)["taskUpdateTimeNumeric"]

    def found(start: int, end: int, **more: object) -> list[str]:
        times = {"extraData.taskUpdateTimeNumeric": {"$gte": start, "$lt": end}}
        conditions = [times, {"extraData.archive": {"$ne": True}}, {"extraData.tenant": "acme"}, {"taskName": "t18"}]
        answer = site.get("/api/tasks", filter=json.dumps({"$and": [*conditions, *([more] if more else [])]}))
        assert answer.status_code == 200, answer.text
        return [task["taskId"] for task in answer.json()]

    assert found(stamp, stamp + 1) == found(stamp // 1000, stamp // 1000 + 1) == [task_id]
    assert found(stamp + 1, stamp + 2) == found(stamp - 1, stamp) == []
    assert found(stamp, stamp + 1, **{"extraData.supervisor.email": "IVY@acme.example"}) == [task_id]
    assert found(stamp, stamp + 1, **{"extraData.tenant": "globex"}) == []


@pytest.mark.parametrize(
    "text",
    [
        '{"$and": [{"extraData.tenant": "test"} {"extraData.supervisor.name": "x"}]}',
        '{"$where": "sleep(1)"}',
        '{"taskId": {"$regex": ".*"}}',
        '{"taskId": "\' OR 1=1 --", "x": 1}',
        '{"archive": {"$ne": 1}}',
        json.dumps({"taskName": "x" * 8200}),
    ],
)
def test_t18_a_filter_that_is_none_is_refused(site, text):
    answer = site.get("/api/tasks", filter=text)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_FILTER")
    harmless = site.get("/api/tasks", filter=json.dumps({"taskId": "' OR 1=1 --"}))
    assert (harmless.status_code, harmless.json()) == (200, [])


def test_t19_one_of_three_files_fails_and_the_task_is_done(site, sent):
    task_id = sent["mixed"]
    assert site.ended(task_id)["taskStatus"] == "sttDone"
    statuses = [site.get(f"/api/meetings/{n}.{task_id}").json()["metadata"] for n in (1, 2, 3)]
    assert [each["status"] for each in statuses] == ["sttDone", "error", "sttDone"]
    assert (statuses[1]["errorInfo"]["name"], statuses[1]["errorInfo"]["errorLevel"]) == (
        "UnsupportedAudio",
        "critical",
    )
    failed = site.get(f"/api/stt/2.{task_id}/0")
    assert (failed.status_code, failed.json()["error"]["code"]) == (404, "TRANSCRIPTION_FAILED")


def test_t19_an_engine_that_refuses_every_file_makes_the_task_an_error(site):
    site.machine.speech.control("POST", "/_emu/faults", REFUSE | {"times": 2})
    try:
        blobs = [("1.wav", speech("one yes")), ("2.wav", speech("two yes"))]
        task_id = site.submit(task_of("1.wav", "2.wav"), *blobs)
        assert site.ended(task_id)["taskStatus"] == "error"
    finally:
        site.machine.speech.control("DELETE", "/_emu/faults")
    info = site.get(f"/api/meetings/1.{task_id}").json()["metadata"]["errorInfo"]
    assert info["errorLevel"] == "critical"
    assert site.machine.speech.url not in json.dumps(info)


def test_t20_t21_a_task_in_work_tells_how_long_and_its_transcript_is_not_there_yet(site, held):
    task_id = site.submit(task_of("one.wav"), ("one.wav", speech("please hold the line")))

    def processing():
        task = site.get(f"/api/tasks/{task_id}").json()
        return task["taskStatus"] == "sttProcessing" and task

    task = until(processing, seconds=30, every=0.2)
    assert type(task["sttRemainingTime"]) is int
    assert 0 < task["sttRemainingTime"] <= 900
    answer = site.get(f"/api/stt/1.{task_id}/0")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "TRANSCRIPTION_NOT_READY")
    assert answer.headers["Retry-After"].isdigit()
    held()
    assert site.ended(task_id)["sttRemainingTime"] == 0
    assert site.words(f"1.{task_id}") == "please hold the line"
    for path in (f"stt/1.{task_id}/1", f"meetings/0.{task_id}", f"meetings/01.{task_id}", f"meetings/{task_id}"):
        assert site.get(f"/api/{path}").status_code == 404, path


def test_t22_both_channels_of_a_stereo_file_are_speakers_with_exact_times(site, sent):
    task_id = sent["stereo"]
    site.ended(task_id)
    paragraphs = site.get(f"/api/stt/1.{task_id}/0").json()["transcription"]
    assert [each["id"] for each in paragraphs] == ["Speaker-1", "Speaker-2"]
    for paragraph, fixture in zip(paragraphs, CHANNELS, strict=True):
        assert [word["word"] for word in paragraph["words"]] == [word for _start, word in fixture]
        for word, (start, _text) in zip(paragraph["words"], fixture, strict=True):
            assert abs(word["location"] - start) <= 100
            assert paragraph["location"] <= word["location"]
            assert word["location"] + word["duration"] <= paragraph["location"] + paragraph["duration"]


def test_t23_a_worker_that_is_killed_in_the_middle_does_not_do_it_twice(site, held):
    task_id = site.submit(task_of("one.wav"), ("one.wav", speech("good morning bill")))
    status = f"/api/tasks/{task_id}"
    until(lambda: site.get(status).json()["taskStatus"] == "sttProcessing", seconds=30, every=0.2)
    site.machine.kill("worker")
    held()
    site.machine.spawn("worker")
    assert site.ended(task_id)["taskStatus"] == "sttDone"
    assert site.words(f"1.{task_id}") == "good morning bill"
    calls = site.machine.ask(
        f'SELECT count(*) FROM "{site.acme[1]}".conversations_call WHERE external_id LIKE %s', f"%{task_id}"
    )
    assert calls == [(1,)]


def test_t26_a_tenant_without_the_api_has_no_realm(site):
    assert site.grant("otto", "initech").json() == {"error": "Realm does not exist"}
    header = {"Authorization": f"Bearer {site.bearer('ivy')['Authorization'].split()[1]}x"}
    assert site.http.get("/api/tasks", headers=header).status_code == 401


def test_t26_what_exceeds_the_service_limit_is_told_by_the_meeting_while_the_upload_is_taken(site):
    who = {"user": "stan", "realm": "globex"}
    # Two of these are more than the minute that Globex has in a month, one is less.
    blobs = [(name, tone_wav([spoken(name[:-4], 200)], duration_ms=32_000)) for name in ("one.wav", "two.wav")]
    task_id = site.submit(task_of("one.wav", "two.wav"), *blobs, **who)
    assert site.ended(task_id, **who)["taskStatus"] == "sttDone"
    found = [site.get(f"/api/meetings/{n}.{task_id}", **who).json()["metadata"] for n in (1, 2)]
    done, refused = sorted(found, key=lambda each: each["status"] == "error")
    assert (done["status"], refused["status"]) == ("sttDone", "error")
    assert (refused["errorInfo"]["name"], refused["errorInfo"]["errorLevel"]) == (
        "TranscriptionLimitExceeded",
        "critical",
    )


def test_t27_submitting_and_reading_a_transcript_leave_a_row_each(site, sent):
    task_id = sent["audited"]
    site.ended(task_id)
    site.words(f"1.{task_id}")
    rows = site.machine.ask(
        "SELECT action, actor, ip, request_id FROM audit_auditentry"
        " WHERE action LIKE 'miaop.%%' AND details::text LIKE %s ORDER BY at",
        f"%{task_id}%",
    )
    assert [row[1] for row in rows] == ["ivy@acme"] * 2
    assert all(str(row[2]) == "127.0.0.1" and row[3] for row in rows)
