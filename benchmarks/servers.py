"""PostgreSQL and Valkey of one benchmark, and what the machine spends on a group of processes."""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from stack.environment import python_environment
from stack.paths import ROOT
from stack.postgres import EmbeddedPostgres
from stack.throwaway import throwaway_directory
from stack.valkey import EmbeddedValkey

DATABASE = "bench"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Servers:
    """Both servers, and a directory that goes with them."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        """What leads Django to them."""
        return {
            "DATABASE_URL": self.postgres.url(DATABASE),
            "REDIS_URL": self.valkey.url(),
            "PARLANCE_MEDIA_DIR": str(self.directory / "media"),
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
        }


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Start both, without fsync: a peer that commits once a record is not charged for the disk of this machine.

    PostgreSQL counts its statements (pg_stat_statements).
    """
    with (
        throwaway_directory() as directory,
        EmbeddedPostgres(directory / "pg", directory / "s", durable=False) as postgres,
        EmbeddedValkey(directory / "valkey", directory / "s", durable=False) as valkey,
    ):
        postgres.sql("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        postgres.restart_immediate()
        postgres.ensure_database(DATABASE)
        postgres.sql("CREATE EXTENSION pg_stat_statements", DATABASE)
        yield Servers(postgres, valkey, directory)


@contextmanager
def child(arguments: list[str], log: Path, extra: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process in the checkout with this process's environment; ended at the end of the block."""
    env = python_environment() | dict(os.environ) | {"PYTHONPATH": str(ROOT)} | dict(extra or {})
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=env, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def prepared(module: str, spec: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    """A bare script that has read ``spec`` and is ready: imports and connections are not timed. ``release`` lets it work."""
    script = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env=python_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert script.stdin is not None
    assert script.stdout is not None
    script.stdin.write(orjson.dumps(spec) + b"\n")
    script.stdin.flush()
    assert script.stdout.readline() == b"ready\n"
    return script


def release(script: subprocess.Popen[bytes]) -> None:
    """The line that a prepared script waits for."""
    assert script.stdin is not None
    script.stdin.write(b"\n")
    script.stdin.flush()


def tree(pid: int) -> list[int]:
    """The process and everything below it."""
    pids = [pid]
    for one in pids:
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                pids += [int(word) for word in (task / "children").read_text().split()]
        except OSError:
            continue
    return pids


def cpu_s(pid: int) -> float:
    """Processor seconds of the process, all living below it, and all that ended and were waited for."""
    ticks = 0
    for one in tree(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS_PER_S


def peak_mb() -> float:
    """The most resident memory that this process has had, in MB, without its children."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def rss_mb(pid: int) -> float:
    """Resident memory of the process and everything below it, in MB."""
    return rss_mb_of(tree(pid))


def rss_mb_of(pids: Iterable[int]) -> float:
    """Resident memory of those of the processes that live, in MB; shared pages count in each."""
    pages = 0
    for one in pids:
        try:
            pages += int(Path(f"/proc/{one}/statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
