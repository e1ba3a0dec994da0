"""``demo --engine``: the demo's calls through the stand-in of a speech vendor, and ``--chaos``: through an outage."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from emulators.chaos import ChaosSettings, parse
from stack import stand_ins
from stack.cli.manage import running_environment
from stack.demofigures import FIGURES, DemoFollower, is_final
from stack.errors import EXIT_FAILED, EXIT_NOT_RUNNING, EXIT_OK, EXIT_USAGE, StackError
from stack.paths import ROOT, StackPaths
from stack.state import is_supervised, read_state

BUNDLED = "bundled"
POLL_S = 0.5
# What a stand-in has not ended by then, it will not end: the bundled server begins it anew.
BACK_S = 120.0
OFF = ChaosSettings()


@dataclass(frozen=True)
class Asked:
    """What the command line says; ``chaos`` None leaves what is set."""

    engine: str | None
    chaos: ChaosSettings | None
    timeout_s: float


def read(options: argparse.Namespace) -> Asked:
    """Judge the options before anything is done. Raises :class:`StackError` that names what is wrong."""
    if options.engine is not None and options.engine not in {BUNDLED, *stand_ins.STAND_INS}:
        names = ", ".join(sorted(stand_ins.STAND_INS))
        raise StackError(
            f"--engine {options.engine}: there is no such stand-in; use {BUNDLED}, {names}", exit_code=EXIT_USAGE
        )
    if options.chaos is None:
        return Asked(options.engine, None, options.timeout)
    try:
        settings = OFF if options.chaos == "off" else parse(options.chaos)
    except ValueError as error:
        raise StackError(f"--chaos {error}", exit_code=EXIT_USAGE) from None
    if options.engine == BUNDLED and settings.active:
        raise StackError("--chaos is for stand-ins: the bundled speech server has no outages", exit_code=EXIT_USAGE)
    return Asked(options.engine, settings, options.timeout)


def run(paths: StackPaths, asked: Asked) -> int:
    """Do it on the running stack and show how it goes; the exit code says whether every call has ended."""
    if read_state(paths).get("phase") != "running":
        raise StackError("The stack is still starting: try again in a moment", exit_code=EXIT_NOT_RUNNING)
    if asked.engine is None:
        return _change_chaos(paths, asked.chaos or OFF)
    if asked.engine == BUNDLED:
        return go_back(paths, asked.timeout_s)
    _await_end(paths, asked.timeout_s, "the demo as it is")
    known = stand_ins.want(paths, asked.engine)
    stand_ins.await_ready(known)
    rehearsing = _set_chaos(known, asked.chaos)
    since, began = datetime.now(UTC), time.monotonic()
    arguments = [str(stand_ins.facts_file(paths, known)), "--again", *(["--rehearsing"] if rehearsing else [])]
    print(_manage(paths, "demo_engine", *arguments), end="")
    ended = _await_end(paths, asked.timeout_s, asked.engine, must=False)
    _report(paths, known, since, time.monotonic() - began)
    return EXIT_OK if ended else EXIT_FAILED


def go_back(paths: StackPaths, timeout_s: float, *, wait: bool = True) -> int:
    """Lift chaos, let the stand-in end what it has, and use the bundled speech server again.

    That takes over what is still in progress after two minutes, or after ``timeout_s`` where that is less.
    """
    known = stand_ins.wanted(paths)
    if known is not None:
        _lift(known)
    if wait:
        _await_end(paths, min(timeout_s, BACK_S), "what the stand-in still has", must=False)
    print(_manage(paths, "demo_engine", BUNDLED), end="")
    stand_ins.unwant(paths)
    print("The transcripts stay as they are; ./parlance demo --reset makes them anew.")
    return EXIT_OK


def _lift(known: stand_ins.Wanted) -> None:
    try:
        stand_ins.chaos(known, OFF.model_dump())
    except StackError as error:
        # It goes anyway.
        print(f"parlance: {error}", file=sys.stderr)


def _change_chaos(paths: StackPaths, settings: ChaosSettings) -> int:
    known = stand_ins.wanted(paths)
    if known is None:
        raise StackError("No stand-in runs: name one with --engine", exit_code=EXIT_USAGE)
    rehearsing = _set_chaos(known, settings)
    facts = str(stand_ins.facts_file(paths, known))
    print(_manage(paths, "demo_engine", facts, *(["--rehearsing"] if rehearsing else [])), end="")
    return EXIT_OK


def _set_chaos(known: stand_ins.Wanted, settings: ChaosSettings | None) -> bool:
    """Set it, or leave it; say what is in force, and whether an outage is rehearsed."""
    answer = stand_ins.chaos(known, None if settings is None else settings.model_dump())
    try:
        standing = ChaosSettings.model_validate(answer["settings"])
    except (ValidationError, KeyError):
        raise StackError("The stand-in's answer about chaos makes no sense") from None
    if standing.active:
        shown = ",".join(f"{name}={value}" for name, value in standing.model_dump(exclude_defaults=True).items())
        print(f"REHEARSING AN OUTAGE: {shown} (end it with ./parlance demo --chaos off)")
    return standing.active


def _await_end(paths: StackPaths, timeout_s: float, what: str, *, must: bool = True) -> bool:
    """Follow the demo to its end, a line each time that figures change.

    When that takes longer than ``timeout_s``: False, or a :class:`StackError` where it ``must`` end.
    """
    newest: dict[str, int] = {}
    # One process that goes on asking: to start one for each question would take more than the demo itself.
    follower = DemoFollower(running_environment(paths), paths.logs / "demo.log", newest.update)
    follower.start()
    try:
        return _follow(paths, newest, timeout_s, what, must=must)
    finally:
        follower.stop()


def _follow(paths: StackPaths, newest: Mapping[str, int], timeout_s: float, what: str, *, must: bool) -> bool:
    """As ``_await_end``; ``newest`` is kept up to date by somebody else, and empty until figures are known."""
    deadline, shown = time.monotonic() + timeout_s, ""
    while True:
        if not is_supervised(paths):
            raise StackError("The stack has stopped", exit_code=EXIT_NOT_RUNNING)
        if must and newest and not newest["calls"]:
            raise StackError("There are no demo calls: start the stack without --no-demo")
        if is_final(newest):
            return True
        words = _figures(newest)
        if newest and words != shown:
            print(f"{what}: {words}", flush=True)
            shown = words
        if time.monotonic() > deadline:
            message = f"Not all demo calls have ended within {timeout_s:g} s ({words})"
            if must:
                raise StackError(f"{message}; --timeout waits longer")
            print(f"parlance: {message}", file=sys.stderr)
            return False
        time.sleep(POLL_S)


def _figures(figures: Mapping[str, int]) -> str:
    if not figures:
        return "the figures cannot be read, see ./parlance logs demo"
    return ", ".join(f"{figures[name]} {name.replace('_', ' ')}" for name in FIGURES)


def _report(paths: StackPaths, known: stand_ins.Wanted, since: datetime, seconds: float) -> None:
    run: dict[str, Any] = json.loads(_manage(paths, "demo_run", "--since", since.isoformat()))
    share = f" ({100 * run['same'] / run['compared']:.1f} %)" if run["compared"] else ""
    without = ", ".join(f"{number} {reason}" for reason, number in run["without"].items()) or "none"
    done = stand_ins.chaos(known)["done"]
    lines = [
        f"{run['recordings']} recordings transcribed by {', '.join(run['engines']) or 'nobody'} in {seconds:.0f} s",
        f"{run['words']} words; {run['same']} of {run['compared']} words of the bundled engine are the same{share}",
        f"without a transcript: {without}; in progress: {run['in_progress']}",
        f"charged: {run['charges']} recordings, {run['charged_s']} s, {run['charged_twice']} twice; "
        f"tries that failed: {run['errors']}",
    ]
    if done:
        lines.append("what went wrong on purpose: " + ", ".join(f"{number} {name}" for name, number in done.items()))
    url = str(read_state(paths).get("url", "")).rstrip("/")
    lines += [f"{name:<8} {url}{page}" for name, page in run["pages"].items()]
    lines.append(f"journal  {paths.stand_ins / known.name / 'journal.jsonl'} (requests of the stand-in, no text)")
    lines.append("Back to the bundled speech server: ./parlance demo --engine bundled")
    print("\n".join(lines))


def _manage(paths: StackPaths, *arguments: str) -> str:
    """What a management command prints. Raises :class:`StackError` with its last words when it fails."""
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    done = subprocess.run(command, env=running_environment(paths), cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise StackError(f"{arguments[0]} failed: {said[-1][:300] if said else 'it said nothing'}")
    return done.stdout
