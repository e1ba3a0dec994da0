"""``miaop-client``: submit a folder to a server of the offline-task API, list its tasks, check it against the contract."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from stack.miaop_client.checks import Outcome, run_checks
from stack.miaop_client.errors import DEVIATIONS, DONE, EXIT_CODES, NOT_TRANSCRIBED, WRONG_USAGE, ClientError, Refused
from stack.miaop_client.fetching import fetch
from stack.miaop_client.listing import filter_of, listed, moment_ms
from stack.miaop_client.polling import poll
from stack.miaop_client.saving import folder_of
from stack.miaop_client.server import Server
from stack.miaop_client.settings import Settings, read_config, settle
from stack.miaop_client.submitting import audio_in, submit

DESCRIPTION = "A client of the offline-task API, for any server of it."
NOTES = """Values are read from config.env; the flags -u -p -t --tn -d -s -l --gai stand above their key of it.
The password may come from MIAOP_PASSWORD or be asked for, so that no list of processes shows it.

"""


def run(arguments: list[str]) -> int:
    """One run of the client. Raises ClientError."""
    options = _parser().parse_args(arguments)
    settings = _settings(options)
    console = Console(highlight=False, markup=False)
    with Server(settings) as server:
        if options.check:
            return _check(server, console, options)
        try:
            if options.action == "list":
                return _list(server, console, options)
            return _submit(server, console, options)
        finally:
            server.sign_out()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="parlance miaop-client",
        description=DESCRIPTION,
        epilog=NOTES + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "action",
        nargs="?",
        choices=("submit", "list"),
        default="submit",
        help="submit a folder (default) or list tasks",
    )
    add("--check", action="store_true", help="instead, print every deviation of the server from the contract")
    add("--config", type=Path, metavar="FILE", help="instead of ./config.env")
    add("-u", dest="USERNAME", metavar="NAME", help="user name (USERNAME)")
    add("-p", dest="PASSWORD", metavar="PASSWORD", help="password (PASSWORD)")
    add("-t", dest="TENANT", metavar="TENANT", help="tenant (TENANT)")
    add("--tn", dest="TASK_NAME", metavar="NAME", help="name of the task (TASK_NAME)")
    add("-d", dest="FILES_DIR", metavar="DIR", help="folder of audio files (FILES_DIR)")
    add("-s", dest="SUPERVISOR_EMAIL", metavar="EMAIL", help="e-mail of the supervisor (SUPERVISOR_EMAIL)")
    add("-l", dest="BASE_LANGUAGE", metavar="LANGUAGE", help="language, such as Hebrew (BASE_LANGUAGE)")
    add("--gai", dest="GENERIC_ADDITIONAL_INFO", metavar="JSON", help="a JSON object (GENERIC_ADDITIONAL_INFO)")
    add("--ca", type=Path, metavar="FILE", help="trust the certificates of this file instead of the system's")
    add("--insecure", action="store_true", help="do not look at certificates; for tests only")
    add(
        "--out", type=Path, default=Path("transcripts"), metavar="DIR", help="where results go (default: ./transcripts)"
    )
    add("--interval", type=_seconds, default=5.0, metavar="SECONDS", help="between two questions (default 5)")
    add("--timeout", type=_seconds, default=14_400.0, metavar="SECONDS", help="give up waiting after (default 14400)")
    add("--filter", metavar="JSON", help="list: the filter as the API takes it, instead of the four below")
    add("--since", metavar="TIME", help="list: changed at or after, ISO 8601")
    add("--until", metavar="TIME", help="list: changed before, ISO 8601")
    add("--all", action="store_true", help="list: archived tasks too")
    add("--json", action="store_true", help="list and --check: JSON instead of text")
    return parser


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0.1 <= found <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds")
    return found


def _settings(options: argparse.Namespace) -> Settings:
    path = options.config or Path("config.env")
    stored = read_config(path) if options.config or path.exists() else {}
    names = ("USERNAME", "PASSWORD", "TENANT", "TASK_NAME", "FILES_DIR", "SUPERVISOR_EMAIL", "BASE_LANGUAGE")
    flags = {name: getattr(options, name) for name in (*names, "GENERIC_ADDITIONAL_INFO")}
    ask = (lambda: getpass.getpass("Password: ")) if sys.stdin.isatty() else None
    return settle(stored, flags, ask=ask, ca=options.ca, verify=not options.insecure)


def _submit(server: Server, console: Console, options: argparse.Namespace) -> int:
    files = audio_in(server.settings.folder)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), TextColumn("{task.fields[words]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        total = sum(path.stat().st_size for path in files)
        bar = progress.add_task("Uploading", total=total, words=f"{len(files)} files")
        task_id = submit(server, files, advance=lambda count: progress.advance(bar, count))
        console.print(f"Task {task_id}: {len(files)} files submitted")
        progress.reset(bar, total=None, description="Waiting", words="")

        def ask() -> dict[str, Any]:
            found = server.json("GET", f"/api/tasks/{task_id}")
            return found if isinstance(found, dict) else {}

        states = poll(ask, pause=time.sleep, clock=time.monotonic, interval=options.interval, timeout=options.timeout)
        for task in states:
            _show(progress, bar, task)
    folder = folder_of(options.out, task_id)
    failed = fetch(server, task, [path.name for path in files], folder)
    for words in failed:
        console.print(words, soft_wrap=True)
    console.print(f"{len(files) - len(failed)} of {len(files)} transcripts are in {folder}", soft_wrap=True)
    return NOT_TRANSCRIBED if failed else DONE


def _show(progress: Progress, bar: Any, task: dict[str, Any]) -> None:
    """Servers that tell the status of meetings get a bar that fills; others one that moves."""
    meetings = [each for each in task.get("meetings", []) if isinstance(each, dict)]
    known = [each.get("status") for each in meetings]
    ended = sum(status in ("sttDone", "error") for status in known)
    total = len(known) if known and all(known) else None
    words = f"{ended} of {total} files" if total else ""
    progress.update(bar, description=str(task["taskStatus"]), total=total, completed=ended, words=words)


def _list(server: Server, console: Console, options: argparse.Namespace) -> int:
    if options.filter is None:
        text = json.dumps(
            filter_of(
                since=moment_ms(options.since),
                until=moment_ms(options.until),
                archived=options.all,
                tenant=options.TENANT or "",
                supervisor=options.SUPERVISOR_EMAIL or "",
            ),
            ensure_ascii=False,
        )
    else:
        text = options.filter
    try:
        tasks = listed(server, text)
    except Refused as error:
        raise ClientError(str(error), exit_code=WRONG_USAGE if error.status == 400 else error.exit_code) from error
    if options.json:
        console.print_json(json.dumps(tasks, ensure_ascii=False), ensure_ascii=False)
        return DONE
    table = Table("Task", "Name", "Status", "Files", "Changed (UTC)", "Supervisor", box=None, pad_edge=False)
    for task in tasks:
        changed = task.get("taskUpdateTimeNumeric")
        stamp = f"{datetime.fromtimestamp(changed / 1000, UTC):%Y-%m-%d %H:%M:%S}" if isinstance(changed, int) else ""
        supervisor = task.get("supervisor")
        email = supervisor.get("email", "") if isinstance(supervisor, dict) else ""
        row = (task.get("taskId"), task.get("taskName"), task.get("taskStatus"), len(task.get("meetings") or []))
        table.add_row(*(str(value) for value in (*row, stamp, email)))
    console.print(table)
    return DONE


def _check(server: Server, console: Console, options: argparse.Namespace) -> int:
    outcomes: list[Outcome] = []
    for outcome in run_checks(server, interval=options.interval, timeout=options.timeout):
        outcomes.append(outcome)
        if not options.json:
            console.print(outcome.line(), soft_wrap=True)
    found = sum(len(outcome.deviations) for outcome in outcomes)
    if options.json:
        console.print_json(json.dumps([outcome.record() for outcome in outcomes], ensure_ascii=False))
    else:
        skipped = sum(bool(outcome.skipped) for outcome in outcomes)
        console.print(f"{len(outcomes)} checks, {found} deviations, {skipped} skipped")
    return DEVIATIONS if found else DONE
