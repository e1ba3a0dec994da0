"""The success side of every row of the contract."""

import hashlib
import re

from speechserver.tones import WORD_MS, spoken, tone_wav
from tests.polling import until
from tests.speechserver.conftest import Server, texts


def test_upload_is_accepted_with_location_and_then_completes(server: Server, call_wav: bytes) -> None:
    reply = server.upload(call_wav, {"language": "en-US", "metadata": {"ref": "r1"}})
    job = reply.json
    assert reply.status == 202
    assert reply.headers["Location"] == f"/v2/transcriptions/{job['id']}" == job["links"]["self"]
    assert reply.headers["Retry-After"] == "2"
    assert job["status"] == "queued"
    assert job["progress"] == 0
    assert job["etaSeconds"] >= 1
    assert re.fullmatch(r"tr_[0-9A-Z]{26}", job["id"])
    audio = job["audio"]
    assert audio["sha256"] == hashlib.sha256(call_wav).hexdigest()
    assert audio["bytes"] == len(call_wav)
    assert (audio["sampleRate"], audio["channels"], audio["format"]) == (8000, 2, "wav")
    assert job["config"]["metadata"] == {"ref": "r1"}
    done = server.finished(job["id"])
    assert done["status"] == "completed"
    assert done["progress"] == 100
    assert done["error"] is None
    assert done["createdAt"] <= done["startedAt"] <= done["completedAt"] <= done["expiresAt"]


def test_two_channels_are_kept_apart_with_true_times(server: Server, call_wav: bytes) -> None:
    result = server.result(server.submit(call_wav, {"punctuate": False}))
    assert texts(result["segments"], 0) == "hello thank you for calling how may i help please hold the line"
    assert texts(result["segments"], 1) == "my bill is too high"
    assert [s["speaker"] for s in result["segments"]] == ["S1", "S2", "S1"]
    assert result["channels"] == 2
    assert result["usage"]["audioMs"] == result["durationMs"]
    starts = [w["startMs"] for s in result["segments"] for w in s["words"]]
    spoken_at = (
        [300 + 450 * n for n in range(9)] + [5000 + 450 * n for n in range(5)] + [9000 + 450 * n for n in range(4)]
    )
    assert all(abs(a - b) <= 20 for a, b in zip(starts, spoken_at, strict=True))


def test_segments_are_sorted_and_words_lie_within_them(server: Server) -> None:
    both = [spoken("yes okay", 100) + spoken("bye", 3000), spoken("no problem", 100) + spoken("thank you", 2900)]
    segments = server.result(server.submit(tone_wav(both)))["segments"]
    assert [s["index"] for s in segments] == list(range(len(segments)))
    assert segments == sorted(segments, key=lambda s: (s["startMs"], s["channel"]))
    for segment in segments:
        assert segment["startMs"] <= segment["words"][0]["startMs"]
        assert segment["words"][-1]["endMs"] <= segment["endMs"]
        assert all(w["endMs"] - w["startMs"] == WORD_MS and w["confidence"] > 0.6 for w in segment["words"])


def test_punctuate_changes_the_look_but_not_the_word_list(server: Server) -> None:
    wav = tone_wav([spoken("hello may i help")])
    plain = server.result(server.submit(wav, {"punctuate": False}))["segments"][0]
    full = server.result(server.submit(wav, {"punctuate": True}))["segments"][0]
    assert plain["text"] == "hello may i help"
    assert full["text"] == "Hello may I help."
    assert [w["startMs"] for w in plain["words"]] == [w["startMs"] for w in full["words"]]


def test_words_can_be_left_out(server: Server) -> None:
    wav = tone_wav([spoken("hello")])
    assert "words" in server.result(server.submit(wav))["segments"][0]
    assert "words" not in server.result(server.submit(wav, {"words": False}))["segments"][0]


def test_channels_can_be_mixed(server: Server, call_wav: bytes) -> None:
    result = server.result(server.submit(call_wav, {"channels": "mix", "punctuate": False}))
    assert result["channels"] == 1
    assert "my bill is too high" in texts(result["segments"], 0)


def test_silence_completes_without_segments(server: Server) -> None:
    result = server.result(server.submit(tone_wav([[], []], duration_ms=3000)))
    assert result["segments"] == []
    assert result["text"] == ""
    assert result["durationMs"] == 3000


