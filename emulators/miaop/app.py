"""The HTTP face: submission, reading and archive. All state is in memory."""

import hashlib
import json
import re
import secrets
import time
from dataclasses import dataclass
from typing import Annotated, Any

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, Field

from emulators.miaop.hearing import Heard, hear
from emulators.miaop.identity import Identity
from emulators.middleware import noted
from emulators.serving import Stage
from emulators.working import Work, begin

MAX_BODY_BYTES = 64 * 1024 * 1024
TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\Z")
SPEAKERS = {"English": "Speaker", "Hebrew": "דובר", "German": "Sprecher"}
NAMES = {
    400: "BadRequestError",
    401: "UnauthorizedError",
    403: "ForbiddenError",
    404: "NotFoundError",
    409: "ConflictError",
}


class Settings(BaseModel):
    """``stt_s``: how long a task is processed; ``access_s``: lifetime of access tokens; both in seconds."""

    model_config = ConfigDict(extra="forbid")
    stt_s: Annotated[float, Field(ge=0, le=3600)] = 0.2
    access_s: Annotated[float, Field(ge=0, le=86_400)] = 300.0


class Refused(Exception):
    """Becomes the error body of section 8."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code

    def response(self) -> web.Response:
        """As the client gets it."""
        name = NAMES.get(self.status, "InternalServerError")
        error = {"statusCode": self.status, "name": name, "code": self.code, "message": str(self)}
        return web.json_response({"error": error, "requestId": secrets.token_hex(8)}, status=self.status)


@dataclass
class Task:
    """A task, and the work of hearing its files. ``begins_at`` and ``ends_at`` are by the monotonic clock."""

    members: dict[str, Any]
    digest: str
    files: list[dict[str, str]]
    work: Work[list[Heard]]
    begins_at: float
    ends_at: float
    archive: bool = False

    @property
    def heard(self) -> list[Heard]:
        """What was heard in each file, once the work is over."""
        return self.work.outcome()

    @property
    def status(self) -> str:
        """Section 5.2."""
        now = time.monotonic()
        if now < self.begins_at:
            return "sttPending"
        if now < self.ends_at or not self.work.over:
            return "sttProcessing"
        return "error" if all(heard.error for heard in self.heard) else "sttDone"

    def meeting_status(self, number: int) -> str:
        """That of the task until that is final."""
        return self.status if self.status not in ("sttDone", "error") else self.final(number)

    def final(self, number: int) -> str:
        """How a meeting ends."""
        return "error" if self.heard[number - 1].error else "sttDone"

    @property
    def remaining(self) -> int:
        """Whole seconds, at least one while it is processed."""
        left = self.ends_at - max(time.monotonic(), self.begins_at)
        return 0 if self.status in ("sttDone", "error") else max(1, round(left))


class Server:
    """One realm and its tasks, in memory."""

    def __init__(self, stage: Stage, identity: Identity, settings: Settings) -> None:
        self.stage, self.identity, self.settings = stage, identity, settings
        self.tasks: dict[str, Task] = {}

    def application(self) -> web.Application:
        """The application with all routes; ``/api/task`` is ``/api/tasks`` (A1)."""
        app = web.Application(middlewares=[noted(self.stage), self._judged], client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/realms/{realm}/protocol/openid-connect/token", self.identity.answer)
        app.router.add_post("/hrec", self._submit)
        for name in ("task", "tasks"):
            app.router.add_get(f"/api/{name}/{{task}}", self._task)
        app.router.add_post("/api/tasks/{task}/archive", self._archive)
        app.router.add_get("/api/meetings/{meeting}", self._meeting)
        app.router.add_get("/api/stt/{meeting}/0", self._transcript)
        return app

    @web.middleware
    async def _judged(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The bearer token, and errors."""
        self.identity.access_s = self.settings.access_s
        try:
            if not request.path.startswith("/realms/"):
                scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
                if scheme.lower() != "bearer" or not self.identity.granted(token.strip()):
                    raise Refused(401, "INVALID_TOKEN", "The access token is missing, expired or not valid.")
            return await handler(request)
        except Refused as refused:
            return refused.response()
        except web.HTTPException as error:
            return Refused(error.status, "NOT_FOUND", error.reason).response()

    async def _submit(self, request: web.Request) -> web.Response:
        members, blobs = await _parts(request)
        files = _checked(members, self.identity.realm)
        missing = [file["file"] for file in files if file["file"] not in blobs]
        if missing or len(blobs) != len(files):
            raise Refused(400, "FILE_MISMATCH", f"No audio for: {', '.join(missing) or 'a file'}")
        task_id = members.get("taskId") or secrets.token_hex(8)
        hashes = [hashlib.sha256(blobs[file["file"]]).hexdigest() for file in files]
        text = json.dumps([members, hashes], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        known = self.tasks.get(task_id)
        if known is not None and known.digest != digest:
            raise Refused(409, "TASK_EXISTS", "There is another task with this id.")
        if known is None:
            pairs = [(blobs[file["file"]], SPEAKERS[file["baseLanguage"]]) for file in files]
            work = await begin(request, self.stage.chaos, lambda: [hear(*pair) for pair in pairs])
            begins = time.monotonic()
            # Another request with the same id may have come in meanwhile.
            self.tasks.setdefault(task_id, Task(members, digest, files, work, begins, begins + self.settings.stt_s))
        return web.json_response({"taskId": task_id})

    async def _task(self, request: web.Request) -> web.Response:
        task_id = request.match_info["task"]
        task = self._known(task_id)
        meetings = [{"meetingId": f"{number}.{task_id}"} for number in range(1, len(task.files) + 1)]
        own = {
            "taskId": task_id,
            "taskStatus": task.status,
            "sttRemainingTime": task.remaining,
            "archive": task.archive,
            "meetings": meetings,
        }
        return web.json_response(task.members | own)

    async def _archive(self, request: web.Request) -> web.Response:
        self._known(request.match_info["task"]).archive = True
        return await self._task(request)

    async def _meeting(self, request: web.Request) -> web.Response:
        task, number = self._meeting_of(request)
        status, heard = task.meeting_status(number), task.heard[number - 1]
        metadata: dict[str, Any] = {"status": status, "files": [task.files[number - 1]]}
        if status == "error":
            message = "The audio cannot be decoded."
            metadata["errorInfo"] = {"name": heard.error, "message": message, "errorLevel": "critical"}
        return web.json_response({"meetingId": request.match_info["meeting"], "metadata": metadata})

    async def _transcript(self, request: web.Request) -> web.Response:
        task, number = self._meeting_of(request)
        status = task.meeting_status(number)
        if status != "sttDone":
            code = "TRANSCRIPTION_FAILED" if status == "error" else "TRANSCRIPTION_NOT_READY"
            raise Refused(404, code, "There is no transcription.")
        return web.json_response({"transcription": list(task.heard[number - 1].paragraphs)})

    def _known(self, task_id: str) -> Task:
        if task_id not in self.tasks:
            raise Refused(404, "NOT_FOUND", "There is nothing with this id.")
        return self.tasks[task_id]

    def _meeting_of(self, request: web.Request) -> tuple[Task, int]:
        digits, _dot, task_id = request.match_info["meeting"].partition(".")
        task = self._known(task_id)
        if not digits.isdigit() or not 1 <= int(digits) <= len(task.files):
            raise Refused(404, "NOT_FOUND", "There is nothing with this id.")
        return task, int(digits)


async def _parts(request: web.Request) -> tuple[dict[str, Any], dict[str, bytes]]:
    if request.content_type != "multipart/form-data":
        raise Refused(415, "INVALID_MULTIPART", "The body must be multipart/form-data.")
    form = await request.post()
    given = form.get("task")
    content = given.file.read() if isinstance(given, web.FileField) else given
    try:
        members = json.loads(content)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        raise Refused(400, "INVALID_TASK", "Task metadata is invalid.") from None
    blobs = [blob for blob in form.getall("soundBlob", []) if isinstance(blob, web.FileField)]
    return members, {blob.filename: blob.file.read() for blob in blobs}


def _checked(members: dict[str, Any], realm: str) -> list[dict[str, str]]:
    """The files of a task that keeps the rules of 4.2."""
    named = members.get("baseLanguages") or []
    if members.get("tenant", realm) != realm:
        raise Refused(403, "TENANT_MISMATCH", "The tenant is not yours.")
    if unknown := [name for name in named if name not in SPEAKERS]:
        valid = ", ".join(SPEAKERS)
        raise Refused(400, "UNSUPPORTED_LANGUAGE", f"{', '.join(unknown)}: must be one of {valid}")
    files = [file for meeting in members.get("meetings", []) for file in meeting["files"]]
    right = (
        members.get("taskType") == "offline"
        and members.get("taskStatus", "sttPending") == "sttPending"
        and (not members.get("taskId") or TASK_ID.match(members["taskId"]))
        and named
        and files
        and all(file.get("baseLanguage") in named for file in files)
    )
    if not right:
        raise Refused(400, "INVALID_TASK", "Task metadata is invalid.")
    return files
