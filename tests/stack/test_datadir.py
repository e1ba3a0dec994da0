"""The data directory: made private, recognised again, and refused with one line where it is not ours."""

import os
import socket
from pathlib import Path

import pytest

from stack import datadir
from stack.errors import StackError
from stack.files import read_json
from stack.paths import StackPaths
from stack.secrets import load_secrets


def test_a_new_directory_is_private_and_is_recognised_the_next_time(paths: StackPaths) -> None:
    datadir.prepare(paths)
    port = datadir.speech_port(paths)
    datadir.prepare(paths)
    assert paths.data.stat().st_mode & 0o777 == 0o700
    assert paths.sockets.stat().st_mode & 0o777 == 0o700
    assert len(str(paths.sockets)) < 60
    assert datadir.speech_port(paths) == port, "engines store the address, so it must not change"


def test_a_foreign_directory_is_refused_and_left_alone(paths: StackPaths) -> None:
    paths.data.mkdir(parents=True)
    (paths.data / "letter.txt").write_text("mine")
    with pytest.raises(StackError, match=r"holds files that are not Parlance's.*--data"):
        datadir.prepare(paths)
    assert [entry.name for entry in paths.data.iterdir()] == ["letter.txt"]


def test_an_empty_directory_is_taken(paths: StackPaths) -> None:
    paths.data.mkdir(parents=True)
    datadir.prepare(paths)
    assert paths.marker.exists()


def test_a_file_in_place_of_the_directory_is_refused(paths: StackPaths) -> None:
    paths.data.write_text("a file")
    with pytest.raises(StackError, match="is not a directory"):
        datadir.prepare(paths)


def test_a_directory_below_a_file_cannot_be_made_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"cannot be (read|written).*--data"):
        datadir.prepare(StackPaths.at(tmp_path / "file" / "data"))


@pytest.mark.usefixtures("needs_root")
def test_a_directory_of_another_user_is_refused(paths: StackPaths) -> None:
    datadir.prepare(paths)
    os.chown(paths.data, 65534, 65534)
    with pytest.raises(StackError, match=r"belongs to another user \(uid 65534\)"):
        datadir.prepare(paths)


def test_a_damaged_marker_is_refused(paths: StackPaths) -> None:
    datadir.prepare(paths)
    paths.marker.write_text("{")
    with pytest.raises(StackError, match=r"parlance\.json is damaged"):
        datadir.prepare(paths)


def test_a_nearly_full_disk_is_told_with_its_figures(tmp_path: Path) -> None:
    datadir.check_free_space(tmp_path, free_bytes=datadir.NEEDED_BYTES)
    with pytest.raises(StackError, match=r"nearly full \(300 MB left, 1024 MB needed\)"):
        datadir.check_free_space(tmp_path, free_bytes=300 * 1024**2)


def test_secrets_are_made_once_private_and_never_shown(paths: StackPaths) -> None:
    datadir.prepare(paths)
    made = load_secrets(paths)
    assert load_secrets(paths) == made
    assert paths.secrets.stat().st_mode & 0o777 == 0o600
    assert paths.speech_token.read_text() == made.speech_token
    assert made.secret_key not in repr(made)
    assert made.master_keys not in repr(made)


def test_data_without_its_secrets_is_not_given_new_ones(paths: StackPaths) -> None:
    datadir.prepare(paths)
    load_secrets(paths)
    paths.postgres.mkdir()
    (paths.postgres / "PG_VERSION").write_text("18")
    paths.secrets.unlink()
    with pytest.raises(StackError, match="cannot be read: put it back"):
        load_secrets(paths)
    assert not paths.secrets.exists()


def test_a_speech_port_that_somebody_else_has_by_now_is_replaced_and_a_free_one_kept(paths: StackPaths) -> None:
    datadir.prepare(paths)
    port = datadir.speech_port(paths)
    made = read_json(paths.marker)
    assert datadir.settle_speech_port(paths, web_port=8000) == port
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        chosen = datadir.settle_speech_port(paths, web_port=8000)
    assert chosen != port
    assert datadir.settle_speech_port(paths, web_port=8000) == chosen, "the new one is kept as the old one was"
    assert read_json(paths.marker) == made | {"speech_port": chosen}


def test_the_speech_port_is_never_that_of_the_web_server(paths: StackPaths) -> None:
    datadir.prepare(paths)
    port = datadir.speech_port(paths)
    chosen = datadir.settle_speech_port(paths, web_port=port)
    assert chosen != port
    assert datadir.speech_port(paths) == chosen
