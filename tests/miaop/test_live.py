"""Submissions to a real web process: many at once, in chunks, too slow, and cut off by its death (R4.2, T24)."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from accounts.realms import keys
from accounts.realms.models import RealmSetting
from conversations.models import Recording
from miaop.models import Meeting
from miaop.receiving import incoming
from tenants.doors import enter
from tenants.models import Tenant
from tests.databases import db_of_module as db
from tests.miaop.live import Site, answer, head
from tests.miaop.test_submitting import body_of, described, part
from tests.polling import until

__all__ = ["db"]
NOTHING = [0, 0, 0, 0]


@pytest.fixture(scope="module", autouse=True)
def realms(db) -> None:
    """In place of that of other tests, which are rolled back: Acme offers the API in the database of this module."""
    keys.forget()
    RealmSetting.objects.create(tenant=Tenant.objects.get(slug="acme"), enabled=True)


@pytest.fixture(scope="module")
def processes(db, tmp_path_factory) -> Iterator[Site]:
    """The module's database, and the web processes on it."""
    found = Site(db, tmp_path_factory.mktemp("live"))
    yield found
    found.close()


@pytest.fixture
def site(processes) -> Site:
    """The same, counted from here on."""
    processes.begin()
    return processes


def body(number: int = 0) -> bytes:
    task = part("task", json.dumps(described("a.wav")).encode())
    return body_of(task, part("soundBlob", b"no audio %d" % number, filename="a.wav"))


def pieces(content: bytes, size: int = 50) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def test_t24_of_fifty_submissions_at_once_none_is_lost(site, acme):
    def submit(number: int) -> tuple[int, dict]:
        content = body(number)
        with web.connect() as wire:
            wire.sendall(head(token, f"Content-Length: {len(content)}") + content)
            return answer(wire)

    web = site.web()
    token = web.token()
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(submit, range(50)))
    assert [status for status, _said in answers] == [200] * 50
    ids = {said["taskId"] for _status, said in answers}
    assert len(ids) == 50
    assert site.kept() == [50] * 4
    with enter(acme):
        calls = Meeting.objects.filter(task__task_id__in=ids).values_list("call_id", flat=True)
        assert Recording.objects.filter(call_id__in=list(calls)).values("sha256").distinct().count() == 50
    assert list(site.incoming.iterdir()) == []


def test_r42_bodies_in_chunks_and_after_100_continue_are_taken_and_broken_ones_are_not(site):
    content = body()
    web = site.web()
    token = web.token()
    with web.connect() as wire:
        wire.sendall(head(token, "Transfer-Encoding: chunked"))
        for piece in pieces(content):
            wire.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        wire.sendall(b"0\r\n\r\n")
        assert answer(wire)[0] == 200
    with web.connect() as wire:
        wire.sendall(head(token, f"Content-Length: {len(content)}", "Expect: 100-continue"))
        told = b""
        while b"\r\n\r\n" not in told:
            told += wire.recv(1)
        assert told.startswith(b"HTTP/1.1 100 ")
        wire.sendall(content)
        assert answer(wire)[0] == 200
    assert site.kept() == [2] * 4
    with web.connect() as wire:
        wire.sendall(head(token, "Transfer-Encoding: chunked"))
        cut = content[: len(content) // 2]
        wire.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(cut), cut))
        status, said = answer(wire)
        assert (status, said["error"]["code"]) == (400, "INVALID_MULTIPART")
    assert site.kept() == [2] * 4


@pytest.mark.parametrize(
    "limits",
    [
        {"PARLANCE_MIAOP_STALL_SECONDS": "0.5"},
        {"PARLANCE_MIAOP_UPLOAD_SECONDS": "0.5"},
    ],
    ids=["rate", "deadline"],
)
def test_an_upload_that_stands_still_or_lasts_too_long_ends_with_408_and_leaves_nothing(site, limits):
    content = body()
    web = site.web(**limits)
    with web.connect() as wire:
        wire.sendall(head(web.token(), "Content-Length: 1000000") + content[:-20])
        status, said = answer(wire)
        assert (status, said["error"]["code"]) == (408, "UPLOAD_TOO_SLOW")
        # Nobody else is slowed down or cut off by it.
        with web.connect() as other:
            other.sendall(head(web.token(), f"Content-Length: {len(content)}") + content)
            assert answer(other)[0] == 200
    assert site.kept() == [1] * 4
    assert list(site.incoming.iterdir()) == []


def test_a_web_process_that_is_killed_in_an_upload_leaves_no_row_and_after_the_sweep_no_file(site, settings):
    settings.MIAOP_INCOMING_DIR = str(site.incoming)
    stranger = Path(site.incoming) / f"{uuid.uuid4()}.txt"
    web = site.web()
    with web.connect() as wire:
        wire.sendall(head(web.token(), "Content-Length: 10000000") + body()[:-20] + b"x" * 200_000)
        until(
            lambda: site.incoming.exists() and any(path.stat().st_size for path in site.incoming.iterdir()), seconds=20
        )
        assert incoming.sweep() == 0
        stranger.write_text("of somebody else")
        web.kill()
    assert len(list(site.incoming.iterdir())) == 2
    # The kernel lets go of the lock as soon as the process is gone.
    until(lambda: incoming.sweep() == 1, seconds=20)
    assert list(site.incoming.iterdir()) == [stranger]
    stranger.unlink()
    assert site.kept() == NOTHING
