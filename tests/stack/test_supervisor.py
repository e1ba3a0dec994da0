"""The supervisor, over tiny children: it starts them again for ever, and stops them in order with all they started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stack.processes import is_alive, wait_until
from stack.supervisor import Supervisor, command_service, rotate_logs

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path)
    yield made
    made.stop_all()


def start(supervisor: Supervisor, name: str, code: str, tmp_path: Path, **more: Any) -> None:
    supervisor.start(command_service(name, [sys.executable, "-c", code], env=os.environ, cwd=tmp_path, **more))


def entry(supervisor: Supervisor, name: str) -> dict[str, Any]:
    return next(entry for entry in supervisor.snapshot() if entry["name"] == name)


def test_a_killed_child_is_started_again_and_the_other_is_left_alone(supervisor: Supervisor, tmp_path: Path) -> None:
    start(supervisor, "one", SLEEPER, tmp_path)
    start(supervisor, "two", SLEEPER, tmp_path)
    first, other = entry(supervisor, "one")["pid"], entry(supervisor, "two")["pid"]

    os.kill(first, signal.SIGKILL)

    assert wait_until(lambda: entry(supervisor, "one")["restarts"] == 1, 10.0)
    again = entry(supervisor, "one")
    assert again["state"] == "running"
    assert again["pid"] != first
    assert is_alive(again["pid"])
    assert entry(supervisor, "two")["pid"] == other
    assert entry(supervisor, "two")["restarts"] == 0


def test_a_child_that_ends_at_once_is_tried_again_with_a_growing_pause(supervisor: Supervisor, tmp_path: Path) -> None:
    started = time.monotonic()
    start(supervisor, "failing", "raise SystemExit('no')", tmp_path)
    assert wait_until(lambda: entry(supervisor, "failing")["restarts"] >= 2, 15.0)
    assert time.monotonic() - started >= 1.4, "0.5 s, then 1 s"
    assert "no" in supervisor.log_file("failing").read_text()


def test_a_program_that_cannot_be_started_does_not_end_the_supervision(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(command_service("missing", [str(tmp_path / "nothing")], env=os.environ, cwd=tmp_path))
    assert entry(supervisor, "missing")["state"] == "restarting"
    start(supervisor, "one", SLEEPER, tmp_path)
    assert wait_until(lambda: "could not be started" in supervisor.log_file("missing").read_text(), 5.0)
    assert entry(supervisor, "one")["state"] == "running"


def test_what_a_killed_child_had_started_goes_with_it(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "grandchild"
    code = f"import subprocess, sys, time; p = subprocess.Popen(['sleep', '600']); open({str(note)!r}, 'w').write(str(p.pid)); time.sleep(600)"
    start(supervisor, "parent", code, tmp_path)
    assert wait_until(lambda: note.exists() and note.read_text() != "", 10.0)
    grandchild = int(note.read_text())

    os.kill(entry(supervisor, "parent")["pid"], signal.SIGKILL)

    assert wait_until(lambda: not is_alive(grandchild), 5.0)


def test_stopping_takes_the_highest_tier_first_and_restarts_nothing(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    order = tmp_path / "order"
    code = "import signal, sys, time\ndef end(*_):\n    open({order!r}, 'a').write({name!r}); sys.exit()\nsignal.signal(signal.SIGTERM, end)\nprint('up', flush=True)\ntime.sleep(600)"
    for name, tier in (("a", 1), ("b", 2), ("c", 3)):
        start(supervisor, name, code.format(order=str(order), name=name), tmp_path, tier=tier)
    assert wait_until(lambda: all("up" in supervisor.log_file(name).read_text() for name in "abc"), 10.0)

    supervisor.stop_all()

    assert order.read_text() == "cba"
    assert {entry["state"] for entry in supervisor.snapshot()} == {"stopped"}


def test_a_child_deaf_to_the_signal_is_killed_in_time(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    start(supervisor, "deaf", deaf, tmp_path, stop_timeout_s=0.5)
    assert wait_until(lambda: "up" in supervisor.log_file("deaf").read_text(), 10.0)
    pid = entry(supervisor, "deaf")["pid"]
    started = time.monotonic()
    supervisor.stop_all()
    assert not is_alive(pid)
    assert time.monotonic() - started < 5.0


def test_a_log_above_the_cap_is_rotated_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "chatty.log"
    with log.open("ab") as file:
        writer = subprocess.Popen(
            [sys.executable, "-uc", "print('x' * 5000); input(); print('after')"], stdin=subprocess.PIPE, stdout=file
        )
        assert wait_until(lambda: log.stat().st_size > 5000, 10.0)
        rotate_logs(tmp_path, cap_bytes=4000)
        writer.communicate(b"\n", timeout=10)
    assert log.read_text() == "after\n"
    assert (tmp_path / "chatty.log.1").read_text().startswith("xxx")
