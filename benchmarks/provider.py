"""An instant Speech API v2 server: a job is completed at the third check (or another that is named).

``python -m benchmarks.provider FILE [CHECKS]`` listens on a free port of loopback and writes it to FILE. ``GET /stats`` says
what it was asked. Nothing is recognised: every result is the same call of five minutes and 750 words with times.
"""

import asyncio
import itertools
import sys
from collections import Counter
from pathlib import Path

import orjson
from aiohttp import web

CHECKS = 3
MINUTES = 5
WORDS = 750
WORDS_A_TURN = 15
SPEECH = (
    "thank you for calling how may I help today my order has not arrived yet and the tracking number you sent does "
    "not work let me have a look at that one moment please I see it left our warehouse on Monday so it should be with "
    "you before the end of the week is there anything else no that was all goodbye"
)
VOCABULARY = SPEECH.split()
RETRY_AFTER = {"Retry-After": "1"}


def result() -> dict[str, object]:
    """The transcript of every call, without its id."""
    step = MINUTES * 60_000 // WORDS
    segments = []
    for turn in range(WORDS // WORDS_A_TURN):
        numbers = range(turn * WORDS_A_TURN, (turn + 1) * WORDS_A_TURN)
        words = [
            {
                "text": VOCABULARY[number * 7 % len(VOCABULARY)],
                "startMs": number * step + number % 40,
                "endMs": number * step + 300 + number % 90,
                "confidence": 0.5 + number % 50 / 100,
            }
            for number in numbers
        ]
        segments.append(
            {
                "channel": turn % 2,
                "speaker": f"speaker {turn % 2}",
                "startMs": words[0]["startMs"],
                "endMs": words[-1]["endMs"],
                "text": " ".join(str(word["text"]) for word in words),
                "words": words,
            }
        )
    return {"language": "en-US", "durationMs": MINUTES * 60_000, "model": "instant", "segments": segments}


class Provider:
    """The jobs by id with the number of checks so far; gone when deleted."""

    def __init__(self, checks: int) -> None:
        self._checks = checks
        self._numbers = itertools.count(1)
        self._jobs: dict[str, int] = {}
        self._by_key: dict[str, str] = {}
        self._asked: Counter[str] = Counter()
        self._result = orjson.dumps(result())[1:]

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """One request."""
        if request.method == "POST":
            return await self._create(request)
        if request.path == "/stats":
            return _json(orjson.dumps({**self._asked, "live": len(self._jobs)}))
        identity, _, what = request.path.removeprefix("/v2/transcriptions/").partition("/")
        if request.method == "DELETE":
            self._asked["deleted"] += self._jobs.pop(identity, None) is not None
            return web.Response(status=204)
        if identity not in self._jobs:
            return web.Response(status=404)
        if what == "result":
            self._asked["fetched"] += 1
            return _json(b'{"id":"' + identity.encode() + b'",' + self._result)
        self._asked["checked"] += 1
        self._jobs[identity] += 1
        return _state(identity, "completed" if self._jobs[identity] >= self._checks else "processing")

    async def _create(self, request: web.BaseRequest) -> web.Response:
        await request.read()
        key = request.headers.get("Idempotency-Key", "")
        identity = self._by_key.get(key)
        if identity is None:
            self._asked["uploaded"] += 1
            identity = f"tr_{next(self._numbers)}"
            self._jobs[identity] = 0
            self._by_key[key] = identity
        return _state(identity, "queued", status=202)


def _state(identity: str, status_text: str, status: int = 200) -> web.Response:
    body = b'{"id":"' + identity.encode() + b'","status":"' + status_text.encode() + b'"}'
    return web.Response(body=body, status=status, content_type="application/json", headers=RETRY_AFTER)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


async def _serve(port_file: Path, checks: int) -> None:
    runner = web.ServerRunner(web.Server(Provider(checks).answer, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port_file.with_suffix(".new").write_text(str(runner.addresses[0][1]))
    port_file.with_suffix(".new").rename(port_file)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else CHECKS))
