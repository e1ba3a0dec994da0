"""Jobs, audio and results on disk: one small JSON file a job, every write atomic, nothing lost by a kill.

Layout below the data directory: ``jobs/<id>.json`` (truth), ``audio/<id>`` (until the job is final), ``results/<id>.json``,
``incoming/`` and ``work/`` (scratch, emptied at every start).
"""

import fcntl
import logging
import os
import secrets
import shutil
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from speechserver.journal import iso

logger = logging.getLogger("speechserver")

TERMINAL = frozenset({"completed", "failed", "canceled"})
STATUSES = ("queued", "processing", "completed", "failed", "canceled")
_RANK = {"queued": 0, "processing": 1, "completed": 2, "failed": 2, "canceled": 2}
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class Job:
    """One transcription as stored; moments are UTC texts, ``expires`` is seconds since the epoch.

    ``accepted`` is the body of the 202 reply, kept because a repeated idempotency key gets the very same one.
    """

    id: str
    status: str
    created_at: str
    expires_at: str
    expires: float
    audio: dict[str, Any]
    config: dict[str, Any]
    started_at: str | None = None
    completed_at: str | None = None
    error: dict[str, Any] | None = None
    key: str | None = None
    fingerprint: str = ""
    accepted: dict[str, Any] = field(default_factory=dict, repr=False)
    progress: int = field(default=0, compare=False)

    @property
    def terminal(self) -> bool:
        """Whether the status is final."""
        return self.status in TERMINAL

    def public(self, eta_seconds: int | None = None) -> dict[str, Any]:
        """The job as the contract shows it."""
        path = f"/v2/transcriptions/{self.id}"
        return {
            "id": self.id,
            "status": self.status,
            "progress": 100 if self.status == "completed" else self.progress,
            "etaSeconds": None if self.terminal else eta_seconds,
            "createdAt": self.created_at,
            "startedAt": self.started_at,
            "completedAt": self.completed_at,
            "expiresAt": self.expires_at,
            "audio": self.audio,
            "config": self.config,
            "error": self.error,
            "links": {"self": path, "result": f"{path}/result"},
        }


