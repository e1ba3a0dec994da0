"""The control plane: journal, faults, hold."""

import hashlib
import http.client
import time
import urllib.error

import pytest

from speechserver.tones import spoken, tone_wav
from tests.polling import until
from tests.speechserver.conftest import TOKEN, Server

WAV = tone_wav([spoken("complaint manager")])
CUT = (urllib.error.URLError, http.client.HTTPException, ConnectionError)


def test_the_journal_tells_every_request_but_no_token_and_no_text(server: Server) -> None:
    reply = server.upload(WAV, {"metadata": {"ref": "j1"}}, key="key-j1")
    server.result(reply.json["id"])
    (entry,) = server.journal(method="POST", ref="j1")
    assert (entry["status"], entry["job"], entry["key"]) == (202, reply.json["id"], "key-j1")
    assert entry["sha256"] == hashlib.sha256(WAV).hexdigest()
    assert entry["path"] == "/v2/transcriptions"
    server.call("DELETE", f"/v2/transcriptions/{reply.json['id']}")
    assert server.journal(method="DELETE", job=reply.json["id"])[0]["status"] == 204
    assert server.call("GET", "/v2/info", token="wrong-token-value").status == 401
    raw = (server.data / "journal.jsonl").read_text()
    assert TOKEN not in raw
    assert "wrong-token-value" not in raw
    assert "omplaint" not in raw


def test_a_fault_answers_instead_as_often_as_told_and_only_where_it_matches(server: Server) -> None:
    server.control(
        "POST",
        "/_emu/faults",
        {
            "match": {"method": "GET", "path_prefix": "/v2/info"},
            "status": 429,
            "headers": {"Retry-After": "7"},
            "body": {"code": "rate_limited"},
            "times": 2,
        },
    )
    assert server.call("GET", "/v2/health").status == 200
    for _ in range(2):
        reply = server.call("GET", "/v2/info")
        assert (reply.status, reply.headers["Retry-After"], reply.json) == (429, "7", {"code": "rate_limited"})
    assert server.call("GET", "/v2/info").status == 200
    assert len(server.journal(path="/v2/info", status=429)) == 2


def test_a_fault_can_delay(server: Server) -> None:
    server.control("POST", "/_emu/faults", {"delay_ms": 300})
    begin = time.monotonic()
    assert server.call("GET", "/v2/info").status == 200
    assert time.monotonic() - begin >= 0.3


def test_a_fault_can_cut_the_reply(server: Server) -> None:
    server.control("POST", "/_emu/faults", {"drop_after_bytes": 10})
    with pytest.raises(http.client.IncompleteRead) as cut:
        server.call("GET", "/v2/info")
    assert len(cut.value.partial) == 10
    assert server.call("GET", "/v2/info").status == 200


def test_a_job_can_be_accepted_while_its_reply_is_lost(server: Server) -> None:
    server.control("POST", "/_emu/faults", {"match": {"method": "POST"}, "accept_then_drop": True})
    with pytest.raises(CUT):
        server.upload(WAV, {"metadata": {"ref": "lost"}}, key="lost")
    (entry,) = server.journal(ref="lost")
    assert entry["status"] == 202
    assert entry["fault"]
    assert server.upload(WAV, {"metadata": {"ref": "lost"}}, key="lost").json["id"] == entry["job"]


def test_faults_can_be_listed_and_cleared_and_nonsense_is_refused(server: Server) -> None:
    assert server.control("POST", "/_emu/faults", [{"status": 500}, {"status": 503}])["waiting"] == 2
    assert [fault["status"] for fault in server.control("GET", "/_emu/faults")["faults"]] == [500, 503]
    server.control("DELETE", "/_emu/faults")
    assert server.control("GET", "/_emu/faults")["faults"] == []
    assert "extra" in server.control("POST", "/_emu/faults", {"statsu": 500})["detail"].lower()


def test_hold_keeps_jobs_in_processing_until_released(server: Server) -> None:
    server.hold(True)
    try:
        job_id = server.submit(WAV)
        until(lambda: server.job(job_id)["status"] == "processing")
        assert server.job(job_id)["etaSeconds"] >= 1
    finally:
        server.hold(False)
    assert server.finished(job_id)["status"] == "completed"


def test_the_control_plane_is_not_on_the_port_of_the_api(server: Server) -> None:
    assert server.call("GET", "/_emu/journal").status == 404
    assert server.control("GET", "/_emu/journal")["entries"]
