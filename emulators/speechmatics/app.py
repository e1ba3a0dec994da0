"""The jobs of Speechmatics: made by an upload, asked for, and deleted."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emulators.middleware import noted
from emulators.serving import Stage
from emulators.speechmatics.requests import JobConfig, Listing, told
from emulators.speechmatics.transcripts import transcript
from emulators.working import Listening, listen

GIGABYTE = 1024**3


class Settings(BaseModel):
    """What an operator or a test may change: the vendor's limits, and how long jobs run."""

    model_config = ConfigDict(extra="forbid")
    # Cloud: needs the key and knows ``wait``; container: neither.
    container: bool = False
    # False: a container that answers for single jobs only (an assumption, for the worst of them).
    lists: bool = True
    max_bytes: Annotated[int, Field(ge=1)] = GIGABYTE
    # What detection finds in every recording.
    spoken: str = "en"
    # So many questions about a job are answered with "running".
    running_polls: Annotated[int, Field(ge=0)] = 0
    # Transcripts are as long as if the recording were played so many times in a row.
    repeats: Annotated[int, Field(ge=1, le=100_000)] = 1


@dataclass
class Job:
    """One upload. That one which is no audio is rejected is documented, the words are not."""

    id: str
    created_at: str
    name: str
    config: dict[str, Any]
    # What is written in it.
    language: str
    work: Listening
    running: int
    deleted: bool = False

    @property
    def status(self) -> str:
        """In the vendor's words."""
        if self.deleted:
            return "deleted"
        if self.running > 0 or not self.work.over:
            return "running"
        return "rejected" if self.work.heard is None else "done"

    def facts(self) -> dict[str, Any]:
        """As the API tells it."""
        facts: dict[str, Any] = {"id": self.id, "created_at": self.created_at, "data_name": self.name}
        duration = 0 if self.work.heard is None else self.work.heard.duration_ms / 1000
        facts |= {"config": self.config, "status": self.status, "duration": duration}
        if self.status == "rejected":
            problem = "data_file: the format of the audio is not supported"
            facts["errors"] = [{"timestamp": self.created_at, "message": problem}]
        return facts


@dataclass
class Server:
    """Jobs by their ids; ids are never used twice."""

    stage: Stage
    key: str
    settings: Settings = field(default_factory=Settings)
    jobs: dict[str, Job] = field(default_factory=dict)


class Refused(Exception):
    """The vendor's way to say no."""

    def __init__(self, status: int, error: str, detail: str = "") -> None:
        super().__init__(error)
        self.response = web.json_response(
            {"code": status, "error": error, **({"detail": detail} if detail else {})}, status=status
        )


def api(server: Server) -> web.Application:
    """The application of the vendor's API."""

    @web.middleware
    async def judged(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            if not server.settings.container and request.headers.get("Authorization") != f"Bearer {server.key}":
                raise Refused(401, "Permission Denied")
            # The vendor says that servers on premises do not support it; that they refuse it is an assumption.
            if server.settings.container and "wait" in request.query:
                raise Refused(400, "Malformed request", "wait is not supported")
            answer: web.StreamResponse = await handler(request, server)
            return answer
        except Refused as refused:
            return refused.response

    app = web.Application(middlewares=[noted(server.stage), judged], client_max_size=2 * GIGABYTE)
    routes = [("POST", "", _create), ("GET", "", _list), ("GET", "/{id}", _tell), ("DELETE", "/{id}", _delete)]
    for method, path, handler in [*routes, ("GET", "/{id}/transcript", _transcript)]:
        app.router.add_route(method, f"/v2/jobs{path}", handler)  # type: ignore[arg-type]
    return app


async def _create(request: web.Request, server: Server) -> web.Response:
    parts = await _parts(request)
    if "config" not in parts:
        raise Refused(400, "Malformed request", "config is missing")
    try:
        config = JobConfig.model_validate_json(parts["config"][1])
    except ValidationError as error:
        raise Refused(400, "Malformed request", told(error)) from error
    if "data_file" not in parts:
        raise Refused(400, "Missing data_file")
    name, content = parts["data_file"]
    if len(content) >= server.settings.max_bytes:
        raise Refused(413, "Payload too large")
    asked = config.model_dump(exclude_none=True)
    request["entry"] |= {"config": asked, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    # Channels are told apart on request alone.
    mix = asked["transcription_config"].get("diarization") != "channel"
    work = await listen(request, server.stage.chaos, content, mix=mix)
    created = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    language = config.heard(server.settings.spoken)
    job = Job(secrets.token_hex(5), created, name, asked, language, work, server.settings.running_polls)
    server.jobs[job.id] = job
    return web.json_response({"id": job.id}, status=201)


async def _parts(request: web.Request) -> dict[str, tuple[str, bytes]]:
    """File name and content of each field."""
    if request.content_type != "multipart/form-data":
        raise Refused(400, "Malformed request", "multipart/form-data is expected")
    found: dict[str, tuple[str, bytes]] = {}
    async for part in await request.multipart():
        found[getattr(part, "name", "") or ""] = (getattr(part, "filename", "") or "", await part.read())  # type: ignore[union-attr]
    return found


async def _list(request: web.Request, server: Server) -> web.Response:
    if not server.settings.lists:
        raise Refused(404, "Not found")
    try:
        query = Listing.model_validate(dict(request.query))
    except ValidationError as error:
        raise Refused(400, "Malformed request", told(error)) from error
    jobs = [job for job in server.jobs.values() if query.include_deleted or not job.deleted]
    jobs = [job for job in jobs if job.created_at < query.created_before]
    newest = sorted(jobs, key=lambda job: job.created_at, reverse=True)
    return web.json_response({"jobs": [job.facts() for job in newest[: query.limit]]})


def _job(request: web.Request, server: Server) -> Job:
    job = server.jobs.get(request.match_info["id"])
    if job is None or job.deleted:
        raise Refused(404, "Job not found")
    return job


async def _tell(request: web.Request, server: Server) -> web.Response:
    job = _job(request, server)
    facts = job.facts()
    job.running = max(job.running - 1, 0)
    return web.json_response({"job": facts})


async def _transcript(request: web.Request, server: Server) -> web.Response:
    job = _job(request, server)
    if request.query.get("format", "json-v2") != "json-v2":
        raise Refused(400, "Malformed request", "this stand-in writes json-v2 alone")
    heard = job.work.heard
    if heard is None or job.status != "done":
        # An assumption: the reference knows 404 here, and not why.
        raise Refused(404, "Transcription not ready")
    asked, repeats = job.config["transcription_config"], server.settings.repeats
    return web.json_response(transcript(job.facts(), heard, asked, job.language, repeats))


async def _delete(request: web.Request, server: Server) -> web.Response:
    job = _job(request, server)
    if job.status == "running" and request.query.get("force") != "true":
        raise Refused(423, "Job In Use", "the job is running")
    job.deleted = True
    return web.json_response({"job": job.facts()})
