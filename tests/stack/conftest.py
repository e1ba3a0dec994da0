"""Servers and directories for the tests of the stack; none of them needs Django."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.paths import StackPaths
from stack.postgres import EmbeddedPostgres
from stack.throwaway import throwaway_directory, throwaway_postgres
from stack.valkey import EmbeddedValkey


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory whose path is short enough for sockets."""
    with throwaway_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A running PostgreSQL with one table of a thousand rows."""
    with throwaway_postgres() as server:
        server.sql("create table numbers as select generate_series(1, 1000) as number")
        yield server


@pytest.fixture
def valkey(short_directory: Path) -> Iterator[EmbeddedValkey]:
    """A running Valkey that keeps an append-only file."""
    with EmbeddedValkey(short_directory / "valkey", short_directory / "s") as server:
        yield server


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[StackPaths]:
    """The paths of a stack that does not exist yet."""
    made = StackPaths.at(tmp_path / "data with blanks")
    yield made
    shutil.rmtree(made.sockets, ignore_errors=True)


@pytest.fixture
def needs_root() -> None:
    """Skip where the test has to change owners."""
    if os.geteuid() != 0:
        pytest.skip("needs root: it changes the owner of files")
