"""A real server process on a free port, and a small client that speaks multipart."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from speechserver.tones import spoken, tone_wav
from tests.polling import until

TOKEN = "test-token-not-secret"
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Reply:
    """One HTTP reply."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Server:
    """One server process over one data directory; it can be killed and started again."""

    data: Path
    arguments: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    url: str = ""
    control_url: str = ""

    def start(self) -> None:
        """Start the process and wait for its ready line."""
        token_file = self.data.parent / "tokens"
        token_file.write_text(TOKEN + "\n")
        command = [sys.executable, "-m", "speechserver", "--port", "0", "--control-port", "0", "--data", str(self.data)]
        command += ["--token-file", str(token_file), "--recogniser", "tones", *self.arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline())
        self.url, self.control_url = ready["url"], ready["control_url"]

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Send a signal and wait; returns the seconds it took."""
        assert self.process is not None
        assert self.process.stdout is not None
        begin = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(10)
        self.process.stdout.close()
        return time.monotonic() - begin

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        token: str | None = TOKEN,
    ) -> Reply:
        """One request to the API (or to an absolute URL)."""
        url = path if path.startswith("http") else self.url + path
        request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return Reply(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, error.headers, error.read())

    def upload(
        self,
        audio: bytes | None,
        config: dict[str, Any] | bytes | None = None,
        *,
        key: str | None = None,
        extra: dict[str, bytes] | None = None,
    ) -> Reply:
        """``POST /v2/transcriptions``; raw bytes as config are sent as they are."""
        parts: list[tuple[str, bytes]] = []
        if config is not None:
            parts.append(("config", config if isinstance(config, bytes) else json.dumps(config).encode()))
        parts += list((extra or {}).items())
        boundary = secrets.token_hex(16)
        body = b"".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + data + b"\r\n"
            for name, data in parts
        )
        if audio is not None:
            head = (
                'Content-Disposition: form-data; name="audio"; filename="call.wav"\r\nContent-Type: audio/wav\r\n\r\n'
            )
            body += f"--{boundary}\r\n{head}".encode() + audio + b"\r\n"
        body += f"--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.call("POST", "/v2/transcriptions", body, headers)

    def submit(self, audio: bytes, config: dict[str, Any] | None = None, *, key: str | None = None) -> str:
        """Upload and return the id of the accepted job."""
        reply = self.upload(audio, config or {}, key=key)
        assert reply.status == 202, reply.body
        job_id: str = reply.json["id"]
        return job_id

    def job(self, job_id: str) -> Any:
        """The job as the server shows it."""
        return self.call("GET", f"/v2/transcriptions/{job_id}").json

    def finished(self, job_id: str) -> Any:
        """Poll until the job is final and return it."""
        return until(lambda: (job := self.job(job_id))["status"] in ("completed", "failed") and job, seconds=15)

    def result(self, job_id: str) -> Any:
        """Poll until the job is completed and return its result."""
        assert self.finished(job_id)["status"] == "completed"
        return self.call("GET", f"/v2/transcriptions/{job_id}/result").json

    def control(self, method: str, path: str, data: Any = None) -> Any:
        """One request to the control plane."""
        body = None if data is None else json.dumps(data).encode()
        reply = self.call(method, self.control_url + path, body, {"Content-Type": "application/json"}, token=None)
        return reply.json if reply.body else None

    def hold(self, on: bool) -> None:
        """Keep jobs in processing, or let them go on."""
        self.control("POST", "/_emu/hold", {"hold": on})

    def journal(self, **wanted: Any) -> list[dict[str, Any]]:
        """Journal entries with these values."""
        entries = self.control("GET", "/_emu/journal")["entries"]
        return [entry for entry in entries if all(entry[name] == value for name, value in wanted.items())]


def texts(segments: list[dict[str, Any]], channel: int) -> str:
    """The words of one channel."""
    return " ".join(s["text"] for s in segments if s["channel"] == channel)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A tones server shared by the tests of one module."""
    running = Server(tmp_path_factory.mktemp("speech") / "data")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers of one test with their own options; all share one data directory."""
    made: list[Server] = []

    def make(*arguments: str) -> Server:
        running = Server(tmp_path / "data", list(arguments))
        made.append(running)
        running.start()
        return running

    yield make
    for running in made:
        if running.process is not None and running.process.poll() is None:
            running.stop(signal.SIGKILL)
        if running.process is not None and running.process.stdout is not None:
            running.process.stdout.close()


@pytest.fixture(scope="session")
def call_wav() -> bytes:
    """A call of two channels that speak in turn."""
    agent = spoken("hello thank you for calling how may i help", 300) + spoken("please hold the line", 9000)
    customer = spoken("my bill is too high", 5000)
    return tone_wav([agent, customer])


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    """Direct children of a process."""
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):
        found += [int(child) for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    return found
