"""An embedded PostgreSQL that listens on a Unix socket only, for the local stack and for tests.

Trust authentication is safe here for one reason: the socket directory is 0700 and TCP is off.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO
from urllib.parse import quote

from stack.errors import StackError
from stack.pgbinaries import PostgresBinaries, find_binaries, readable_copy
from stack.pgidentity import Identity, choose_identity
from stack.processes import command_line, is_alive, pids_in_directory, send, wait_until

SUPERUSER = "postgres"
MAX_SOCKET_PATH = 100  # bytes; the kernel's limit is 107 and PostgreSQL adds "/.s.PGSQL.5432"
# synchronous_commit stays on: without fsync it costs nothing, and with it a killed server loses no commit.
FAST_AND_LOSSY = ("fsync=off", "full_page_writes=off")


class EmbeddedPostgres:
    """One PostgreSQL cluster in ``data_dir``, reachable through ``socket_dir``.

    ``durable=False`` switches off everything that only matters after a power cut; never use it for data one
    wants to keep. A killed process loses nothing in either mode. ``settings``: more of the server's, as
    ``"name=value"``. All methods raise :class:`StackError` with one clear line when the person at the terminal can
    do something about it.
    """

    def __init__(
        self,
        data_dir: Path | str,
        socket_dir: Path | str,
        *,
        durable: bool = True,
        settings: Sequence[str] = (),
        log_file: Path | None = None,
        identity: Identity | None = None,
    ) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.socket_dir = Path(socket_dir).absolute()
        self.durable = durable
        self.settings = tuple(settings)
        self.log_file = log_file or self.data_dir.with_name(self.data_dir.name + ".log")
        self._identity = identity
        self._binaries: PostgresBinaries | None = None
        self._child: subprocess.Popen[bytes] | None = None

    # -- life -----------------------------------------------------------------------------------------------

    def start(self, timeout_s: float = 60.0) -> EmbeddedPostgres:
        """Create the cluster when there is none, start the server and return once it takes connections."""
        if self.is_ready():
            return self
        self.prepare()
        wait_until(self._reaped, 5.0)
        with self.log_file.open("ab") as log:
            self._child = self.spawn(log)
        if not self.wait_ready(self._child, timeout_s):
            raise StackError(f"PostgreSQL did not start; its last words are in {self.log_file}")
        return self

    def stop(self, timeout_s: float = 30.0) -> None:
        """Stop in an orderly way (fast mode: open transactions are rolled back)."""
        self._end(signal.SIGINT, timeout_s)

    def kill(self) -> None:
        """Kill the server and all its backends with SIGKILL, as a crash of the machine would."""
        pids = pids_in_directory(self.data_dir)
        for pid in pids:
            send(pid, signal.SIGKILL)
        self._end(signal.SIGKILL, 10.0)

    def restart_immediate(self, timeout_s: float = 60.0) -> None:
        """Restart as ``pg_ctl -m immediate`` does: no checkpoint, every connection dropped, recovery from the log."""
        self._end(signal.SIGQUIT, timeout_s)
        self.start(timeout_s)

    def __enter__(self) -> EmbeddedPostgres:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- facts ----------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int | None:
        """The process id of the running server, or None."""
        try:
            pid = int((self.data_dir / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return pid if is_alive(pid) and pid in pids_in_directory(self.data_dir) else None

    def is_ready(self) -> bool:
        """Say whether the server runs and has said that it takes connections."""
        try:
            lines = (self.data_dir / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and self.pid is not None

    def url(self, dbname: str = "postgres") -> str:
        """Return the connection URL of a database: ``postgresql://postgres@/name?host=/socket/directory``."""
        return f"postgresql://{SUPERUSER}@/{quote(dbname)}?host={quote(str(self.socket_dir))}"

    @property
    def binaries(self) -> PostgresBinaries:
        """The server programs in use."""
        if self._binaries is None:
            self._binaries = find_binaries()
        return self._binaries

    # -- databases ------------------------------------------------------------------------------------------

    def ensure_database(self, dbname: str) -> bool:
        """Create the database when it is missing; return whether it was created."""
        literal = dbname.replace("'", "''")
        if self.sql(f"select 1 from pg_database where datname = '{literal}'").strip() == "1":
            return False
        identifier = dbname.replace('"', '""')
        self.sql(f'create database "{identifier}"')
        return True

    def sql(self, statement: str, dbname: str = "postgres") -> str:
        """Run one statement as the superuser and return what psql prints, unaligned and without headings."""
        command = [str(self.binaries.program("psql")), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", str(self.socket_dir)]
        command += ["-U", SUPERUSER, "-d", dbname, "-c", statement]
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise StackError(f"PostgreSQL refused: {_last_line(done.stderr)}")
        return done.stdout

    # -- what the supervisor uses ---------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make all ready for :meth:`spawn`: directories, identity, programs, the cluster itself, no stale lock."""
        if len(os.fsencode(self.socket_dir)) > MAX_SOCKET_PATH:
            raise StackError(f"The socket directory {self.socket_dir} has a path longer than {MAX_SOCKET_PATH} bytes")
        self.data_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._identity is None:
            self._identity = choose_identity(self.data_dir)
        self._binaries = readable_copy(self.binaries, self._identity)
        self._identity.own(self.socket_dir)
        if (self.data_dir / "PG_VERSION").exists():
            self._check_version()
            # Backends of a killed server hold its shared memory for a moment, and no new one starts meanwhile.
            wait_until(lambda: self.pid is not None or not pids_in_directory(self.data_dir), 10.0)
            self._clear_stale_lock()
        else:
            self._create_cluster()

    def spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the server in the foreground of a new session, its output to ``log``; does not wait."""
        options = ["listen_addresses=", f"unix_socket_directories={self.socket_dir}", "unix_socket_permissions=0700"]
        options += ["max_connections=120", "timezone=UTC", "log_timezone=UTC", "log_checkpoints=off"]
        if not self.durable:
            options += FAST_AND_LOSSY
        command = [str(self.binaries.program("postgres")), "-D", str(self.data_dir)]
        for option in (*options, *self.settings):
            command += ["-c", option]
        return self._run_as().popen(command, env=_environment(), stdout=log, stderr=log)

    def wait_ready(self, child: subprocess.Popen[bytes], timeout_s: float) -> bool:
        """Wait until ``child`` takes connections; False when it ended or the time is over."""
        wait_until(lambda: self.is_ready() or child.poll() is not None, timeout_s)
        return child.poll() is None and self.is_ready()

    # -- inside ---------------------------------------------------------------------------------------------

    def _run_as(self) -> Identity:
        if self._identity is None:
            self._identity = choose_identity(self.data_dir)
        return self._identity

    def _end(self, signum: signal.Signals, timeout_s: float) -> None:
        pid = self.pid
        if pid is not None:
            send(pid, signum)
        gone = wait_until(lambda: self._reaped() and not pids_in_directory(self.data_dir), timeout_s)
        if not gone and signum is not signal.SIGKILL:
            self.kill()
        self._child = None

    def _reaped(self) -> bool:
        return self._child is None or self._child.poll() is not None

    def _create_cluster(self) -> None:
        if self.data_dir.exists() and any(self.data_dir.iterdir()):
            raise StackError(
                f"{self.data_dir} is not empty and holds no PostgreSQL data; choose another --data directory"
            )
        # Made under another name first: a creation that was cut short is never taken for a cluster.
        fresh = self.data_dir.with_name(f"{self.data_dir.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._run_as().own(fresh)
        locale = ["--locale=C.UTF-8"]
        if self.binaries.major >= 17:
            locale = ["--locale-provider=builtin", *locale]
        command = [
            str(self.binaries.program("initdb")),
            "-D",
            str(fresh),
            "-U",
            SUPERUSER,
            "--auth=trust",
            "-E",
            "UTF8",
        ]
        command += [*locale, *([] if self.durable else ["--no-sync"])]
        done = self._run_as().popen(command, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = done.communicate()[0].decode(errors="replace")
        if done.returncode != 0:
            self.log_file.write_text(output)
            raise StackError(f"PostgreSQL could not create its data directory: {_last_line(output)}")
        if self.data_dir.exists():
            self.data_dir.rmdir()
        fresh.rename(self.data_dir)

    def _check_version(self) -> None:
        found = (self.data_dir / "PG_VERSION").read_text().strip()
        if found != str(self.binaries.major):
            raise StackError(
                f"{self.data_dir} belongs to PostgreSQL {found}, but {self.binaries.bindir} is {self.binaries.major}; "
                f"set PG_BINDIR to the programs of version {found} or choose another --data directory"
            )

    def _clear_stale_lock(self) -> None:
        """Remove a lock file whose process id has been given to a stranger, for example after a reboot.

        PostgreSQL itself does so only when nobody has that id. No process works in the data directory when the
        file is removed, so no forgotten backend can be writing to it.
        """
        lock = self.data_dir / "postmaster.pid"
        if not lock.exists() or pids_in_directory(self.data_dir):
            return
        words = lock.read_text().split("\n", 1)[0]
        if words.isdigit() and "postgres" in command_line(int(words)):
            return
        lock.unlink(missing_ok=True)


def _environment() -> Mapping[str, str]:
    """The caller's environment without the variables that would lead PostgreSQL's programs elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return kept | {"LC_ALL": "C.UTF-8"}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR:" in line or "FATAL:" in line or "error:" in line]
    return (errors or lines or ["it said nothing"])[-1]
