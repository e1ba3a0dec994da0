"""A wrong command line is one clear line, never a traceback."""

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from speechserver.formats import polish
from tests.speechserver.conftest import ROOT, Server


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "speechserver", "--recogniser", "tones", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    return done.stderr


def test_a_foreign_address_needs_a_token_file(tmp_path: Path) -> None:
    assert "--token-file" in refused(start("--host", "0.0.0.0", "--data", str(tmp_path)))


def test_a_token_file_must_hold_a_token(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("\n")
    assert "no token" in refused(start("--data", str(tmp_path), "--token-file", str(tmp_path / "t")))
    assert "cannot be read" in refused(start("--data", str(tmp_path), "--token-file", str(tmp_path / "missing")))


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"127.0.0.1:{port}" in refused(start("--data", str(tmp_path / "d"), "--port", port))


def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    assert "--data" in refused(start("--data", str(tmp_path / "f"), "--port", "0"))


def test_a_recogniser_without_package_or_model_says_what_is_missing(tmp_path: Path) -> None:
    line = refused(start("--data", str(tmp_path), "--recogniser", "faster-whisper"))
    missing = importlib.util.find_spec("faster_whisper") is None
    assert ("faster_whisper" if missing else "--model-path") in line


def test_a_data_directory_is_used_by_one_server_only(make_server) -> None:
    server: Server = make_server()
    assert "in use" in refused(start("--data", str(server.data), "--port", "0"))


@pytest.mark.parametrize(
    ("words", "punctuate", "punctuated", "shown"),
    [
        (["hello", "i", "i'm"], True, False, ["Hello", "I", "I'm."]),
        (["hello", "i"], False, False, ["hello", "i"]),
        (["Hello,", "I", "don't."], False, True, ["hello", "i", "don't"]),
        (["Hello,", "Bob?"], True, True, ["Hello,", "Bob?"]),
        ([], True, False, []),
    ],
)
def test_punctuate_rules(words: list[str], punctuate: bool, punctuated: bool, shown: list[str]) -> None:
    assert polish(words, punctuate=punctuate, punctuated=punctuated) == shown