def test_result_comes_as_text_srt_and_vtt(server: Server, call_wav: bytes) -> None:
    job_id = server.submit(call_wav)
    server.result(job_id)
    path = f"/v2/transcriptions/{job_id}/result?format="
    text, srt, vtt = (server.call("GET", path + name) for name in ("text", "srt", "vtt"))
    assert text.body.decode().splitlines()[1] == "S2: My bill is too high."
    assert text.headers["Content-Type"].startswith("text/plain")
    assert re.match(r"1\n00:00:00,\d{3} --> 00:00:04,\d{3}\nS1: Hello thank you", srt.body.decode())
    assert vtt.body.decode().startswith("WEBVTT\n\n00:00:00.")
    assert "<v S2>My bill" in vtt.body.decode()
    assert server.call("GET", path + "pdf").json["errors"][0]["field"] == "format"


def test_delete_removes_everything_and_may_be_repeated(server: Server, call_wav: bytes) -> None:
    job_id = server.submit(call_wav)
    server.result(job_id)
    path = f"/v2/transcriptions/{job_id}"
    assert server.call("DELETE", path).status == 204
    assert server.call("DELETE", path).status == 204
    assert server.call("GET", path).status == 404
    assert server.call("GET", path + "/result").json["code"] == "not_found"
    assert not [p for p in server.data.rglob("*") if job_id in p.name]


def test_delete_cancels_a_job_that_is_being_worked_on(server: Server, call_wav: bytes) -> None:
    server.hold(True)
    try:
        job_id = server.submit(call_wav)
        until(lambda: server.job(job_id)["status"] == "processing")
        assert server.call("DELETE", f"/v2/transcriptions/{job_id}").status == 204
    finally:
        server.hold(False)
    assert server.call("GET", f"/v2/transcriptions/{job_id}").status == 404
    server.result(server.submit(call_wav))
    assert not [p for p in server.data.rglob("*") if job_id in p.name]


def test_unfinished_result_is_409_with_retry_after(server: Server, call_wav: bytes) -> None:
    server.hold(True)
    try:
        job_id = server.submit(call_wav)
        until(lambda: server.job(job_id)["status"] == "processing")
        reply = server.call("GET", f"/v2/transcriptions/{job_id}/result")
        poll = server.call("GET", f"/v2/transcriptions/{job_id}")
    finally:
        server.hold(False)
    assert (reply.status, reply.json["code"]) == (409, "not_ready")
    assert int(reply.headers["Retry-After"]) >= 1
    assert int(poll.headers["Retry-After"]) >= 1
    server.finished(job_id)
    assert server.call("GET", f"/v2/transcriptions/{job_id}").headers["Retry-After"] is None


def test_list_pages_newest_first_and_filters_by_status(make_server, call_wav: bytes) -> None:
    server = make_server()
    ids = [server.submit(call_wav, {"metadata": {"ref": str(n)}}) for n in range(5)]
    bad = server.submit(call_wav, {"language": "xx"})
    for job_id in [*ids, bad]:
        server.finished(job_id)
    first = server.call("GET", "/v2/transcriptions?limit=3&status=completed").json
    second = server.call("GET", f"/v2/transcriptions?limit=3&status=completed&cursor={first['nextCursor']}").json
    assert [job["id"] for job in first["items"] + second["items"]] == ids[::-1]
    assert second["nextCursor"] is None
    assert [job["id"] for job in server.call("GET", "/v2/transcriptions?status=failed").json["items"]] == [bad]


def test_a_job_expires(server: Server, call_wav: bytes) -> None:
    short, long = server.submit(call_wav, {"ttlHours": 1.0 / 3600}), server.submit(call_wav)
    until(lambda: server.call("GET", f"/v2/transcriptions/{short}").status == 404)
    until(lambda: not [p for p in server.data.rglob("*") if short in p.name])
    assert server.finished(long)["status"] == "completed"


def test_info_says_what_the_server_can_and_health_needs_no_token(server: Server) -> None:
    assert server.call("GET", "/v2/health", token=None).json == {"status": "ok"}
    info = server.call("GET", "/v2/info").json
    assert info["api"] == "2.0"
    assert info["features"]["separateChannels"]
    assert not info["features"]["webhook"]
    assert info["limits"]["maxBytes"] > 0
    assert "wav" in info["limits"]["formats"]
    assert info["models"][0]["default"]
    assert info["models"][0]["languages"] == info["languages"]


def test_a_language_without_own_model_is_recognised_with_a_warning(server: Server, call_wav: bytes) -> None:
    result = server.result(server.submit(call_wav, {"language": "en-AU", "diarize": True}))
    assert result["language"] == "en-US"
    assert any("en-AU" in text for text in result["warnings"])
    assert any("diarize" in text for text in result["warnings"])
    assert server.result(server.submit(call_wav, {"languageCandidates": ["xx", "he-IL"]}))["language"] == "he-IL"
