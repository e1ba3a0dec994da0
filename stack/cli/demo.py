"""``demo``: wait for the demo calls, score them, start them over, put them through the stand-in of a vendor."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from typing import Any

from stack import stand_ins
from stack.cli.inspect import demo_figures
from stack.cli.manage import running_environment
from stack.demofigures import is_final
from stack.errors import EXIT_FAILED, EXIT_NOT_RUNNING, EXIT_OK, EXIT_USAGE, StackError
from stack.paths import ROOT, StackPaths
from stack.state import is_supervised, read_state

POLL_S = 1.0
WAIT_TIMEOUT_S, ENGINE_TIMEOUT_S = 300.0, 1800.0


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command of this module."""
    demo = commands.add_parser(
        "demo",
        parents=[shared],
        help="wait for the demo calls, score them, start them over, or use the stand-in of a speech vendor",
    )
    what = demo.add_mutually_exclusive_group()
    what.add_argument("--wait", action="store_true", help="return when every demo call has ended (the default)")
    what.add_argument(
        "--score", action="store_true", help="word error rate and answers of AI tasks, as they lie in the database"
    )
    what.add_argument("--reset", action="store_true", help="remove the demo's work and do it again")
    names = ", ".join(sorted(stand_ins.STAND_INS))
    engine = f"transcribe the calls anew with the stand-in of a vendor ({names}); bundled: back to the speech server"
    demo.add_argument("--engine", metavar="NAME", help=engine)
    chaos = "rehearse an outage of the stand-in, such as errors=0.1,throttle=0.2,slow_ms=800; off: end it"
    demo.add_argument("--chaos", metavar="SETTINGS", help=chaos)
    timeout = "for --wait (default 300) and --engine (default 1800)"
    demo.add_argument("--timeout", type=float, metavar="SECONDS", help=timeout)
    demo.add_argument("--yes", action="store_true", help="for --reset: do not ask")
    demo.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what was asked; raises :class:`StackError` when the stack is not running, or the command line is wrong."""
    paths: StackPaths = options.paths
    by_engine = options.engine is not None or options.chaos is not None
    if by_engine and (options.wait or options.score or options.reset):
        raise StackError("--engine and --chaos go with neither --wait, --score nor --reset", exit_code=EXIT_USAGE)
    options.timeout = options.timeout or (ENGINE_TIMEOUT_S if by_engine else WAIT_TIMEOUT_S)
    if by_engine:
        return _by_engine(options)
    _demand_running(paths)
    if options.score:
        return max(_manage(paths, "demo_score"), _manage(paths, "demo_answers"))
    if options.reset:
        _confirm(options.yes)
        if stand_ins.wanted(paths) is not None:
            from stack.cli import demo_engine

            # What is in progress is aborted by the reset.
            demo_engine.go_back(paths, options.timeout, wait=False)
        return _manage(paths, "demo_reset")
    return _wait(paths, options.timeout)


def _by_engine(options: argparse.Namespace) -> int:
    # It brings the stand-ins' own judgement of settings with it: most of a second that no other command shall wait for.
    from stack.cli import demo_engine

    asked = demo_engine.read(options)
    _demand_running(options.paths)
    return demo_engine.run(options.paths, asked)


def _demand_running(paths: StackPaths) -> None:
    if not is_supervised(paths):
        raise StackError("The stack is not running: start it with ./parlance up", exit_code=EXIT_NOT_RUNNING)


def _wait(paths: StackPaths, timeout_s: float) -> int:
    deadline = time.monotonic() + timeout_s
    figures: dict[str, Any] = {}
    while time.monotonic() < deadline:
        if not is_supervised(paths):
            raise StackError("The stack has stopped", exit_code=EXIT_NOT_RUNNING)
        state = read_state(paths)
        if state.get("phase") == "running":
            figures = demo_figures(paths, state)
            if figures["calls"] is not None and is_final(figures):
                print(_words(figures))
                return EXIT_OK
        time.sleep(POLL_S)
    print(f"Not all demo calls have ended within {timeout_s:g} s: {_words(figures)}", file=sys.stderr)
    return EXIT_FAILED


def _words(figures: dict[str, Any]) -> str:
    if figures.get("calls") is None:
        return "their figures cannot be read, see ./parlance logs demo"
    return ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in figures.items())


def _confirm(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise StackError("--reset removes the demo's calls and transcripts: say --yes to confirm", exit_code=2)
    if input("Remove the demo's calls and transcripts and load them again? [y/N] ").strip().lower() not in ("y", "yes"):
        raise StackError("Nothing was changed")


def _manage(paths: StackPaths, command: str) -> int:
    done = subprocess.run([sys.executable, str(ROOT / "manage.py"), command], env=running_environment(paths), cwd=ROOT)
    return EXIT_OK if done.returncode == 0 else EXIT_FAILED
