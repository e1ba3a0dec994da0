"""The peer: an asyncio script that sends what an engine sends for one recording, for many recordings, and keeps nothing.

No cutting, no judging of answers, no database: what is left is the floor. ``python -m benchmarks.engines.bare`` reads a
specification (JSON) from its input, says "ready", waits for a line, works, and prints its seconds and its peak memory.
"""

import asyncio
import base64
import re
import sys
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from benchmarks.servers import peak_mb

TOKEN = re.compile(rb"[0-9A-Za-z_-]{8,}")
AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Name:
    """A name that an answer gave and that later requests use: the ``index``-th token of answer number ``step``."""

    step: int
    index: int
    said: bytes


def names_in(tape: list[dict[str, Any]], ours: bytes) -> list[Name]:
    """All that the server made up."""
    found: dict[bytes, Name] = {}
    for step, entry in enumerate(tape):
        later = b" ".join(_raw(each) for each in tape[step + 1 :])
        for index, token in enumerate(TOKEN.findall(entry["answer"].encode())):
            before = b" ".join(_raw(each) for each in tape[: step + 1])
            if token not in found and ours not in token and token in later and token not in before:
                found[token] = Name(step, index, token)
    return list(found.values())


def _raw(entry: dict[str, Any]) -> bytes:
    return str(entry["path"]).encode() + b" " + base64.b64decode(entry["body"])


class Player:
    """Plays the tape under references of its own; ``pause_s`` is waited before the first question about a job."""

    def __init__(self, spec: dict[str, Any], session: aiohttp.ClientSession) -> None:
        self._address, self._ours, self._pause_s = spec["address"], spec["reference"].encode(), spec["pause_s"]
        self._tape = spec["tape"]
        self._bodies = [base64.b64decode(entry["body"]) for entry in self._tape]
        self._names = names_in(self._tape, self._ours)
        self._session, self._gate = session, asyncio.Semaphore(spec["concurrency"])
        self._asks = next(
            (n for n, e in enumerate(self._tape) if e["method"] == "GET" and any(m.step < n for m in self._names)), None
        )

    async def play(self, number: int) -> None:
        """One recording."""
        changed = [(self._ours, f"{number:0{len(self._ours)}d}".encode())]
        for step, entry in enumerate(self._tape):
            if step == self._asks:
                await asyncio.sleep(self._pause_s)
            answer = await self._send(step, entry, changed)
            tokens = TOKEN.findall(answer)
            changed += [(name.said, tokens[name.index]) for name in self._names if name.step == step]

    async def _send(self, step: int, entry: dict[str, Any], changed: list[tuple[bytes, bytes]]) -> bytes:
        path, body = entry["path"].encode(), self._bodies[step]
        headers = entry["headers"]
        for old, new in changed:
            path, body = path.replace(old, new), body.replace(old, new)
            headers = {name: value.replace(old.decode(), new.decode()) for name, value in headers.items()}
        while True:
            async with (
                self._gate,
                self._session.request(
                    entry["method"], self._address + path.decode(), headers=headers, data=body or None
                ) as answer,
            ):
                content = await answer.read()
                asks = self._asks is not None and step >= self._asks
                if answer.status == entry["status"] and not (asks and _ahead(content, entry["answer"])):
                    return content
                if entry["method"] != "GET":
                    raise RuntimeError(f"{entry['method']} {path.decode()}: {answer.status} {content[:300]!r}")
            await asyncio.sleep(AGAIN_S)


def _ahead(content: bytes, taped: str) -> bool:
    """Whether the job was farther on the tape."""
    states = re.compile(rb'"(?:status|taskStatus|done)"\s*:\s*"?(\w+)')
    return states.findall(content) != states.findall(taped.encode())


async def _run(spec: dict[str, Any]) -> float:
    connector = aiohttp.TCPConnector(limit=spec["concurrency"])
    async with aiohttp.ClientSession(connector=connector) as session:
        player = Player(spec, session)
        began = time.monotonic()
        await asyncio.gather(*(player.play(number) for number in range(1, spec["recordings"] + 1)))
        return time.monotonic() - began


if __name__ == "__main__":
    specification = orjson.loads(sys.stdin.readline())
    print("ready", flush=True)
    sys.stdin.readline()
    seconds = asyncio.run(_run(specification))
    print(orjson.dumps({"seconds": seconds, "peak_mb": peak_mb()}).decode(), flush=True)
