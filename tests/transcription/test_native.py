"""The native Speech API v2 against servers that are none."""

import asyncio
import http.server
import ipaddress
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from core.outbound import AllowedTarget, OutboundPolicy
from core.outcomes import EngineError, ErrorClass
from transcription.engines.base import AudioSource, Remote, Request
from transcription.engines.native import NativeSpeechEngine
from transcription.engines.native.options import NativeOptions

TOKEN = "s3cret-token-that-nobody-sees"
SAMPLE = AudioSource("a.wav", "audio/wav", 4, 1000, 1, lambda: iter([b"RIFF"]))
Verb = Callable[[NativeSpeechEngine], Coroutine[Any, Any, object]]


@contextmanager
def server_of(status: int, body: bytes = b"") -> Iterator[NativeSpeechEngine]:
    """An engine whose server answers everything alike."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.close_connection = True
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                while size := int(self.rfile.readline(), 16):
                    self.rfile.read(size + 2)
                self.rfile.readline()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    policy = OutboundPolicy(frozenset({AllowedTarget(ipaddress.ip_network("127.0.0.1/32"), port)}))
    try:
        yield NativeSpeechEngine(NativeOptions(server_address=f"http://127.0.0.1:{port}", token=TOKEN), policy)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def error_of(engine: NativeSpeechEngine, verb: Verb) -> EngineError:
    async def run() -> None:
        await engine.open()
        try:
            await verb(engine)
        finally:
            await engine.close()

    with pytest.raises(EngineError) as failed:
        asyncio.run(run())
    return failed.value


async def submit(engine: NativeSpeechEngine) -> object:
    return await engine.submit(SAMPLE, Request("en-US", "reference"))


async def check(engine: NativeSpeechEngine) -> object:
    return [step async for step in engine.check(SAMPLE)]


async def poll(engine: NativeSpeechEngine) -> object:
    return await engine.poll(Remote("tr_1"))


async def fetch(engine: NativeSpeechEngine) -> object:
    return await engine.fetch(Remote("tr_1"))


async def cleanup(engine: NativeSpeechEngine) -> object:
    return await engine.cleanup(Remote("tr_1"))


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize("verb", [submit, check, cleanup])
def test_a_server_that_does_not_know_the_api_is_a_wrong_setting(status, verb):
    with server_of(status) as engine:
        assert error_of(engine, verb).error_class == ErrorClass.CONFIG


@pytest.mark.parametrize("verb", [poll, fetch])
def test_a_server_that_does_not_know_the_job_has_lost_it(verb):
    with server_of(404) as engine:
        assert error_of(engine, verb).error_class == ErrorClass.LOST


@pytest.mark.parametrize(
    "body",
    [
        b'{"code": "unauthorized", "detail": "The token %s is wrong"}',
        b'{"code": "%s", "detail": "wrong"}',
        b'{"code": "unauthorized", "title": "%s"}',
    ],
)
def test_a_token_that_the_server_repeats_is_masked(body):
    with server_of(401, body % TOKEN.encode()) as engine:
        error = error_of(engine, poll)
    assert error.error_class == ErrorClass.CONFIG
    assert TOKEN not in error.message + error.code
    assert "••••" in error.message
