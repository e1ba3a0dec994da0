"""Whatever a decoder does, the child dies and the parent lives (hostile-inputs 3D8)."""

import errno
import os
import socket
import time
from pathlib import Path

import pytest

from core.audio.sandbox import SandboxFailed, SandboxLimits, SandboxNotStarted, run_entry

LIMITS = SandboxLimits(memory_bytes=256 << 20, file_bytes=100_000, cpu_s=5, wall_s=20)


def run(name: str, work_dir: Path, limits: SandboxLimits = LIMITS, **request: object) -> dict[str, object]:
    with open(os.devnull, "rb") as nothing:
        return run_entry(f"tests.core.sandbox_entries:{name}", request, stdin=nothing, work_dir=work_dir, limits=limits)


def test_a_well_behaved_child_answers_and_inherits_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLANCE_MASTER_KEYS", "k:secret")
    answer = run("echo", tmp_path, number=1)
    assert answer["got"] == {"number": 1}
    assert answer["files"] == ["request.json"]
    assert "PARLANCE_MASTER_KEYS" not in answer["environment"]


@pytest.mark.parametrize("name", ["segfault", "allocate", "babble"])
def test_a_crash_is_reported_not_spread(name: str, tmp_path: Path) -> None:
    with pytest.raises(SandboxFailed):
        run(name, tmp_path)


def test_an_endless_loop_is_killed_by_processor_time(tmp_path: Path) -> None:
    limits = SandboxLimits(memory_bytes=256 << 20, file_bytes=100_000, cpu_s=1, wall_s=60)
    started = time.monotonic()
    with pytest.raises(SandboxFailed):
        run("spin", tmp_path, limits)
    assert time.monotonic() - started < 30


def test_an_idle_child_is_killed_by_the_clock(tmp_path: Path) -> None:
    limits = SandboxLimits(memory_bytes=256 << 20, file_bytes=100_000, cpu_s=5, wall_s=1.5)
    with pytest.raises(SandboxFailed, match="out of time"):
        run("wait", tmp_path, limits)


def test_a_child_cannot_fill_the_disk(tmp_path: Path) -> None:
    assert run("write", tmp_path) == {"errno": errno.EFBIG}
    assert (tmp_path / "big").stat().st_size <= LIMITS.file_bytes


def test_a_child_that_cannot_start_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(SandboxNotStarted):
        run("no_such_entry", tmp_path)


def test_a_child_has_no_network_where_the_system_can_take_it_away(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = run("interfaces", tmp_path, port=listener.getsockname()[1])
    if answer["reached"]:
        pytest.skip("this system does not let the process leave the network")
    assert answer["reached"] is False
