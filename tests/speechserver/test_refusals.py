"""Bad input: the right code, the field named, nothing stored, never a 5xx."""

import json
import socket
import struct
from typing import Any

import pytest

from speechserver.tones import spoken, tone_wav
from tests.polling import until
from tests.speechserver.conftest import TOKEN, Server

WAV = tone_wav([spoken("hello thank you")])


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"tenant": 1}, "config.tenant"),
        ({"speakers": {"min": 1, "most": 2}}, "config.speakers.most"),
        ({"speakers": {"min": 3, "max": 2}}, "config.speakers"),
        ({"language": "en_US; drop"}, "config.language"),
        ({"language": 5}, "config.language"),
        ({"punctuate": "yes"}, "config.punctuate"),
        ({"channels": "left"}, "config.channels"),
        ({"ttlHours": 0}, "config.ttlHours"),
        ({"ttlHours": True}, "config.ttlHours"),
        ({"callbackUrl": "http://127.0.0.1/"}, "config.callbackUrl"),
        ({"metadata": {"ref": {"a": 1}}}, "config.metadata.ref"),
        ({"metadata": {"a": "x" * 5000}}, "config.metadata"),
        ({"phrases": ["x" * 101]}, "config.phrases.0"),
        (b"{", "config"),
        (b"[]", "config"),
        (b'{"punctuate":true,"punctuate":false}', "config"),
        (b'{"ttlHours":NaN}', "config"),
        (b'{"metadata":{"ref":"\\ud800"}}', "config"),
        (b'{"metadata":{"ref":"\\u0000"}}', "config"),
        (b"\xff\xfe", "config"),
        (b"[" * 60000, "config"),
        (b" " * 70000, "config"),
        (b'{"ttlHours":' + b"9" * 5000 + b"}", "config"),
    ],
)
def test_a_bad_config_is_refused_with_its_field(server: Server, config: Any, field: str) -> None:
    reply = server.upload(WAV, config)
    assert reply.status == 400, reply.body
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json["code"] == "invalid_request"
    assert reply.json["requestId"] == reply.headers["X-Request-Id"]
    assert field in [error["field"] for error in reply.json["errors"]], reply.json


def test_parts_must_be_exactly_audio_and_config(server: Server) -> None:
    assert server.upload(WAV, {}).status == 202
    assert server.upload(None, {}).json["errors"][0]["field"] == "audio"
    assert server.upload(WAV).json["errors"][0]["field"] == "config"
    assert server.upload(WAV, {}, extra={"more": b"1"}).json["errors"][0]["field"] == "more"
    assert server.upload(b"", {}).json["errors"][0]["field"] == "audio"
    assert server.call("POST", "/v2/transcriptions", b"{}", {"Content-Type": "application/json"}).status == 415
    for broken in ("multipart/form-data", "multipart/form-data; boundary=x"):
        assert server.call("POST", "/v2/transcriptions", b"no parts", {"Content-Type": broken}).status == 400


def test_the_idempotency_key_must_be_printable(server: Server) -> None:
    assert server.upload(WAV, {}, key="k" * 201).json["errors"][0]["field"] == "Idempotency-Key"
    assert server.upload(WAV, {}, key="two words").status == 400


