"""The peer: the vendor's SDK in an asyncio script that makes the same requests with the same concurrency, and keeps nothing.

No admission, no checks of the answer, no database: what is left is the floor. ``python -m benchmarks.ai.bare`` reads a
specification (JSON) from its input, prepares, says "ready", waits for a line, asks, and prints the number of answers.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import orjson
from openai import AsyncOpenAI


async def _run(spec: dict[str, Any], bodies: list[dict[str, Any]]) -> int:
    gate = asyncio.Semaphore(spec["concurrency"])
    client = AsyncOpenAI(base_url=spec["base_url"], api_key=spec["key"], max_retries=0)

    async def ask(body: dict[str, Any]) -> bool:
        async with gate:
            reply = await client.chat.completions.create(**body)
        return bool(json.loads(reply.choices[0].message.content or "{}"))

    async with client:
        return sum(await asyncio.gather(*(ask(body) for body in bodies)))


if __name__ == "__main__":
    specification = orjson.loads(sys.stdin.readline())
    requests = [orjson.loads(line) for line in Path(specification["bodies"]).read_bytes().splitlines()]
    print("ready", flush=True)
    sys.stdin.readline()
    print(asyncio.run(_run(specification, requests)), flush=True)
