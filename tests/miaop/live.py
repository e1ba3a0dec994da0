"""A web process of gunicorn on the database of a test, and plain sockets to speak to it as no library would."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from conversations.models import Call, Recording
from miaop.models import Meeting, Task
from stack.paths import ROOT
from tenants.doors import enter
from tenants.models import Tenant
from tests.conftest import PASSWORD
from tests.machine import free_port, reachable
from tests.polling import until

KEPT = (Task, Meeting, Call, Recording)
FORM = "application/x-www-form-urlencoded"


@dataclass
class Site:
    """A database and folders for what web processes on it store, and the processes: one for each set of limits."""

    database_url: str
    folder: Path
    running: dict[tuple[tuple[str, str], ...], "Web"] = field(default_factory=dict)
    before: list[int] = field(default_factory=lambda: [0] * len(KEPT))

    def begin(self) -> None:
        """Count from here on."""
        self.before = self._counted()

    def kept(self) -> list[int]:
        """Numbers of tasks, meetings, calls and recordings of acme that have come."""
        return [now - before for now, before in zip(self._counted(), self.before, strict=True)]

    def _counted(self) -> list[int]:
        with enter(Tenant.objects.get(slug="acme")):
            return [model.objects.count() for model in KEPT]

    @property
    def incoming(self) -> Path:
        """Where uploads are while they are received."""
        return self.folder / "incoming"

    def web(self, **limits: str) -> "Web":
        """A running web process with these limits: the one that is there, if it lives."""
        named = tuple(sorted(limits.items()))
        web = self.running.get(named)
        if web is None or web.process.poll() is not None:
            web = self.running[named] = self._started(limits)
        return web

    def _started(self, limits: dict[str, str]) -> "Web":
        port = free_port()
        env = {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "PARLANCE_MEDIA_DIR": str(self.folder / "media"),
            "PARLANCE_MIAOP_INCOMING_DIR": str(self.incoming),
            "PARLANCE_MIAOP_SUBMISSIONS_A_MINUTE": "1000",
            **limits,
        }
        command = [sys.executable, "-m", "gunicorn", "config.wsgi:application", "-k", "gthread", "--threads", "8"]
        command += ["--bind", f"127.0.0.1:{port}", "--no-control-socket"]
        with (self.folder / "web.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)
        web = Web(port, process)
        try:
            until(lambda: reachable(f"http://127.0.0.1:{port}/healthz"), seconds=60)
        except BaseException:
            web.kill()
            raise
        return web

    def close(self) -> None:
        """Kill what runs."""
        for web in self.running.values():
            web.kill()


@dataclass
class Web:
    """One gunicorn with its worker."""

    port: int
    process: subprocess.Popen

    def kill(self) -> None:
        """``kill -9`` of both; twice is fine."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def connect(self) -> socket.socket:
        """A connection; reading from it ends after half a minute."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def token(self) -> str:
        """Of the tenant's administrator."""
        form = f"grant_type=password&client_id=browser_client&username=ada&password={PASSWORD}".replace(" ", "+")
        path = "/realms/acme/protocol/openid-connect/token"
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: {len(form)}\r\n\r\n"
        with self.connect() as wire:
            wire.sendall(f"{head}{form}".encode())
            return answer(wire)[1]["access_token"]


def head(token: str, *lines: str, boundary: str = "----limit") -> bytes:
    """The head of a submission up to the empty line."""
    return "\r\n".join(
        [
            "POST /hrec HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {token}",
            f"Content-Type: multipart/form-data; boundary={boundary}",
            *lines,
            "\r\n",
        ]
    ).encode()


def answer(wire: socket.socket) -> tuple[int, dict]:
    """Status and JSON of the answer that comes."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _piece(wire)
    first, _empty, rest = data.partition(b"\r\n\r\n")
    lines = first.decode().lower().split("\r\n")
    length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
    while len(rest) < length:
        rest += _piece(wire)
    return int(lines[0].split()[1]), json.loads(rest[:length])


def _piece(wire: socket.socket) -> bytes:
    data = wire.recv(65536)
    assert data, "the connection was closed before the answer was complete"
    return data
