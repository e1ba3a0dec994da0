"""The processes of the harness, started once: servers, workers, beat, web, provider; and what may be done to them."""

import json
import os
import resource
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from stack.environment import python_environment
from stack.paths import ROOT
from stack.postgres import EmbeddedPostgres
from stack.processes import wait_until
from stack.throwaway import throwaway_directory
from stack.valkey import EmbeddedValkey
from tests.faults.harness.crashpoints import TRAPS
from tests.faults.harness.dialects import Dialect

DATABASE = "harness"
GRACE_S = "2"


class Rig:
    """Everything that can be killed."""

    def __init__(self, base: Path, dialect: Dialect, workers: int) -> None:
        self.base, self.dialect = base, dialect
        self.postgres = EmbeddedPostgres(base / "pg", base / "s", durable=False)
        self.valkey = EmbeddedValkey(base / "valkey", base / "s", durable=False)
        self.traps = base / "traps"
        self.workers = [f"worker {number}" for number in range(1, workers + 1)]
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.frozen: set[str] = set()
        self.provider_url = ""
        self.web_url = ""

    # -- life ---------------------------------------------------------------------------------------------

    def start_servers(self) -> None:
        """PostgreSQL, Valkey and the provider; the environment of this process then leads to them."""
        self.traps.mkdir()
        self.postgres.start()
        self.postgres.ensure_database(DATABASE)
        self.valkey.start()
        self.provider_url = self._listening("provider", [sys.executable, "-m", self.dialect.module])
        os.environ.update(
            python_environment()
            | {
                "DJANGO_SETTINGS_MODULE": "tests.faults.harness.settings",
                "DATABASE_URL": self.postgres.url(DATABASE),
                "REDIS_URL": self.valkey.url(),
                "PARLANCE_SECRET_KEY": "tests-only-secret-key-that-protects-nothing-at-all-0123456",
                "PARLANCE_MASTER_KEYS": "tests:" + "A" * 43 + "=",
                "PARLANCE_MEDIA_DIR": str(self.base / "media"),
                "PARLANCE_STATIC_DIR": str(self.base / "static"),
                "PARLANCE_WORKER_GRACE_S": GRACE_S,
                "PARLANCE_DB_POOL": "4",
                TRAPS: str(self.traps),
            }
        )

    def start_processes(self) -> None:
        """Workers, beat and web. The database must be migrated."""
        for name in [*self.workers, "beat"]:
            self.spawn(name)
        self._start_web()

    def stop(self) -> None:
        """End everything; nothing is left to be cared about."""
        for name, child in self.children.items():
            if child.poll() is None:
                self.kill(name)
        self.valkey.kill()
        self.postgres.kill()

    def spawn(self, name: str, **environment: str) -> None:
        """Start a worker or beat, with ``environment`` on top of that of the others."""
        celery = [sys.executable, "-m", "celery", "-A", "config"]
        if name == "beat":
            command = [*celery, "beat", "--schedule", str(self.base / "beat"), "--pidfile", ""]
        else:
            hostname = f"{name.replace(' ', '')}@harness"
            command = [*celery, "worker", "--pool", "prefork", "--concurrency", "2", "-n", hostname]
            command += ["--without-gossip", "--without-mingle"]
        self._run(name, [*command, "--loglevel", "WARNING"], environment)
        self.frozen.discard(name)

    def respawn_dead(self) -> None:
        """Start again what is dead, and wake what is frozen: the heal of a trial."""
        for name in sorted(self.frozen):
            self.thaw(name)
        for name in [*self.workers, "beat"]:
            if self.children[name].poll() is not None:
                self.spawn(name)
        if not self.valkey.is_ready():
            self.valkey.start()
        if not self.postgres.is_ready():
            self.postgres.start()

    # -- deeds --------------------------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """``kill -9`` of the process and all its children."""
        child = self.children[name]
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(10)
        self.frozen.discard(name)

    def kill_child(self, name: str, number: int) -> bool:
        """``kill -9`` of one process of the worker's pool, as the kernel does when memory is out; False without any."""
        pool = children_of(self.children[name].pid)
        if not pool:
            return False
        try:
            os.kill(pool[number % len(pool)], signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def ask_to_stop(self, name: str) -> None:
        """SIGTERM; the worker has GRACE_S for what is in hand."""
        self.children[name].send_signal(signal.SIGTERM)

    def freeze(self, name: str) -> None:
        """SIGSTOP for the process and all its children."""
        if self.children[name].poll() is None:
            os.killpg(self.children[name].pid, signal.SIGSTOP)
            self.frozen.add(name)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self.frozen.discard(name)
        if self.children[name].poll() is None:
            os.killpg(self.children[name].pid, signal.SIGCONT)

    def manage(self, *arguments: str, file_bytes: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end; with ``file_bytes`` no file it writes grows larger (``ulimit -S -f``)."""

        def limited() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            _soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, hard))

        command = [sys.executable, "manage.py", *arguments]
        before = limited if file_bytes is not None else None
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, preexec_fn=before)

    def provider(self, method: str, path: str, data: Any = None) -> Any:
        """One request to the control plane of the provider."""
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(f"{self.provider_url}/_emu/{path}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    # -- inside -------------------------------------------------------------------------------------------

    def _start_web(self) -> None:
        arguments = ["gunicorn", "config.wsgi:application", "-k", "gthread", "--threads", "4", "--bind", "127.0.0.1:0"]
        self._run("web", [sys.executable, "-m", *arguments], {})
        log = self.base / "web.log"
        marker = "Listening at: "
        assert wait_until(lambda: marker in log.read_text(), 60.0), log.read_text()[-2000:]
        self.web_url = log.read_text().split(marker)[1].split()[0]

    def _listening(self, name: str, command: list[str]) -> str:
        port = self.base / f"{name}.port"
        self._run(name, [*command, str(port)], {"PYTHONPATH": str(ROOT)})
        assert wait_until(port.exists, 30.0), f"{name} does not listen"
        return f"http://127.0.0.1:{port.read_text()}"

    def _run(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        with (self.base / f"{name}.log").open("ab") as log:
            self.children[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def children_of(pid: int) -> list[int]:
    """Direct children of a process."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sorted(int(word) for task in tasks for word in (task / "children").read_text().split())
    except OSError:
        return []


@contextmanager
def running_rig(dialect: Dialect, workers: int) -> Iterator[Rig]:
    """The rig with its servers up and everything else still to be started; gone at the end."""
    with throwaway_directory() as base, ExitStack() as ending:
        rig = Rig(base, dialect, workers)
        ending.callback(rig.stop)
        rig.start_servers()
        yield rig
