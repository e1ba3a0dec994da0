"""Each engine against its stand-in: the words of nine codecs, throughput and memory of a pass, and what imports cost."""

import asyncio
import gc
import statistics
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from benchmarks.engines.fixture import CODECS, COUNT, DURATION_MS, judged, recording
from benchmarks.engines.stand_ins import RIVALS, Rival, Said, running
from benchmarks.engines.taped import taping
from benchmarks.pipeline.contest import publish_calls
from benchmarks.registry import Figures, goal, scaled
from benchmarks.servers import prepared, release
from benchmarks.world import ACTOR, Place, add_recorded, make_job_over, make_places, make_system
from core.outbound import AllowedTarget, OutboundPolicy
from core.outbound.addresses import listable
from core.transcripts import TranscriptData
from jobs.models import JobDefinition
from jobs.passes.waiting import FIRST_CHECK_S
from stack.environment import python_environment
from stack.paths import ROOT
from tenants.models import Tenant
from tenants.services import allow_address
from transcription.engines.base import AudioSource, Failed, Pending, Remote, Request, SpeechEngine
from transcription.registry import engine_types
from transcription.services import save_engine

RECORDINGS, WARM_UP, IN_FLIGHT = 256, 8, 64
SENT_AS = "Opus 24 kb/s"
# None of those that the words are asked under: what has that is over.
REFERENCE = "parlance-999999999999-1"
LONGEST_ERROR_MS = 60
IMPORT_TRIES = 3
HEAVY = {
    "google": "google.cloud.speech, google.cloud.storage",
    "azure": "azure.ai.transcription, azure.storage.blob, azure.cognitiveservices.speech",
    "openai": "openai",
}
WORKER = """
import time
began = time.perf_counter()
import django
django.setup()
from config.celery import app
app.loader.import_default_modules()
import jobs.passes.running, transcription.session
between = time.perf_counter()
{more}
print(between - began, time.perf_counter() - between)
"""
Work = Callable[[SpeechEngine], Awaitable[Any]]


def engines(scale: float) -> Figures:
    """Words right by engine and codec, records a second beside a bare client, peak memory, seconds of imports."""
    number = scaled(RECORDINGS, scale, 4)
    rivals = RIVALS if scale >= 0.01 else [rival for rival in RIVALS if rival.name in {"deepgram", "assemblyai"}]
    codecs = list(CODECS) if scale >= 0.01 else list(CODECS)[:2]
    sounds = {codec: recording(codec) for codec in {*codecs, SENT_AS}}
    system, [place] = make_system(), make_places(1)
    words: list[Figures] = []
    rates: list[Figures] = []
    for rival in rivals:
        with TemporaryDirectory(prefix="parlance-bench-") as name, running(rival, Path(name)) as said:
            words += [_words(rival, said, codec, sounds[codec]) for codec in codecs]
            rates.append(_rates(rival, said, system, place, sounds[SENT_AS], number))
    worst = max(row["start_error_ms"] for row in words)
    return {
        "goals": [
            goal(
                "words right and in the right channel, least of 105",
                min(row["placed"] for row in words),
                at_least=COUNT,
            ),
            goal("largest error of a start, ms", worst, at_most=LONGEST_ERROR_MS),
            goal("records lost", sum(row["lost"] for row in rates), at_most=0),
        ],
        "words": words,
        "throughput": rates,
        "imports": _imports(1 if scale < 1 else IMPORT_TRIES),
        "recordings": number,
        "in_flight": IN_FLIGHT,
        "recording_s": DURATION_MS / 1000,
        "sent_as": SENT_AS,
    }


def _opened(rival: Rival, said: Said, work: Work) -> Any:
    kind = engine_types()[rival.engine_type]
    fields = {**rival.settings(said), **rival.secrets(said), "concurrency": IN_FLIGHT}
    target = listable("127.0.0.1/32")
    policy = OutboundPolicy(frozenset({AllowedTarget(target, int(said["url"].rsplit(":", 1)[1]))}))
    engine = kind(kind.options_type(**fields), policy)

    async def run() -> Any:
        await engine.open()
        try:
            return await work(engine)
        finally:
            await engine.close()

    return asyncio.run(run())


def _words(rival: Rival, said: Said, codec: str, audio: AudioSource) -> Figures:
    reference = f"parlance-{list(CODECS).index(codec):012d}-1"

    async def work(engine: SpeechEngine) -> TranscriptData:
        return await _transcribed(engine, audio, reference)

    right, placed, worst = judged(_opened(rival, said, work))
    return {"engine": rival.name, "codec": codec, "right": right, "placed": placed, "start_error_ms": worst}


