"""What the checks ask with, and how they say what is not as it should be."""

from __future__ import annotations

import io
import json
import math
import struct
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx2

from stack.miaop_client.errors import REFUSED, ClientError
from stack.miaop_client.server import CLIENT, Server, said

NAMES = {
    400: "BadRequestError",
    401: "UnauthorizedError",
    403: "ForbiddenError",
    404: "NotFoundError",
    405: "MethodNotAllowedError",
    409: "ConflictError",
    413: "PayloadTooLargeError",
    415: "UnsupportedMediaTypeError",
}
JSON = "application/json; charset=utf-8"
RATE = 8000
Blob = tuple[str, bytes]


class Skipped(Exception):
    """The check cannot be made here, and why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question to a server: the tests and rules of the contract it is about, in words, and how it is asked."""

    ids: str
    title: str
    ask: Callable[[Probe], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check found; no deviations and not skipped is as it should be."""

    ids: str
    title: str
    deviations: tuple[str, ...]
    skipped: str = ""

    def line(self) -> str:
        """For a terminal."""
        head = "DEVIATES" if self.deviations else "skipped " if self.skipped else "ok      "
        rest = "".join(f"\n           - {words}" for words in self.deviations) or (
            self.skipped and f" ({self.skipped})"
        )
        return f"{head} {self.ids:<14} {self.title}{rest}"

    def record(self) -> dict[str, Any]:
        """For a program."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things may take, in seconds, and the clock that says so."""

    pause: Callable[[float], None]
    clock: Callable[[], float]
    interval: float
    timeout: float


@dataclass
class Probe:
    """A signed-in client that looks closely. ``task_id``: that of the task which is transcribed for the checks."""

    server: Server
    pace: Pace
    deviations: list[str] = field(default_factory=list)
    task_id: str = ""
    task: dict[str, Any] = field(default_factory=dict)

    def expect(self, true: object, words: str) -> bool:
        """Note a deviation unless it is true; returns whether it is."""
        if not true:
            self.deviations.append(words)
        return bool(true)

    def status(self, answer: httpx2.Response, wanted: int, what: str) -> bool:
        """Note an answer with another status."""
        return self.expect(answer.status_code == wanted, f"{what}: {said(answer)}, expected status {wanted}")

    def members(self, found: Any, wanted: Mapping[str, type | tuple[type, ...]], what: str) -> bool:
        """Note what is missing of an object, or of another type (a truth is no number)."""
        if not self.expect(isinstance(found, dict), f"{what}: this is no object"):
            return False
        good = True
        for name, kind in wanted.items():
            value = found.get(name)
            fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
            good &= self.expect(fits, f"{what}: member {name} is missing or of another type")
        return good

    def body(self, answer: httpx2.Response, what: str) -> Any:
        """The JSON of an answer, with the headers that all of them carry (R1.3)."""
        kind = answer.headers.get("Content-Type", "")
        self.expect(kind == JSON, f"{what}: Content-Type is {kind!r}, expected {JSON!r}")
        cache = answer.headers.get("Cache-Control", "")
        self.expect("no-store" in cache, f"{what}: Cache-Control is {cache!r}, expected no-store")
        self.expect(answer.headers.get("X-Request-Id"), f"{what}: there is no X-Request-Id")
        try:
            return json.loads(answer.content.decode("utf-8"))
        except (ValueError, RecursionError):
            self.deviations.append(f"{what}: the body is no JSON in UTF-8")
            return None

    def refused(self, answer: httpx2.Response, wanted: int, what: str, code: str = "") -> None:
        """Note a request to the API that was not refused like this, body and all (section 8)."""
        if not self.status(answer, wanted, what):
            return
        body = self.body(answer, what)
        error: Any = body.get("error") if isinstance(body, dict) else None
        if not self.members(error, {"statusCode": int, "name": str, "code": str, "message": str}, f"{what}: error"):
            return
        self.expect(isinstance(body.get("requestId"), str), f"{what}: requestId is missing")
        self.expect(error["statusCode"] == wanted, f"{what}: statusCode is {error['statusCode']}, not {wanted}")
        self.expect(error["name"] == NAMES[wanted], f"{what}: name is {error['name']}, expected {NAMES[wanted]}")
        self.expect(not code or error["code"] == code, f"{what}: code is {error['code']}, expected {code}")

    def connect(self, path: str = "token", **form: str | list[str]) -> httpx2.Response:
        """A form sent to the identity facade."""
        return self.server.send("POST", self.server.connect(path), data=form)

    def password_form(self, **changes: str) -> dict[str, str]:
        """What a good sign-in sends."""
        settings = self.server.settings
        good = {"client_id": CLIENT, "grant_type": "password"}
        return {**good, "username": settings.username, "password": settings.password, **changes}

    def tokens(self, **changes: str) -> dict[str, Any]:
        """A pair of tokens of its own session. Raises ClientError."""
        answer = self.connect(**self.password_form(**changes))
        if answer.status_code != 200:
            raise ClientError(f"the sign-in was refused: {said(answer)}", exit_code=REFUSED)
        found: dict[str, Any] = answer.json()
        return found

    def bare(self, method: str, path: str, authorization: str | None = None, **options: Any) -> httpx2.Response:
        """A request to the API with this header, or with none."""
        headers = {} if authorization is None else {"Authorization": authorization}
        return self.server.send(method, self.server.settings.api_url + path, headers=headers, **options)

    def get(self, path: str, **params: str) -> httpx2.Response:
        """A request with a good token."""
        return self.server.call("GET", path, params=params or None)

    def post(self, task: Any, blobs: Sequence[Blob], *, form: str = "field") -> httpx2.Response:
        """A submission: ``task`` as a field, a field of type JSON or a file; text and bytes are sent as they are."""
        text = task if isinstance(task, str) else json.dumps(task, ensure_ascii=False)
        raw = text.encode("utf-8")
        first: Any = {"field": (None, raw, ""), "typed": (None, raw, "application/json")}.get(form)
        parts: list[Any] = [("task", first or ("task.json", raw, "application/json"))]
        parts += [("soundBlob", (name, audio, "audio/wav")) for name, audio in blobs]
        return self.server.call("POST", "/hrec", files=parts)

    def task_for(self, *names: str, **changes: Any) -> dict[str, Any]:
        """A good task of these files; None takes a member away."""
        settings = self.server.settings
        language = settings.language or "English"
        files = [{"files": [{"file": name, "baseLanguage": language}], "aiGenerationMode": "none"} for name in names]
        task = {
            "tenant": settings.tenant,
            "taskName": "Conformance check",
            "taskType": "offline",
            "taskCreationTime": "15.07.2025 10:30",
            "taskUpdateTime": "15.07.2025 10:30",
            "taskStatus": "sttPending",
            "baseLanguages": [language],
            "meetings": files,
            "docSections": [],
            "supervisor": {"name": "", "email": settings.supervisor},
            **changes,
        }
        return {name: value for name, value in task.items() if value is not None}

    def accepted(self, answer: httpx2.Response, what: str) -> str:
        """The id of a submission that must be taken; empty where it was not."""
        if not self.status(answer, 200, what):
            return ""
        body = self.body(answer, what)
        return str(body["taskId"]) if self.members(body, {"taskId": str}, what) else ""

    def read_task(self, task_id: str) -> dict[str, Any]:
        """A task of the API. Raises ClientError."""
        found = self.server.json("GET", f"/api/tasks/{task_id}")
        if not isinstance(found, dict):
            raise ClientError("a task is no object", exit_code=REFUSED)
        return found


def sound(seconds: float, pitch: float = 440.0) -> bytes:
    """A WAV file with a tone that swells and fades."""
    frames = (
        int(9000 * math.sin(2 * math.pi * pitch * n / RATE) * math.sin(math.pi * n / RATE) ** 2)
        for n in range(int(RATE * seconds))
    )
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(struct.pack("<h", frame) for frame in frames))
    return target.getvalue()
