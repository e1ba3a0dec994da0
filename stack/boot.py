"""The order in which a local stack comes up. What does not depend on one another goes side by side."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from stack import stamps, stand_ins
from stack.environment import DATABASE, uses_own_postgres, uses_own_valkey
from stack.errors import StackError
from stack.files import write_json
from stack.paths import ROOT, StackPaths
from stack.postgres import EmbeddedPostgres
from stack.processes import wait_until
from stack.readiness import readiness
from stack.services import (
    beat_service,
    own_postgres,
    own_valkey,
    postgres_service,
    speech_service,
    valkey_service,
    web_service,
    worker_service,
)
from stack.stand_ins import KeptStandIn
from stack.supervisor import Supervisor
from stack.valkey import EmbeddedValkey

SERVER_START_S = 90.0
WEB_START_S = 120.0
STEP_S = 900.0


class Stopped(Exception):
    """The stack was told to stop while it was coming up."""


@dataclass
class Boot:
    """One start of one stack. ``report`` is told in a few words what is being done."""

    paths: StackPaths
    env: Mapping[str, str]
    admin_password: str = field(repr=False)
    supervisor: Supervisor
    web_port: int
    speech_port: int
    with_demo: bool
    stand_in: KeptStandIn
    report: Callable[[str], None]
    stopping: threading.Event
    _running_steps: set[subprocess.Popen[str]] = field(default_factory=set)

    def run(self) -> None:
        """Bring everything up; returns when the web server says it is ready. Raises :class:`StackError`."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            static = pool.submit(self._collect_static)
            database = self._start_servers()
            known = stamps.read_stamps(database) if database else {}
            self._migrate(database, known)
            self._start_applications(static)
            self._set_up(database, known)
        self.report("Waiting for the web server")
        if not self._wait(lambda: readiness(self.web_port).ready, WEB_START_S):
            raise StackError(
                f"The web server did not become ready: {readiness(self.web_port).words}; see ./parlance logs web"
            )

    def cancel(self) -> None:
        """End the management commands that run at the moment."""
        for step in list(self._running_steps):
            step.terminate()

    # -- the servers ----------------------------------------------------------------------------------------

    def _start_servers(self) -> EmbeddedPostgres | None:
        self.report("Starting PostgreSQL and Valkey")
        database: EmbeddedPostgres | None = None
        broker: EmbeddedValkey | None = None
        if uses_own_valkey():
            broker = own_valkey(self.paths)
            self.supervisor.start(valkey_service(broker))
        if uses_own_postgres():
            database = own_postgres(self.paths)
            # The first time outside the supervisor: what is wrong with the directory is told, not tried for ever.
            database.prepare()
            self.supervisor.start(postgres_service(database))
            if not self._wait(database.is_ready, SERVER_START_S):
                raise StackError("PostgreSQL did not start; see ./parlance logs postgres")
            database.ensure_database(DATABASE)
        if broker is not None and not self._wait(broker.is_ready, SERVER_START_S):
            raise StackError("Valkey did not start; see ./parlance logs valkey")
        return database

    def _start_applications(self, static: Future[None]) -> None:
        self.supervisor.start(speech_service(self.env, self.paths, self.speech_port))
        self.stand_in.keep()
        static.result()
        self.supervisor.start(web_service(self.env, self.web_port))
        self.supervisor.start(worker_service(self.env))
        self.supervisor.start(beat_service(self.env, self.paths))

    # -- the steps ------------------------------------------------------------------------------------------

    def _collect_static(self) -> None:
        wanted = stamps.checksum(stamps.static_inputs())
        stamp = self.paths.run / "static.stamp"
        if self.paths.static.exists() and stamp.exists() and stamp.read_text() == wanted:
            return
        # Before the files go: a start that is cut short here must not be taken for a finished one.
        stamp.unlink(missing_ok=True)
        shutil.rmtree(self.paths.static, ignore_errors=True)
        self._manage("collectstatic", "--noinput", "--verbosity", "0")
        self.paths.static.mkdir(exist_ok=True)
        stamp.write_text(wanted)

    def _migrate(self, database: EmbeddedPostgres | None, known: dict[str, str]) -> None:
        wanted = stamps.checksum(stamps.schema_inputs())
        if database is not None and known.get("schema") == wanted:
            return
        self.report("Migrating the database")
        self._manage("migrate_all", progress="Migrating the database")
        self._remember(database, known, "schema", wanted)

    def _set_up(self, database: EmbeddedPostgres | None, known: dict[str, str]) -> None:
        wanted = stamps.checksum(stamps.code_inputs(), str(self.speech_port))
        if database is None or known.get("bootstrap") != wanted:
            self.report("Setting up the platform")
            self._manage("bootstrap", extra={"PARLANCE_ADMIN_PASSWORD": self.admin_password})
            note = "The bundled speech server of this machine"
            self._manage("allow_address", "127.0.0.1/32", str(self.speech_port), "--note", note)
            self._remember(database, known, "bootstrap", wanted)
        if self.with_demo and (known.get("demo") != wanted or not self.paths.sign_ins.exists()):
            self.report("Loading the demo data")
            printed = self._manage("load_demo", "--json")
            write_json(self.paths.sign_ins, _last_json(printed))
            self._remember(database, known, "demo", wanted)
        moved = stand_ins.wanted(self.paths)
        if moved is not None and moved.moved:
            self._manage("demo_engine", str(stand_ins.facts_file(self.paths, moved)))
            stand_ins.settled(self.paths)

    def _remember(self, database: EmbeddedPostgres | None, known: dict[str, str], step: str, value: str) -> None:
        known[step] = value
        if database is not None:
            stamps.write_stamps(database, known)

    def _manage(self, *arguments: str, progress: str = "", extra: Mapping[str, str] | None = None) -> str:
        """Run one management command, its words to ``setup.log``; return what it printed."""
        if self.stopping.is_set():
            raise Stopped
        lines: list[str] = []
        with (self.paths.logs / "setup.log").open("a") as log:
            log.write(f"== manage.py {arguments[0]}\n")
            log.flush()
            step = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), *arguments],
                env={**self.env, **(extra or {})},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._running_steps.add(step)
            errors: list[str] = []
            reader = threading.Thread(target=lambda: errors.extend(step.stderr or ()), daemon=True)
            reader.start()
            for line in step.stdout or ():
                lines.append(line)
                if progress:
                    log.write(line)
                    self.report(f"{progress}: {line.strip()}")
            code = step.wait(timeout=STEP_S)
            reader.join(timeout=5)
            self._running_steps.discard(step)
            log.writelines(errors)
        if self.stopping.is_set():
            raise Stopped
        if code != 0:
            raise StackError(_why(arguments[0], errors))
        return "".join(lines)

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        held = wait_until(lambda: self.stopping.is_set() or condition(), timeout_s, poll_s=0.05)
        if self.stopping.is_set():
            raise Stopped
        return held


def _last_json(printed: str) -> object:
    """Return the JSON a command printed, as a whole or as its last line."""
    for candidate in (printed, printed.strip().rpartition("\n")[2]):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    return None


def _why(command: str, errors: list[str]) -> str:
    text = "".join(errors)
    if "No space left on device" in text:
        return f"The disk is full: free about 1 GB, then start again (it stopped in {command})"
    said = [line.strip() for line in errors if line.strip()]
    return f"{command} failed: {said[-1][:300] if said else 'it said nothing'}; see ./parlance logs setup"
