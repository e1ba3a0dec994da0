"""The command line: every foreseen trouble is one line, no traceback, and an exit code that means something."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from stack import datadir
from stack.cli.main import main
from stack.demofigures import is_final, parse
from stack.environment import stack_environment
from stack.files import write_json
from stack.paths import ROOT, StackPaths
from stack.ports import first_free, is_free
from stack.processes import boot_id, is_alive, start_ticks, wait_until
from stack.secrets import load_secrets
from stack.state import is_supervised, orphans, read_state, supervisor_lock
from stack.supervise import clean_orphans


def parlance(paths: StackPaths, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would, in a process of its own."""
    line = [sys.executable, "-P", "-m", "stack", command, "--data", str(paths.data), *arguments]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    env = {name: value for name, value in env.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    return subprocess.run(line, capture_output=True, text=True, env=env, timeout=60, cwd=paths.data.parent)


def one_clear_line(text: str) -> bool:
    return "Traceback" not in text and len(text.strip().splitlines()) == 1 and text.startswith("parlance: ")


@pytest.mark.parametrize(("command", "arguments"), [("status", []), ("status", ["--json"]), ("down", []), ("demo", [])])
def test_nothing_running_is_exit_code_3(paths: StackPaths, command: str, arguments: list[str]) -> None:
    done = parlance(paths, command, *arguments)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_status_as_json_has_its_published_shape_also_when_nothing_runs(paths: StackPaths) -> None:
    report = json.loads(parlance(paths, "status", "--json").stdout)
    assert report["web"] == {"url": None, "healthy": False}
    assert report["processes"] == []
    assert set(report["demo"]) == {"calls", "completed", "skipped", "failed", "in_progress", "to_analyse"}


def test_a_command_that_needs_the_database_says_that_nothing_runs(paths: StackPaths) -> None:
    done = parlance(paths, "manage", "migrate_all")
    assert done.returncode == 3
    assert one_clear_line(done.stderr)


def test_a_busy_port_names_its_holder_and_the_option(paths: StackPaths) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        done = parlance(paths, "up", "--detach", "--port", str(port))
    assert done.returncode == 1
    assert one_clear_line(done.stderr)
    assert f"Port {port} is taken by process {os.getpid()}" in done.stderr
    assert "--port" in done.stderr
    assert not is_supervised(paths)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "web"])
def test_a_port_out_of_range_is_a_wrong_command_line(paths: StackPaths, port: str) -> None:
    done = parlance(paths, "up", f"--port={port}")
    assert done.returncode == 2
    assert "1 to 65535" in done.stderr
    assert not paths.data.exists()


def test_a_foreign_data_directory_is_refused(paths: StackPaths) -> None:
    paths.data.mkdir()
    (paths.data / "letter.txt").write_text("mine")
    done = parlance(paths, "up", "--detach")
    assert done.returncode == 1
    assert one_clear_line(done.stderr)
    assert "--data" in done.stderr


def test_up_on_a_running_stack_says_so_with_its_address(paths: StackPaths, capsys: pytest.CaptureFixture[str]) -> None:
    datadir.prepare(paths)
    write_json(paths.state, {"url": "http://localhost:8123/", "phase": "running"})
    with supervisor_lock(paths):
        assert main(["up", "--data", str(paths.data)]) == 4
    assert "already running: http://localhost:8123/" in capsys.readouterr().out


def test_the_lock_of_a_killed_supervisor_is_free_again(paths: StackPaths) -> None:
    datadir.prepare(paths)
    code = "import sys, time; from stack.state import *; from stack.paths import *\nwith supervisor_lock(StackPaths.at(sys.argv[1])):\n    print('held', flush=True); time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(paths.data)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_supervised(paths)
        holder.kill()
        holder.wait()
        assert not is_supervised(paths)


