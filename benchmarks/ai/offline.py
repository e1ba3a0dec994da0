"""The built-in engine alone: time of a conversation with all tasks, and the memory of the process that asks it.

``python -m benchmarks.ai.offline`` reads conversations and outputs (JSON) from its input and prints its figures.
"""

import asyncio
import resource
import sys
import time
from statistics import median, quantiles
from typing import Any

import orjson


def _run(spec: dict[str, Any]) -> dict[str, float]:
    from aiassistant.engines.base import Output, OutputType, Prompt, Turn
    from aiassistant.engines.offline.engine import OfflineEngine, OfflineOptions
    from core.outbound import OutboundPolicy

    engine = OfflineEngine(OfflineOptions(), OutboundPolicy())
    tasks = [
        tuple(
            Output(**{**each, "type": OutputType(each["type"]), "choices": tuple(each["choices"])}) for each in outputs
        )
        for outputs in spec["tasks"]
    ]

    async def one(turns: list[list[str]]) -> float:
        source = tuple(Turn(text, who, place * 5000) for place, (who, text) in enumerate(turns))
        began = time.perf_counter()
        for outputs in tasks:
            await engine.complete(Prompt(messages=(), outputs=outputs, source=source, language="en"))
        return 1000 * (time.perf_counter() - began)

    # The first conversation loads the lexicon.
    first = asyncio.run(one(spec["conversations"][0]))
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = [asyncio.run(one(turns)) for turns in spec["conversations"]]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "conversations": len(times),
        "first_ms": round(first, 1),
        "p50_ms": round(median(times), 1),
        "p95_ms": round(quantiles(times, n=20)[-1], 1),
        "idle_mb": round(idle / 1024, 1),
        "peak_mb": round(peak / 1024, 1),
    }


if __name__ == "__main__":
    import django

    django.setup()
    print(orjson.dumps(_run(orjson.loads(sys.stdin.readline()))).decode(), flush=True)