@pytest.mark.parametrize(
    "audio",
    [
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile x\n",
        b"%PDF-1.7 x",
        b"PK\x03\x04zip",
        b"a",
    ],
)
def test_no_audio_container_is_415(server: Server, audio: bytes) -> None:
    reply = server.upload(audio, {})
    assert (reply.status, reply.json["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "audio", [WAV[:44], b"RIFF\x00\x00\x00\x00WAVEjunk", b"OggS" + bytes(200), b"fLaC" + bytes(200)]
)
def test_a_container_without_usable_audio_is_422(server: Server, audio: bytes) -> None:
    reply = server.upload(audio, {})
    assert (reply.status, reply.json["code"]) == (422, "unprocessable_audio"), reply.body


def test_refused_uploads_leave_nothing_behind(server: Server) -> None:
    for status in ("queued", "processing"):
        until(lambda status=status: not server.call("GET", f"/v2/transcriptions?status={status}").json["items"])
    until(lambda: not list((server.data / "work").iterdir()))
    before = sorted(p.name for p in server.data.rglob("*"))
    server.upload(WAV, {"x": 1})
    server.upload(b"%PDF", {})
    server.upload(WAV[:44], {})
    assert sorted(p.name for p in server.data.rglob("*")) == before


def test_a_wrong_or_missing_token_is_401(server: Server) -> None:
    assert server.call("GET", "/v2/info").status == 200
    for token in (None, "", "wrong", "test-token-not-secre", "ü"):
        reply = server.call("GET", "/v2/info", token=token if token != "ü" else "\xfc")
        assert (reply.status, reply.json["code"]) == (401, "unauthorized")
    assert server.call("DELETE", "/v2/transcriptions/tr_x", token=None).status == 401
    assert server.call("GET", "/nowhere", token=None).status == 401


def test_unknown_ids_paths_and_methods_have_problem_bodies(server: Server) -> None:
    for path in ("/v2/transcriptions/tr_" + "0" * 26, "/v2/transcriptions/..%2f..%2fetc", "/v2/x"):
        reply = server.call("GET", path)
        assert (reply.status, reply.json["code"]) == (404, "not_found")
    reply = server.call("PUT", "/v2/info")
    assert reply.status == 405
    assert "GET" in reply.headers["Allow"]
    assert server.call("DELETE", "/v2/transcriptions/..%2f..%2fjournal.jsonl").status == 204
    assert (server.data / "journal.jsonl").exists()


@pytest.mark.parametrize("query", ["status=done", "limit=0", "limit=201", "limit=x", "cursor=x", "offset=1"])
def test_bad_list_parameters_are_named(server: Server, query: str) -> None:
    reply = server.call("GET", "/v2/transcriptions?" + query)
    assert reply.status == 400
    assert reply.json["errors"][0]["field"] == query.partition("=")[0]


def test_unsupported_language_and_model_fail_the_job(server: Server) -> None:
    for config, code in (({"language": "xx-YY"}, "unsupported_language"), ({"model": "huge"}, "unsupported_model")):
        job = server.finished(server.submit(WAV, config))
        assert job["status"] == "failed"
        assert job["error"]["code"] == code
        assert job["error"]["retryable"] is False
        reply = server.call("GET", job["links"]["result"])
        assert (reply.status, reply.json["code"], reply.json["error"]["code"]) == (422, "transcription_failed", code)


def test_size_and_length_limits_count_what_is_really_there(make_server) -> None:
    server = make_server("--max-bytes", "200000", "--max-duration-ms", "4000")
    assert server.finished(server.submit(WAV))["status"] == "completed"
    reply = server.upload(WAV + bytes(200000), {})
    assert (reply.status, reply.json["code"]) == (413, "payload_too_large")
    long = tone_wav([spoken("hello")], duration_ms=5000)
    # The header claims one second; what counts is what is decoded.
    lying = long[:40] + struct.pack("<I", 0xFFFFFFFF) + long[44:]
    for wav in (long, lying):
        job = server.finished(server.submit(wav))
        assert (job["status"], (job["error"] or {}).get("code")) == ("failed", "audio_too_long")


def test_a_damaged_file_is_decoded_up_to_the_damage_or_fails(server: Server) -> None:
    cut = WAV[: len(WAV) - 4000]
    assert server.finished(server.submit(cut))["status"] == "completed"


def test_a_full_queue_is_503_with_retry_after(make_server) -> None:
    server = make_server("--max-queued", "1", "--workers", "1")
    server.hold(True)
    replies = [server.upload(WAV, {"metadata": {"ref": str(n)}}) for n in range(4)]
    assert replies[0].status == 202
    assert (replies[-1].status, replies[-1].json["code"]) == (503, "busy")
    assert int(replies[-1].headers["Retry-After"]) >= 1


def test_errors_are_json_that_never_repeats_input(server: Server) -> None:
    reply = server.upload(WAV, {"language": "SECRETVALUE!"})
    assert b"SECRETVALUE" not in reply.body
    assert json.loads(reply.body)["status"] == 400


def test_an_upload_that_breaks_off_leaves_nothing_and_is_journalled(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    head = "\r\n".join(
        [
            "POST /v2/transcriptions HTTP/1.1",
            f"Host: {host}",
            f"Authorization: Bearer {TOKEN}",
            "Content-Length: 100000",
            "Content-Type: multipart/form-data; boundary=b",
            "Idempotency-Key: broken-off",
            "",
            "--b",
            'Content-Disposition: form-data; name="audio"; filename="a.wav"',
            "",
            "RIFF",
        ]
    )
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(head.encode())
        until(lambda: list((server.data / "incoming").iterdir()))
    (entry,) = until(lambda: server.journal(key="broken-off"))
    assert entry["status"] == 499
    assert not list((server.data / "incoming").iterdir())


def test_a_job_file_that_cannot_be_read_is_set_aside(make_server) -> None:
    server = make_server()
    good, bad = server.submit(WAV), server.submit(WAV)
    server.finished(good)
    server.finished(bad)
    server.stop()
    (server.data / "jobs" / f"{bad}.json").write_bytes(b'{"id": "tr_')
    again = make_server()
    assert again.job(good)["status"] == "completed"
    assert again.call("GET", f"/v2/transcriptions/{bad}").status == 404
