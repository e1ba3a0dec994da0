"""A whole stack of real processes with the demo's tenants: PostgreSQL, Valkey, speech server, worker, beat, web.

The speech server understands tones, so a call is recognised at once and the tests decide by "hold" when results come.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from stack.postgres import EmbeddedPostgres
from stack.throwaway import throwaway_directory
from stack.valkey import EmbeddedValkey
from tests.speechserver.conftest import TOKEN, Server

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "machine"
ADMIN_PASSWORD = "a platform of one's own"
_RUN = """
import json, sys, django
from django.core.management import call_command
django.setup()
for name, *arguments in json.loads(sys.argv[1]):
    call_command(name, *arguments)
"""


@dataclass
class Machine:
    """The processes, and what the tests may do to them."""

    base: Path
    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    speech: Server
    env: dict[str, str] = field(default_factory=dict)
    children: dict[str, subprocess.Popen] = field(default_factory=dict)
    web_port: int = 0

    def url(self, path: str) -> str:
        """An address of the web process."""
        return f"http://127.0.0.1:{self.web_port}{path}"

    def manage(self, *commands: Sequence[str]) -> str:
        """Run management commands one after the other to their end, in one process: most of the time it starts."""
        command = [sys.executable, "-c", _RUN, json.dumps(commands)]
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def spawn(self, name: str, *, port: int = 0, **extra: str) -> None:
        """Start worker, beat or web as the stack does, or a "second" one of them; web at ``port`` if that is given.

        ``extra`` are settings of this process alone.
        """
        celery = ["celery", "-A", "config"]
        address = f"127.0.0.1:{port or self.web_port}"
        arguments = {
            "worker": [*celery, "worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "WARNING"],
            "beat": [*celery, "beat", "--schedule", str(self.base / "beat"), "--pidfile", "", "--loglevel", "WARNING"],
            "web": ["gunicorn", "config.wsgi:application", "-k", "gthread", "--threads", "8", "--bind", address],
        }[name.removeprefix("second ")]
        log = (self.base / f"{name}.log").open("ab")
        self.children[name] = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=self.env | extra,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the process and all its children."""
        os.killpg(self.children[name].pid, number)

    def kill(self, name: str) -> None:
        """``kill -9`` of the process and all its children."""
        child = self.children[name]
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(10)

    def stop(self) -> None:
        """End everything, the servers last."""
        running = {name: child for name, child in self.children.items() if child.poll() is None}
        for child in running.values():
            child.terminate()
        for name, child in running.items():
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                self.kill(name)
        self.speech.stop()
        self.valkey.stop()
        self.postgres.stop()

    def ask(self, statement: str, *values: object) -> list[tuple]:
        """Rows of one statement, on a connection of its own."""
        with psycopg.connect(self.postgres.url(DATABASE), autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()

    def hold(self, on: bool) -> None:
        """Let the provider keep its results, or give them out."""
        self.speech.control("POST", "/_emu/hold", {"hold": on})

    def uploads(self) -> list[dict]:
        """Every submission the provider has seen: reference and job."""
        entries = self.speech.control("GET", "/_emu/journal")["entries"]
        return [e for e in entries if e["method"] == "POST" and str(e.get("ref") or "").startswith("parlance-")]


def free_port() -> int:
    """A port of loopback that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def reachable(url: str) -> bool:
    """Whether the address answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


@contextmanager
def running_machine(speech_data: Path) -> Iterator[Machine]:
    """The servers, migrated and set up; worker, beat and web are for the tests to spawn. Stopped at the end."""
    with throwaway_directory() as base, ExitStack() as ending:
        machine = _start(base, speech_data)
        ending.callback(machine.stop)
        port = machine.speech.url.rsplit(":", 1)[1]
        machine.manage(["migrate_all"], ["bootstrap"], ["allow_address", "127.0.0.1/32", port])
        yield machine


def _start(base: Path, speech_data: Path) -> Machine:
    machine = Machine(
        base,
        EmbeddedPostgres(base / "pg", base / "s").start(),
        EmbeddedValkey(base / "valkey", base / "s").start(),
        Server(speech_data),
        web_port=free_port(),
    )
    machine.speech.start()
    token = base / "token"
    token.write_text(TOKEN)
    machine.postgres.ensure_database(DATABASE)
    machine.env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "DATABASE_URL": machine.postgres.url(DATABASE),
        "REDIS_URL": machine.valkey.url(),
        "PARLANCE_SECRET_KEY": "tests-only-secret-key-that-protects-nothing-at-all-0123456",
        "PARLANCE_MASTER_KEYS": "tests:" + "A" * 43 + "=",
        "PARLANCE_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "PARLANCE_MEDIA_DIR": str(base / "media"),
        "PARLANCE_STATIC_DIR": str(base / "static"),
        "PARLANCE_SPEECH_ADDRESS": machine.speech.url,
        "PARLANCE_SPEECH_TOKEN_FILE": str(token),
        "PARLANCE_DEMO_SEED": "tests",
        "PARLANCE_DB_POOL": "4",
    }
    return machine
