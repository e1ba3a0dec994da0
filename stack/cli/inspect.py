"""``status``, ``down`` and ``logs``."""

from __future__ import annotations

import argparse
import json
import signal
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from stack.cli.display import sign_in_table
from stack.cli.manage import running_environment
from stack.demofigures import FIGURES, ask_once, is_final
from stack.errors import EXIT_FAILED, EXIT_NOT_RUNNING, EXIT_OK, EXIT_USAGE, StackError
from stack.paths import StackPaths
from stack.processes import send, start_ticks, wait_until
from stack.readiness import readiness
from stack.state import is_supervised, orphans, read_state, supervisor_lock
from stack.supervise import clean_orphans

STOP_S = 40.0
TAIL_LINES = 40
FOLLOW_S = 0.3


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the commands of this module."""
    status = commands.add_parser(
        "status", parents=[shared], help="show what runs; exit 0 healthy, 1 not, 3 not running"
    )
    status.add_argument("--json", action="store_true", help="print it as JSON")
    status.add_argument("--sign-ins", action="store_true", help="also show the demo's people and their passwords")
    status.set_defaults(run=run_status)
    down = commands.add_parser("down", parents=[shared], help="stop the stack; the data stays")
    down.set_defaults(run=run_down)
    logs = commands.add_parser("logs", parents=[shared], help="show the logs, or that of one process")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as lines are written")
    logs.add_argument(
        "process", nargs="?", help="postgres, valkey, web, worker, beat, speech, demo, setup or supervisor"
    )
    logs.set_defaults(run=run_logs)


def run_status(options: argparse.Namespace) -> int:
    """Show what runs."""
    report, code = status_report(options.paths)
    if options.json:
        print(json.dumps(report))
        return code
    if code == EXIT_NOT_RUNNING:
        print("The stack is not running: start it with ./parlance up")
        return code
    healthy = "healthy" if report["web"]["healthy"] else "not healthy"
    print(f"{report['web']['url']} ({healthy}, {report['phase']})")
    for entry in report["processes"]:
        again = f", restarted {entry['restarts']}×" if entry["restarts"] else ""
        print(f"  {entry['name']:<9} {entry['state']:<11} {entry['pid'] or '-'}{again}")
    if report["demo"]["calls"] is not None:
        print("  demo      " + ", ".join(f"{report['demo'][name]} {name.replace('_', ' ')}" for name in FIGURES))
    if options.sign_ins:
        Console().print(sign_in_table(options.paths))
    return code


def status_report(paths: StackPaths) -> tuple[dict[str, Any], int]:
    """Return the status as published by ``--json``, and the exit code."""
    state = read_state(paths)
    processes = [
        {name: entry.get(name) for name in ("name", "pid", "state", "restarts")} for entry in state.get("processes", [])
    ]
    supervised = is_supervised(paths)
    if not supervised:
        living = {entry["name"] for entry in orphans(paths)}
        for entry in processes:
            entry["state"] = "orphaned" if entry["name"] in living else "stopped"
            entry["pid"] = entry["pid"] if entry["name"] in living else None
        code = EXIT_FAILED if living else EXIT_NOT_RUNNING
        healthy, phase = False, "stopped"
    else:
        healthy, phase = readiness(int(state.get("port", 0))).ready, str(state.get("phase"))
        well = healthy and phase == "running" and all(entry["state"] == "running" for entry in processes)
        code = EXIT_OK if well else EXIT_FAILED
    report = {
        "web": {"url": state.get("url"), "healthy": healthy},
        "phase": phase,
        "error": state.get("error"),
        "processes": processes,
        "demo": demo_figures(paths, state) if healthy else dict.fromkeys(FIGURES),
    }
    return report, code


def demo_figures(paths: StackPaths, state: dict[str, Any]) -> dict[str, Any]:
    """Return how far the demo is: as followed while it is under way, else asked anew (it may have been reset)."""
    followed = state.get("demo")
    if followed and not is_final(followed):
        return dict(followed)
    return ask_once(running_environment(paths)) or dict.fromkeys(FIGURES)


def run_down(options: argparse.Namespace) -> int:
    """Stop the stack, or what a killed supervisor has left of it."""
    paths: StackPaths = options.paths
    if not is_supervised(paths):
        if not orphans(paths):
            print("The stack is not running")
            return EXIT_NOT_RUNNING
        with supervisor_lock(paths):
            clean_orphans(paths)
        print("Stopped what a killed stack had left")
        return EXIT_OK
    supervisor = read_state(paths).get("supervisor", {})
    pid = supervisor.get("pid")
    if not pid or start_ticks(pid) != supervisor.get("started"):
        raise StackError("The stack is just starting: try again in a moment")
    send(pid, signal.SIGTERM)
    if not wait_until(lambda: not is_supervised(paths), STOP_S, poll_s=0.1):
        send(pid, signal.SIGKILL)
        wait_until(lambda: not is_supervised(paths), 5.0)
        with supervisor_lock(paths):
            clean_orphans(paths)
    print("Stopped")
    return EXIT_OK


def run_logs(options: argparse.Namespace) -> int:
    """Print the ends of the logs, and go on following when asked to."""
    logs = sorted(options.paths.logs.glob("*.log"))
    if options.process:
        names = ", ".join(log.stem for log in logs) or "none yet"
        logs = [log for log in logs if log.stem == options.process]
        if not logs:
            raise StackError(f"There is no log of {options.process}; there are: {names}", exit_code=EXIT_USAGE)
    if not logs:
        raise StackError("There are no logs yet: start the stack with ./parlance up", exit_code=EXIT_NOT_RUNNING)
    prefix = len(logs) > 1
    positions = {}
    for log in logs:
        lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        positions[log] = log.stat().st_size
        _print(log, lines, prefix=prefix)
    while options.follow:
        time.sleep(FOLLOW_S)
        for log in logs:
            positions[log] = _print_new(log, positions[log], prefix=prefix)
    return EXIT_OK


def _print_new(log: Path, position: int, *, prefix: bool) -> int:
    size = log.stat().st_size
    if size == position:
        return position
    with log.open("rb") as file:
        # A smaller file has been rotated: read it from its beginning.
        file.seek(position if size > position else 0)
        text = file.read().decode(errors="replace")
        _print(log, text.splitlines(), prefix=prefix)
        return file.tell()


def _print(log: Path, lines: list[str], *, prefix: bool) -> None:
    for line in lines:
        print(f"{log.stem:<10} {line}" if prefix else line, flush=True)
