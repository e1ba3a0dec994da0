"""A PostgreSQL and a Valkey for one test run, in a directory that goes with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.paths import SOCKET_PARENT
from stack.pgidentity import choose_identity
from stack.postgres import EmbeddedPostgres
from stack.valkey import EmbeddedValkey

# Tests roll back what they store. Statistics taken in between say "empty" of tables that the next test fills, and
# the plans made by them read such a table once a row: minutes, at moments that no test chooses.
FOR_TESTS = ("autovacuum=off",)


@contextmanager
def throwaway_directory() -> Iterator[Path]:
    """Make a directory with a short path, passable for the account PostgreSQL runs as, and remove it at the end."""
    directory = Path(tempfile.mkdtemp(prefix="parlance-test-", dir=SOCKET_PARENT))
    try:
        if choose_identity(directory / "pg").uid is not None:
            directory.chmod(0o711)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def throwaway_postgres() -> Iterator[EmbeddedPostgres]:
    """Run a PostgreSQL that keeps nothing after a power cut."""
    with (
        throwaway_directory() as directory,
        EmbeddedPostgres(directory / "pg", directory / "s", durable=False, settings=FOR_TESTS) as server,
    ):
        yield server


@contextmanager
def throwaway_services(database: str = "parlance") -> Iterator[dict[str, str]]:
    """Run both servers and yield the environment that leads to them: DATABASE_URL and REDIS_URL."""
    with (
        throwaway_postgres() as postgres,
        throwaway_directory() as directory,
        EmbeddedValkey(directory / "valkey", directory / "s", durable=False) as valkey,
    ):
        postgres.ensure_database(database)
        yield {"DATABASE_URL": postgres.url(database), "REDIS_URL": valkey.url()}
