"""A whole stack of real processes for fault tests: PostgreSQL, Valkey, speech server, worker and beat.

Made once for the module's tests; each test loads the demo calls anew. The speech server understands tones, so a call
is recognised at once and the tests decide by "hold" when results come.
"""

import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from stack.postgres import EmbeddedPostgres
from stack.valkey import EmbeddedValkey
from tests.polling import until
from tests.speechserver.conftest import TOKEN, Server

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "faults"


@dataclass
class Machine:
    """The processes, and what the tests may do to them."""

    base: Path
    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    speech: Server
    env: dict[str, str] = field(default_factory=dict)
    children: dict[str, subprocess.Popen] = field(default_factory=dict)

    def manage(self, *arguments: str) -> str:
        """Run a management command to its end."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def spawn(self, name: str) -> None:
        """Start worker or beat as the stack does."""
        arguments = {
            "worker": ["worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "WARNING"],
            "beat": ["beat", "--schedule", str(self.base / "beat"), "--pidfile", "", "--loglevel", "WARNING"],
        }[name]
        log = (self.base / f"{name}.log").open("ab")
        self.children[name] = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "config", *arguments],
            cwd=ROOT,
            env=self.env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()

    def kill(self, name: str) -> None:
        """``kill -9`` of the process and all its children."""
        child = self.children[name]
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(10)

    def stop(self) -> None:
        """End everything in order."""
        for name, child in self.children.items():
            if child.poll() is None:
                child.terminate()
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


@pytest.fixture(scope="session")
def machine(tmp_path_factory) -> Iterator[Machine]:
    """The processes, up, with the demo's tenants and pipeline."""
    base = Path(tempfile.mkdtemp(prefix="pf-"))
    machine = Machine(
        base,
        EmbeddedPostgres(base / "pg", base / "s").start(),
        EmbeddedValkey(base / "valkey", base / "s").start(),
        Server(tmp_path_factory.mktemp("speech") / "data"),
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
        "PARLANCE_SECRET_KEY": "faults-only-secret-key-that-protects-nothing-at-all-012345",
        "PARLANCE_MASTER_KEYS": "faults:" + "A" * 43 + "=",
        "PARLANCE_MEDIA_DIR": str(base / "media"),
        "PARLANCE_SPEECH_ADDRESS": machine.speech.url,
        "PARLANCE_SPEECH_TOKEN_FILE": str(token),
        "PARLANCE_DEMO_SEED": "faults",
        "PARLANCE_DB_POOL": "4",
    }
    try:
        machine.manage("migrate_all")
        machine.manage("bootstrap")
        port = machine.speech.url.rsplit(":", 1)[1]
        machine.manage("allow_address", "127.0.0.1/32", port)
        machine.spawn("beat")
        machine.spawn("worker")
        yield machine
    finally:
        machine.stop()


@pytest.fixture
def demo(machine) -> Machine:
    """The demo calls freshly loaded, every upload taken by the provider slowly, every result held back."""
    machine.hold(True)
    machine.speech.control("DELETE", "/_emu/faults")
    slow = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "delay_ms": 400, "times": 40}
    machine.speech.control("POST", "/_emu/faults", slow)
    machine.manage("demo_reset")
    return machine


def reachable(url: str) -> bool:
    """Whether something answers."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


__all__ = ["Machine", "until"]