def test_what_a_killed_supervisor_left_is_ended_but_never_a_stranger(paths: StackPaths) -> None:
    datadir.prepare(paths)
    with (
        subprocess.Popen(["sleep", "600"], start_new_session=True) as left,
        subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger,
    ):
        ticks = start_ticks(stranger.pid)
        assert ticks is not None
        recorded = [
            {"name": "web", "pid": left.pid, "started": start_ticks(left.pid)},
            # The id was ours once, but the process that has it now started at another time.
            {"name": "worker", "pid": stranger.pid, "started": ticks - 1},
        ]
        write_json(paths.state, {"boot_id": "of another boot", "processes": recorded})
        assert orphans(paths) == []
        write_json(paths.state, {"boot_id": boot_id(), "processes": recorded})
        assert [entry["name"] for entry in orphans(paths)] == ["web"]
        assert parlance(paths, "status").returncode == 3 or is_alive(left.pid)

        # A child of ours stays a zombie until it is reaped, so wait for it beside the cleaning.
        assert clean_orphans(paths) == 1
        assert left.wait(timeout=10) == -signal.SIGTERM
        assert is_alive(stranger.pid)
        stranger.kill()
    assert wait_until(lambda: orphans(paths) == [], 5.0)


DAMAGED = [
    *(
        "",
        "{",
        "[]",
        "null",
        '"x"',
        "[" * 100_000,
        "\x00",
        '{"processes": "x"}',
        '{"processes": {}}',
        '{"processes": [1]}',
    ),
    *('{"processes": [{}]}', '{"processes": [{"name": []}]}', '{"processes": [{"name": "web", "pid": "../1"}]}'),
    *('{"port": "x"}', '{"port": 99999999}', '{"port": -1}', '{"port": null}', '{"supervisor": 1}', '{"demo": []}'),
    *('{"supervisor": {"pid": "x"}}', '{"demo": {}}', '{"url": {}}', '{"phase": []}', '{"processes": null}'),
]


@pytest.mark.parametrize("text", DAMAGED)
@pytest.mark.parametrize("supervised", [False, True])
def test_a_damaged_state_is_no_state(
    paths: StackPaths, text: str, supervised: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    datadir.prepare(paths)
    write_json(paths.state, {"boot_id": boot_id(), "port": 1, "processes": [{"name": "web", "pid": None}]})
    assert read_state(paths)["processes"] == [{"name": "web", "pid": None}]
    paths.state.write_text(text)
    assert read_state(paths) == {}
    with supervisor_lock(paths) if supervised else nullcontext():
        assert main(["status", "--json", "--data", str(paths.data)]) == (1 if supervised else 3)
    assert json.loads(capsys.readouterr().out)["processes"] == []
    assert orphans(paths) == []


def test_logs_of_an_unknown_process_names_those_there_are(paths: StackPaths) -> None:
    datadir.prepare(paths)
    (paths.logs / "web.log").write_text("hello\n")
    assert parlance(paths, "logs", "web").stdout == "hello\n"
    done = parlance(paths, "logs", "nothing")
    assert done.returncode == 2
    assert "there are: web" in done.stderr


def test_servers_outside_take_the_place_of_our_own(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    datadir.prepare(paths)
    secrets = load_secrets(paths)
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    own = stack_environment(paths, secrets, web_port=8000, speech_port=8600)
    assert str(paths.sockets) in own["DATABASE_URL"]
    assert str(paths.sockets) in own["REDIS_URL"]
    monkeypatch.setenv("DATABASE_URL", "postgresql://outside/parlance")
    monkeypatch.setenv("REDIS_URL", "redis://outside:6379/0")
    outside = stack_environment(paths, secrets, web_port=8000, speech_port=8600)
    assert (outside["DATABASE_URL"], outside["REDIS_URL"]) == (
        "postgresql://outside/parlance",
        "redis://outside:6379/0",
    )


def test_the_first_free_port_skips_a_taken_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert first_free(port) > port


def test_demo_figures_are_final_when_every_call_has_ended() -> None:
    figures = parse('{"calls": 3, "completed": 1, "skipped": 1, "failed": 0, "in_progress": 1, "to_analyse": 1}')
    assert figures is not None
    assert not is_final(figures)
    assert not is_final(figures | {"failed": 1, "in_progress": 0}), "AI tasks are still asked about one"
    assert is_final(figures | {"failed": 1, "in_progress": 0, "to_analyse": 0})
    assert not is_final(dict.fromkeys(figures, 0)), "no calls yet is not an end"
    assert parse("a word of warning") is None


def test_the_bootstrap_is_plain_posix_shell() -> None:
    script = Path(ROOT / "parlance")
    assert os.access(script, os.X_OK)
    assert subprocess.run(["sh", "-n", str(script)], capture_output=True).returncode == 0
