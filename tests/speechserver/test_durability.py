"""Nothing accepted is lost by a kill; keys and results are remembered; the server stops quickly and cleanly."""

import signal
import threading

from speechserver.tones import spoken, tone_wav
from tests.polling import until
from tests.speechserver.conftest import Server, children_of, is_alive

WAV = tone_wav([spoken("hello thank you")])
OTHER = tone_wav([spoken("bye bye")])


def test_a_killed_server_runs_open_jobs_again_and_keeps_the_rest(make_server) -> None:
    server = make_server("--workers", "1")
    done = server.submit(WAV, {"punctuate": False}, key="done")
    result = server.result(done)
    server.hold(True)
    first = server.upload(WAV, {"metadata": {"ref": "open"}}, key="open")
    second = server.submit(OTHER)
    until(lambda: server.job(first.json["id"])["status"] == "processing")
    assert server.job(second)["status"] == "queued"
    children = children_of(server.process.pid)
    server.stop(signal.SIGKILL)
    until(lambda: not any(is_alive(pid) for pid in children))

    again = make_server("--workers", "1")
    assert again.call("GET", f"/v2/transcriptions/{done}/result").json == result
    assert again.finished(first.json["id"])["status"] == "completed"
    assert again.result(second)["text"] == "Bye bye."
    repeated = again.upload(WAV, {"metadata": {"ref": "open"}}, key="open")
    assert (repeated.status, repeated.json) == (202, first.json)
    assert again.upload(OTHER, {"metadata": {"ref": "open"}}, key="open").status == 409
    assert {entry["job"] for entry in again.journal(method="POST", ref="open", status=202)} == {first.json["id"]}
    assert len(again.call("GET", "/v2/transcriptions").json["items"]) == 3
    assert not list((again.data / "audio").iterdir())


def test_same_key_and_content_gets_the_original_reply_and_other_content_409(server: Server) -> None:
    first = server.upload(WAV, {"language": "en-US"}, key="k1")
    server.finished(first.json["id"])
    again = server.upload(WAV, {"language": "en-US"}, key="k1")
    assert (again.status, again.body) == (202, first.body)
    for other in (server.upload(OTHER, {"language": "en-US"}, key="k1"), server.upload(WAV, {}, key="k1")):
        assert (other.status, other.json["code"]) == (409, "idempotency_conflict")
    assert server.upload(WAV, {"language": "en-US"}).json["id"] != first.json["id"]
    server.call("DELETE", f"/v2/transcriptions/{first.json['id']}")
    assert server.upload(OTHER, {}, key="k1").status == 202


def test_many_uploads_at_once_with_one_key_make_one_job(server: Server) -> None:
    ids: list[str] = []
    threads = [threading.Thread(target=lambda: ids.append(server.submit(WAV, key="race"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1


def test_sigterm_stops_server_and_children_within_two_seconds(make_server) -> None:
    server = make_server()
    server.hold(True)
    server.submit(WAV)
    children = children_of(server.process.pid)
    assert len(children) == 3
    assert server.stop() < 2
    assert server.process.returncode == 0
    assert not any(is_alive(pid) for pid in children)


def test_ids_sort_by_time_and_are_not_reused_after_delete(server: Server) -> None:
    ids = []
    for _ in range(5):
        ids.append(server.submit(WAV))
        server.call("DELETE", f"/v2/transcriptions/{ids[-1]}")
    assert ids == sorted(set(ids))