class Store:
    """All jobs of one data directory. Used from the event loop only; files are small and local.

    Raises ``BlockingIOError`` when another server uses the directory, other ``OSError`` when it cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self._lock = (root / "lock").open("w")
        # Two servers on one directory would run every open job twice; the lock ends with the process.
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for name in ("jobs", "audio", "results"):
            (root / name).mkdir(parents=True, exist_ok=True)
        for name in ("incoming", "work"):
            shutil.rmtree(root / name, ignore_errors=True)
            (root / name).mkdir()
        self._jobs: dict[str, Job] = {}
        self._keys: dict[str, str] = {}
        self._last_ms = 0
        self._load()

    def _load(self) -> None:
        for path in sorted((self.root / "jobs").iterdir()):
            if path.suffix != ".json":
                continue
            try:
                job = Job(**orjson.loads(path.read_bytes()))
            except (ValueError, TypeError):
                # Writes are atomic, so this is a damaged disk or a foreign file; one bad file must not stop the rest.
                logger.error("job file %s cannot be read and was set aside", path.name)
                path.rename(path.with_suffix(".unreadable"))
                continue
            self._jobs[job.id] = job
            if job.key is not None:
                self._keys[job.key] = job.id
        # A kill between the job file and its companions leaves strays; only the job file counts.
        for name in ("audio", "results"):
            for path in (self.root / name).iterdir():
                job_or_none = self._jobs.get(path.stem)
                if path.suffix == ".tmp" or job_or_none is None or (name == "audio" and job_or_none.terminal):
                    path.unlink()

    def new_id(self) -> str:
        """A fresh id: 48 bits of time in milliseconds, then 80 random bits; sorts by time and is never reused."""
        self._last_ms = max(int(time.time() * 1000), self._last_ms + 1)
        number = (self._last_ms << 80) | secrets.randbits(80)
        return "tr_" + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))

    def incoming_path(self) -> Path:
        """A scratch file name for an upload; the caller removes it unless a job takes it over."""
        return self.root / "incoming" / secrets.token_hex(16)

    def audio_path(self, job_id: str) -> Path:
        """Where the audio of a job is kept until the job is final."""
        return self.root / "audio" / job_id

    def work_dir(self, job_id: str) -> Path:
        """Scratch folder of one run of a job; the caller removes it."""
        return self.root / "work" / f"{job_id}-{secrets.token_hex(4)}"

    def create(
        self,
        *,
        upload: Path,
        audio: dict[str, Any],
        config: dict[str, Any],
        key: str | None,
        fingerprint: str,
        eta_seconds: int,
    ) -> Job:
        """Take over an upload as a new queued job; it survives a kill from the moment this returns."""
        moment = datetime.now(UTC)
        expires = moment + timedelta(hours=config["ttlHours"])
        job = Job(
            id=self.new_id(),
            status="queued",
            created_at=iso(moment),
            expires_at=iso(expires),
            expires=expires.timestamp(),
            audio=audio,
            config=config,
            key=key,
            fingerprint=fingerprint,
        )
        job = replace(job, accepted=job.public(eta_seconds))
        os.replace(upload, self.audio_path(job.id))
        self._save(job)
        if key is not None:
            self._keys[key] = job.id
        return job

    def get(self, job_id: str) -> Job | None:
        """The job, or None when it is unknown, deleted or expired."""
        job = self._jobs.get(job_id)
        return None if job is None or job.expires <= time.time() else job

    def by_key(self, key: str) -> Job | None:
        """The living job made with this idempotency key."""
        job_id = self._keys.get(key)
        return None if job_id is None else self.get(job_id)

    def move(self, job_id: str, status: str, **changes: Any) -> Job | None:
        """Move a job forward and store it. Returns None, changing nothing, when it is gone or would not move forward."""
        job = self.get(job_id)
        if job is None or _RANK[status] <= _RANK[job.status]:
            return None
        moved = replace(job, status=status, **changes)
        self._save(moved)
        if moved.terminal:
            self.audio_path(job_id).unlink(missing_ok=True)
        return moved

    def note_progress(self, job_id: str, progress: int) -> None:
        """Remember progress in percent, in memory only and never backwards."""
        job = self._jobs.get(job_id)
        if job is not None and not job.terminal and progress > job.progress:
            self._jobs[job_id] = replace(job, progress=min(progress, 99))

    def save_result(self, job_id: str, result: dict[str, Any]) -> None:
        """Store a result; done before the job becomes completed, so that a completed job always has one."""
        _write(self.root / "results" / f"{job_id}.json", orjson.dumps(result))

    def result(self, job_id: str) -> dict[str, Any]:
        """The stored result of a completed job."""
        found: dict[str, Any] = orjson.loads((self.root / "results" / f"{job_id}.json").read_bytes())
        return found

    def delete(self, job_id: str) -> None:
        """Forget a job with its audio and result; unknown ids are no error. The job file goes first: it is the truth."""
        job = self._jobs.pop(job_id, None)
        if job is None:
            return
        if job.key is not None and self._keys.get(job.key) == job_id:
            del self._keys[job.key]
        (self.root / "jobs" / f"{job_id}.json").unlink(missing_ok=True)
        self.audio_path(job_id).unlink(missing_ok=True)
        (self.root / "results" / f"{job_id}.json").unlink(missing_ok=True)

    def expired(self) -> list[str]:
        """Ids whose time to live has run out."""
        now = time.time()
        return [job.id for job in self._jobs.values() if job.expires <= now]

    def open_ids(self) -> list[str]:
        """Ids of jobs that are not final, oldest first."""
        return sorted(job.id for job in self._jobs.values() if not job.terminal)

    def page(self, *, status: str | None, limit: int, after: str | None) -> tuple[list[Job], str | None]:
        """Up to ``limit`` living jobs older than ``after``, newest first, and the cursor of the next page."""
        now = time.time()
        ids = sorted(self._jobs, reverse=True)
        found: list[Job] = []
        for job_id in ids:
            job = self._jobs[job_id]
            if (after is not None and job_id >= after) or job.expires <= now or (status and job.status != status):
                continue
            if len(found) == limit:
                return found, found[-1].id
            found.append(job)
        return found, None

    def _save(self, job: Job) -> None:
        _write(self.root / "jobs" / f"{job.id}.json", orjson.dumps(asdict(job)))
        self._jobs[job.id] = job


def _write(path: Path, data: bytes) -> None:
    """Replace a file atomically and durably."""
    scratch = path.with_suffix(".tmp")
    with scratch.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(scratch, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
