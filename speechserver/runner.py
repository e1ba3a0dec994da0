"""Runs jobs: decode in a child, recognise each channel in a child of its own, store the result."""

import asyncio
import logging
import shutil
from collections import deque
from pathlib import Path
from typing import Any

from speechserver.formats import polish
from speechserver.journal import now_text
from speechserver.pool import OrderRefused, Pool, WorkerCrashed, WorkerTimeout
from speechserver.recognisers.base import Profile
from speechserver.store import Job, Store

logger = logging.getLogger("speechserver")

DECODE_SECONDS = 120.0
EXTRA_SECONDS = 60.0
SWEEP_SECONDS = 0.5
# A first guess for etaSeconds: processing time as a share of the audio's length.
PACE = 0.2


class Runner:
    """The line of waiting jobs and the tasks that work it off; ``hold`` keeps taken jobs in processing."""

    def __init__(self, *, store: Store, pool: Pool, profile: Profile, lanes: int, max_duration_ms: int) -> None:
        self._store = store
        self._pool = pool
        self._profile = profile
        self._lanes = lanes
        self._max_duration_ms = max_duration_ms
        self._waiting: deque[str] = deque(store.open_ids())
        self._news = asyncio.Condition()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._gate = asyncio.Event()
        self._gate.set()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def backlog(self) -> int:
        """Jobs waiting, not counting the ones being worked on."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin work; jobs left open by the last run of the server come first."""
        self._tasks = [asyncio.create_task(self._lane()) for _ in range(self._lanes)]
        self._tasks.append(asyncio.create_task(self._sweep()))

    async def stop(self) -> None:
        """Drop all work; open jobs stay open on disk and are run again at the next start."""
        for task in [*self._tasks, *self._running.values()]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._running.values(), return_exceptions=True)

    async def add(self, job_id: str) -> None:
        """Put a queued job in line."""
        async with self._news:
            self._waiting.append(job_id)
            self._news.notify()

    def remove(self, job_id: str) -> None:
        """Delete a job, stopping work on it."""
        self._store.delete(job_id)
        if job_id in self._running:
            self._running[job_id].cancel()
        elif job_id in self._waiting:
            self._waiting.remove(job_id)

    def hold(self, on: bool) -> None:
        """While on, jobs are taken up and stay in processing; off lets them go on."""
        if on:
            self._gate.clear()
        else:
            self._gate.set()

    def eta_seconds(self, audio: dict[str, Any]) -> int:
        """A rough guess of the seconds until a job with this audio is final."""
        own = (audio.get("durationMs") or 60_000) / 1000 * PACE
        return max(1, round(own * (1 + self.backlog / self._lanes)))

    async def _lane(self) -> None:
        while True:
            async with self._news:
                await self._news.wait_for(lambda: self._waiting)
                job_id = self._waiting.popleft()
            task = asyncio.create_task(self._run(job_id))
            self._running[job_id] = task
            try:
                await asyncio.wait([task])
            finally:
                del self._running[job_id]

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for job_id in self._store.expired():
                self.remove(job_id)

    async def _run(self, job_id: str) -> None:
        folder = self._store.work_dir(job_id)
        try:
            # After a restart the job may already be in processing; it stays there.
            self._store.move(job_id, "processing", started_at=now_text())
            job = self._store.get(job_id)
            if job is None or job.terminal:
                return
            self._store.note_progress(job_id, 1)
            await self._gate.wait()
            folder.mkdir()
            await self._work(job, folder)
        except OrderRefused as error:
            self._fail(job_id, error.code, error.message, retryable=False)
        except WorkerTimeout:
            self._fail(job_id, "timeout", "Recognition took too long.", retryable=True)
        except WorkerCrashed:
            logger.error("job %s: the worker crashed twice", job_id)
            self._fail(job_id, "internal", "The recogniser crashed.", retryable=True)
        except Exception as error:
            logger.exception("job %s failed", job_id)
            self._fail(job_id, "internal", f"Unexpected {type(error).__name__}.", retryable=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _fail(self, job_id: str, code: str, message: str, *, retryable: bool) -> None:
        error = {"code": code, "message": message, "retryable": retryable}
        self._store.move(job_id, "failed", completed_at=now_text(), error=error)

    async def _work(self, job: Job, folder: Path) -> None:
        language, warnings = self._language(job.config)
        if job.config["model"] not in (None, self._profile.model):
            raise OrderRefused("unsupported_model", "There is no such model here; see /v2/info.")
        order = {
            "op": "decode",
            "path": str(self._store.audio_path(job.id)),
            "folder": str(folder),
            "sampleRate": self._profile.sample_rate,
            "maxDurationMs": self._max_duration_ms,
            "mix": job.config["channels"] == "mix",
        }
        decoded = await self._pool.run(order, seconds=DECODE_SECONDS)
        self._store.note_progress(job.id, 5)
        channels = await self._recognise(job.id, decoded, language)
        await self._gate.wait()
        warnings += [*decoded["warnings"], *self._unheeded(job.config)]
        facts = {**job.audio, "durationMs": decoded["duration_ms"]}
        result = self._result(job, decoded["duration_ms"], channels, language, warnings)
        if self._store.get(job.id) is not None:
            self._store.save_result(job.id, result)
            self._store.move(job.id, "completed", completed_at=now_text(), audio=facts, progress=100)

    def _language(self, config: dict[str, Any]) -> tuple[str, list[str]]:
        """The language to recognise. Raises ``OrderRefused`` (``unsupported_language``) when none asked for is known."""
        asked = [config["language"]] if config["language"] else config["languageCandidates"]
        if not asked:
            return self._profile.languages[0], []
        for tag in asked:
            if tag in self._profile.languages:
                return tag, []
        for tag in asked:
            for known in self._profile.languages:
                if known.split("-")[0].lower() == tag.split("-")[0].lower():
                    return known, [f"Recognised as {known}; {tag} has no model of its own."]
        raise OrderRefused("unsupported_language", "None of the languages asked for is supported; see /v2/info.")

    @staticmethod
    def _unheeded(config: dict[str, Any]) -> list[str]:
        asked = {
            "diarize": config["diarize"],
            "speakers": any(config["speakers"].values()),
            "phrases": bool(config["phrases"]),
        }
        return [
            f"config.{name} is not supported by this recogniser and was not heeded." for name, on in asked.items() if on
        ]

    async def _recognise(self, job_id: str, decoded: dict[str, Any], language: str) -> list[list[dict[str, Any]]]:
        """Segments of every channel; each channel is an order of its own, so that one call can use every child."""
        shares = [0.0] * len(decoded["paths"])

        async def one(number: int, path: str) -> list[dict[str, Any]]:
            def note(share: float) -> None:
                shares[number] = share
                self._store.note_progress(job_id, 5 + int(94 * sum(shares) / len(shares)))

            order = {"op": "recognise", "path": path, "language": language, "durationMs": decoded["duration_ms"]}
            seconds = 3 * decoded["duration_ms"] / 1000 + EXTRA_SECONDS
            found: list[dict[str, Any]] = await self._pool.run(order, seconds=seconds, progress=note)
            return found

        tasks = [asyncio.create_task(one(number, path)) for number, path in enumerate(decoded["paths"])]
        try:
            return await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    def _result(
        self, job: Job, duration_ms: int, channels: list[list[dict[str, Any]]], language: str, warnings: list[str]
    ) -> dict[str, Any]:
        found = [{"channel": number, **segment} for number, part in enumerate(channels) for segment in part]
        found.sort(key=lambda segment: (segment["startMs"], segment["channel"]))
        segments = [self._segment(index, segment, job.config, language) for index, segment in enumerate(found)]
        return {
            "id": job.id,
            "schema": "2.0",
            "language": language,
            "languageConfidence": None,
            "durationMs": duration_ms,
            "channels": len(channels),
            "model": self._profile.model,
            "text": " ".join(s["text"] for s in segments),
            "segments": segments,
            "usage": {"audioMs": duration_ms},
            "warnings": warnings,
        }

    def _segment(self, index: int, raw: dict[str, Any], config: dict[str, Any], language: str) -> dict[str, Any]:
        texts = polish(
            [word["text"] for word in raw["words"]], punctuate=config["punctuate"], punctuated=self._profile.punctuates
        )
        words = [{**word, "text": text} for word, text in zip(raw["words"], texts, strict=True)]
        known = [word["confidence"] for word in words if word["confidence"] is not None]
        segment = {
            "index": index,
            "channel": raw["channel"],
            "speaker": f"S{raw['channel'] + 1}",
            "startMs": raw["startMs"],
            "endMs": raw["endMs"],
            "text": " ".join(texts),
            "confidence": round(sum(known) / len(known), 3) if known else None,
            "language": language,
        }
        if config["words"]:
            segment["words"] = words
        return segment
