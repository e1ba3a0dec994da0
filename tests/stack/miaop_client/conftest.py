"""A small server of the API in this process, with faults on demand, and the client as a person runs it."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from stack.paths import ROOT

PASSWORD = "not seen in any list"
SENTENCE = "בוקר טוב, מדברת נועה"


@dataclass
class Standin:
    """What the server was asked, and what it answers instead of its best: (method, path) → status, headers, body."""

    url: str = ""
    statuses: list[str] = field(default_factory=lambda: ["sttPending", "sttProcessing", "sttDone"])
    failed: set[int] = field(default_factory=set)
    instead: dict[tuple[str, str], list[tuple[int, dict, object]]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    forms: list[dict] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)
    meetings: int = 0

    def answer(self, method: str, path: str, query: str, body: bytes) -> tuple[int, dict, object]:
        self.asked.append((method, path))
        waiting = self.instead.get((method, path))
        if waiting:
            return waiting.pop(0)
        if path.endswith("/token"):
            self.forms.append({name: values[0] for name, values in parse_qs(body.decode()).items()})
            if self.forms[-1].get("password", PASSWORD) != PASSWORD:
                return 401, {}, {"error": "invalid_grant", "error_description": "Invalid user credentials"}
            return 200, {}, {"access_token": f"t{len(self.forms)}", "expires_in": 300, "refresh_token": "r"}
        if path == "/hrec":
            self.uploads.append(body)
            self.meetings = body.count(b'name="soundBlob"')
            return 200, {}, {"taskId": "abc123"}
        if path.startswith("/api/tasks/"):
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            return 200, {}, {"taskId": "abc123", "taskStatus": status, "sttRemainingTime": 0, "meetings": []}
        if path == "/api/tasks":
            self.filters.append(parse_qs(query)["filter"][0])
            return 200, {}, [{"taskId": "abc123", "taskName": "Nightly", "taskStatus": "sttDone", "meetings": [{}]}]
        return self.meeting(path)

    def meeting(self, path: str) -> tuple[int, dict, object]:
        found = re.fullmatch(r"/api/(meetings|stt)/(\d+)\.abc123(/0)?", path)
        if found is None:
            return 204, {}, None
        if found[1] == "stt":
            words = [{"word": "בוקר", "location": 0, "duration": 420, "confidence": 0.961}]
            paragraph = {"id": "דובר-1", "location": 61_000, "duration": 1950, "text": SENTENCE, "words": words}
            return 200, {}, {"transcription": [paragraph]}
        info = {"name": "UnsupportedAudio", "message": "cannot be decoded", "errorLevel": "critical"}
        bad = int(found[2]) in self.failed
        metadata = {"status": "error", "errorInfo": info} if bad else {"status": "sttDone"}
        return 200, {}, {"meetingId": f"{found[2]}.abc123", "metadata": metadata}


@pytest.fixture
def standin() -> Iterator[Standin]:
    """The server, on a free port."""
    state = Standin()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, answer = state.answer(self.command, parts.path, parts.query, body)
            raw = answer if isinstance(answer, bytes) else json.dumps(answer, ensure_ascii=False).encode()
            raw = b"" if status == 204 else raw
            self.send_response(status)
            for name, value in {"Content-Type": "application/json; charset=utf-8", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_POST = do_DELETE = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def place(tmp_path: Path, standin: Standin) -> Path:
    """A folder with config.env and two files."""
    lines = {
        "KEYCLOAK_BASE_URL": standin.url,
        "API_BASE_URL": standin.url + "/",
        "TENANT": "my-tenant",
        "SUPERVISOR_EMAIL": "admin@example.com",
        "TASK_NAME": "Offline Upload Task",
        "FILES_DIR": "./files",
        "USERNAME": "user",
        "PASSWORD": PASSWORD,
        "BASE_LANGUAGE": '"Hebrew"',
        "GENERIC_ADDITIONAL_INFO": """'{"generic_key": "generic_value"}'""",
    }
    (tmp_path / "config.env").write_text("# as delivered\n" + "".join(f"{n}={v}\n" for n, v in lines.items()))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "שיחה.wav").write_bytes(b"RIFF first")
    (tmp_path / "files" / "two.WAV").write_bytes(b"RIFF second")
    (tmp_path / "files" / "notes.txt").write_text("no audio")
    return tmp_path


@pytest.fixture
def client(place: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the client in the folder."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-P", "-m", "stack", "miaop-client", *arguments]
        env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        return subprocess.run(
            line, capture_output=True, text=True, env=env, timeout=60, cwd=place, stdin=subprocess.DEVNULL
        )

    return run
