"""The stand-in that a stack runs: what is wanted runs, comes back after a kill, and goes; and what the command line refuses."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack import stand_ins
from stack.cli import demo_engine
from stack.errors import StackError
from stack.files import write_json
from stack.paths import ROOT, StackPaths
from stack.ports import is_free
from stack.processes import command_line, is_alive, wait_until
from stack.stand_ins import KeptStandIn
from stack.supervisor import Supervisor
from tests.machine import free_port

pytestmark = pytest.mark.usefixtures("data")


@pytest.fixture
def data(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a stand-in needs of a data directory, and ports that no other worker's stand-in takes."""
    monkeypatch.setattr(stand_ins, "PORTS_FROM", free_port())
    for directory in (paths.data, paths.run, paths.logs):
        directory.mkdir()
    write_json(paths.marker, {"speech_port": 1})


@pytest.fixture
def supervisor(paths: StackPaths) -> Iterator[Supervisor]:
    made = Supervisor(paths.logs)
    yield made
    made.stop_all()


def processes(supervisor: Supervisor) -> dict[str, int]:
    return {entry["name"]: entry["pid"] for entry in supervisor.snapshot()}


def test_what_is_wanted_runs_comes_back_with_its_chaos_and_goes(paths: StackPaths, supervisor: Supervisor) -> None:
    kept = KeptStandIn(paths, supervisor)
    kept.keep()
    assert processes(supervisor) == {}

    known = stand_ins.want(paths, "speechmatics")
    kept.keep()
    stand_ins.await_ready(known)
    first = processes(supervisor)["stand-in-speechmatics"]
    stand_ins.chaos(known, {"errors": 0.5})
    key = (paths.stand_ins / "speechmatics" / "keys.json").read_text()

    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: processes(supervisor)["stand-in-speechmatics"] not in (None, first), 10.0)
    stand_ins.await_ready(known)
    assert stand_ins.chaos(known)["settings"]["errors"] == 0.5

    assert stand_ins.want(paths, "speechmatics") == known, "it stays as it is"
    kept.keep()
    again = processes(supervisor)["stand-in-speechmatics"]
    assert (paths.stand_ins / "speechmatics" / "keys.json").read_text() == key
    shown = command_line(again) + (paths.logs / "stand-in-speechmatics.log").read_text()
    assert not any(word in shown for word in key.split('"') if word.startswith("demo-"))

    stand_ins.unwant(paths)
    kept.keep()
    assert processes(supervisor) == {}
    assert not is_alive(again)
    assert is_free(known.port)


def test_another_one_takes_its_place_and_one_of_two_types_serves_both(paths: StackPaths) -> None:
    openai = stand_ins.want(paths, "openai")
    compatible = stand_ins.want(paths, "openai_compatible")
    assert (compatible.name, compatible.port) == (openai.name, openai.port)
    assert stand_ins.want(paths, "deepgram").name == "deepgram"
    assert stand_ins.wanted(paths) == stand_ins.want(paths, "deepgram")


def test_a_port_that_somebody_has_by_now_is_replaced_and_the_engine_is_to_be_told(paths: StackPaths) -> None:
    known = stand_ins.want(paths, "deepgram")
    stand_ins.settle_ports(paths, but=1)
    assert stand_ins.wanted(paths) == known
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", known.port))
        taken.listen()
        stand_ins.settle_ports(paths, but=1)
        moved = stand_ins.wanted(paths)
    assert moved is not None
    assert moved.moved
    assert known.port not in (moved.port, moved.control_port)
    stand_ins.settled(paths)
    assert stand_ins.wanted(paths) == stand_ins.Wanted("deepgram", moved.port, moved.control_port)


DAMAGED = (
    "",
    "[]",
    '{"engine_type": "native_v2", "port": 1, "control_port": 2}',
    '{"engine_type": "../x", "port": 1, "control_port": 2}',
    '{"engine_type": "google", "port": "x"}',
    '{"engine_type": "google", "port": 70000, "control_port": 2}',
)


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_wants_nothing(paths: StackPaths, content: str) -> None:
    paths.stand_in.write_text(content)
    assert stand_ins.wanted(paths) is None


def test_a_stand_in_that_does_not_answer_is_one_clear_error(paths: StackPaths) -> None:
    known = stand_ins.want(paths, "deepgram")
    with pytest.raises(StackError, match="does not answer"):
        stand_ins.chaos(known)


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["--engine", "whisper"], 2, "whisper"),
        (["--engine", "google", "--chaos", "eror=0.1"], 2, "eror"),
        (["--engine", "google", "--chaos", "errors=1.5"], 2, "errors"),
        (["--engine", "google", "--chaos", "errors=0.9,drop=0.9"], 2, "more than 1"),
        (["--engine", "bundled", "--chaos", "errors=0.1"], 2, "stand-ins"),
        (["--engine", "google", "--reset"], 2, "--reset"),
        (["--chaos", "off", "--score"], 2, "--score"),
        (["--engine", "google"], 3, "not running"),
    ],
)
def test_a_wrong_command_line_is_one_line_that_names_it(
    paths: StackPaths, arguments: list[str], code: int, named: str
) -> None:
    line = [sys.executable, "-P", "-m", "stack", "demo", "--data", str(paths.data), *arguments]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, capture_output=True, text=True, env=env, timeout=60, cwd=Path("/"))
    assert done.returncode == code
    assert done.stderr.startswith("parlance: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert named in done.stderr
    assert not paths.stand_in.exists()


def test_going_back_waits_two_minutes_at_most_for_a_stand_in_and_goes(
    paths: StackPaths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = dict.fromkeys(demo_engine.FIGURES, 0) | {"calls": 2, "in_progress": 2}
    now = iter([0.0, 119.0, 121.0])
    monkeypatch.setattr(demo_engine, "DemoFollower", lambda _env, _log, tell: Told(tell, figures))
    monkeypatch.setattr(demo_engine, "running_environment", lambda _paths: {})
    monkeypatch.setattr(demo_engine, "is_supervised", lambda _paths: True)
    monkeypatch.setattr(demo_engine, "_manage", lambda _paths, *arguments: f"{' '.join(arguments)}\n")
    monkeypatch.setattr(demo_engine.time, "monotonic", lambda: next(now))
    monkeypatch.setattr(demo_engine.time, "sleep", lambda _seconds: None)
    stand_ins.want(paths, "deepgram")
    assert demo_engine.go_back(paths, 1800) == 0
    said = capsys.readouterr()
    assert "Not all demo calls have ended within 120 s" in said.err
    assert "--timeout" not in said.err
    assert "demo_engine bundled" in said.out
    assert stand_ins.wanted(paths) is None


class Told:
    """In place of the process that follows the demo: it says the same all the time."""

    def __init__(self, tell: Callable[[dict[str, int]], None], figures: dict[str, int]) -> None:
        self.tell, self.figures = tell, figures

    def start(self) -> None:
        self.tell(self.figures)

    def stop(self) -> None:
        """Nothing runs."""