async def _transcribed(engine: SpeechEngine, audio: AudioSource, reference: str) -> TranscriptData:
    remote = await engine.submit(audio, Request("en-US", reference))
    if isinstance(remote, TranscriptData):
        return remote
    while isinstance(state := await engine.poll(remote), Pending):
        await asyncio.sleep(0.1)
    if isinstance(state, Failed):
        raise state.error
    transcript = await engine.fetch(remote)
    await engine.cleanup(Remote(remote.external_id))
    return transcript


def _rates(rival: Rival, said: Said, system: Tenant, place: Place, audio: AudioSource, number: int) -> Figures:
    _be_quick(said)
    tape = _taped(rival, said, audio) if rival.taped else []
    job = _job(rival, said, system)
    _passes(job, place, audio, rival, "warm", WARM_UP)
    ours = _passes(job, place, audio, rival, "real", number)
    JobDefinition.objects.filter(pk=job.pk).update(enabled=False)
    mine = number / ours["seconds"]
    row: Figures = {
        "engine": rival.name,
        "records_per_s": round(mine, 1),
        "peak_mb": round(ours["peak_mb"]),
        "lost": number + WARM_UP - int(ours["completed"]),
    }
    if not tape:
        return row
    spec = {"address": said["url"], "tape": tape, "reference": REFERENCE, "concurrency": IN_FLIGHT}
    bare = _script("benchmarks.engines.bare", {**spec, "recordings": number, "pause_s": FIRST_CHECK_S})
    theirs = number / bare["seconds"]
    return row | {
        "bare_per_s": round(theirs, 1),
        "ratio": round(mine / theirs, 2),
        "bare_peak_mb": round(bare["peak_mb"]),
        "requests_a_record": len(tape),
    }


def _be_quick(said: Said) -> None:
    """Jobs of the stand-in are done when they are asked for, where it has that setting."""
    body = orjson.dumps({"stt_s": 0})
    request = urllib.request.Request(f"{said['control_url']}/_emu/settings", data=body, method="POST")  # noqa: S310
    try:
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
    except urllib.error.HTTPError as refused:
        refused.close()


def _taped(rival: Rival, said: Said, audio: AudioSource) -> list[dict[str, Any]]:
    async def record() -> list[dict[str, Any]]:
        async with taping(said["url"]) as (address, tape):
            there = {**said, "url": address}
            await asyncio.to_thread(_opened, rival, there, lambda engine: _transcribed(engine, audio, REFERENCE))
            asked = [(entry["method"], entry["path"]) for entry in tape]
            # Of questions that were asked again the last answer counts.
            again = {n for n, pair in enumerate(asked[:-1]) if pair[0] == "GET" and pair == asked[n + 1]}
            return [entry for n, entry in enumerate(tape) if n not in again]

    return asyncio.run(record())


def _job(rival: Rival, said: Said, system: Tenant) -> JobDefinition:
    by: dict[str, Any] = {"actor": ACTOR, "audit_tenant": system}
    allow_address(cidr="127.0.0.1/32", port=int(said["url"].rsplit(":", 1)[1]), note="bench", **by)
    engine = save_engine(
        engine=None,
        values={
            "name": rival.name,
            "engine_type": rival.engine_type,
            "enabled": True,
            "visibility": "global",
            "tenant": None,
        },
        settings={**rival.settings(said), "concurrency": IN_FLIGHT},
        secrets=dict(rival.secrets(said)),
        **by,
    )
    return make_job_over(system, engine, name=f"Transcribe by {rival.name}")


def _passes(
    job: JobDefinition, place: Place, audio: AudioSource, rival: Rival, label: str, number: int
) -> dict[str, float]:
    """Publish so many recordings, then time the passes; ``completed`` counts all records of the job."""
    calls = add_recorded(place, number, f"{rival.name}-{label}", audio)
    publish_calls(place, calls)
    records = number if label == "warm" else number + WARM_UP
    gc.collect()
    return _script("benchmarks.engines.passing", {"job": job.pk, "records": records})


def _script(module: str, spec: dict[str, Any]) -> dict[str, float]:
    with prepared(module, spec) as script:
        release(script)
        assert script.stdout is not None
        line = script.stdout.readline()
        if script.wait(60) or not line:
            raise RuntimeError(f"{module} failed")
        found: dict[str, float] = orjson.loads(line)
        return found


def _imports(tries: int) -> list[Figures]:
    """Seconds until a worker's process has loaded what it needs, and what the first use of each vendor adds."""
    rows = []
    for name, modules in {"none": "", **HEAVY}.items():
        code = WORKER.format(more=f"import {modules}" if modules else "")
        found = []
        for _try in range(tries):
            done = subprocess.run(
                [sys.executable, "-c", code], cwd=ROOT, env=python_environment(), capture_output=True, check=True
            )
            found.append([float(word) for word in done.stdout.split()[-2:]])
        rows.append(
            {
                "first_used": name,
                "worker_s": round(statistics.median(pair[0] for pair in found), 2),
                "more_s": round(statistics.median(pair[1] for pair in found), 2),
            }
        )
    return rows
