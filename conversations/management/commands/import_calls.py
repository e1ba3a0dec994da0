"""``import_calls DIR --tenant NAME``: take in a folder of recorded calls."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

import orjson
from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from conversations.importer import (
    ALREADY,
    IMPORTED,
    REFUSED,
    Folder,
    Import,
    ImportReport,
    Outcome,
    choose_format,
    entries_of,
)
from core.errors import InvalidInput
from core.files import NO_ROOM
from tenants.doors import TenantCommand, current_tenant


class Command(TenantCommand):
    """Exit code 0 when nothing was refused, 1 when something was, 2 when the command itself was called wrongly."""

    help = "Import calls from a folder: audio files with NAME.json sidecars, or with one calls.csv."

    def add_arguments(self, parser: CommandParser) -> None:
        """The folder, and how to read it."""
        super().add_arguments(parser)
        parser.add_argument("directory", type=Path, help="folder with audio files and sidecars")
        parser.add_argument("--format", choices=("auto", "json", "csv"), default="auto")
        parser.add_argument("--report", type=Path, help="write the outcome of every call to this JSON file")
        parser.add_argument("--dry-run", action="store_true", help="judge everything, store nothing")
        parser.add_argument("--base-time", help="ISO time with zone that started_at_offset_minutes counts from")

    def handle_inside(self, *args: Any, **options: Any) -> None:
        """Import, show the table of refusals, write the report."""
        base_time = _base_time(options["base_time"])
        try:
            folder = Folder(options["directory"])
        except OSError as error:
            raise CommandError(f"DIR: {options['directory']}: {error.strerror}", returncode=2) from error
        try:
            kind = choose_format(folder) if options["format"] == "auto" else options["format"]
            entries = entries_of(folder, kind)
            work = Import(
                tenant=current_tenant(),
                actor="system:import",
                folder=folder,
                base_time=base_time,
                dry_run=options["dry_run"],
            )
            # Django's wrapper ends every write with a line break, which tears a progress bar apart.
            file = None if self.stdout.isatty() else cast(IO[str], self.stdout)
            console = Console(file=file, highlight=False)
            with _progress(console, len(entries)) as step:
                report = work.run(entries, step)
        except InvalidInput as error:
            raise CommandError(str(error), returncode=2) from error
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise CommandError(_no_room(error), returncode=1) from error
        finally:
            folder.close()
        _show(console, report, dry_run=options["dry_run"])
        if options["report"]:
            _write(options["report"], report)
        if report.count(REFUSED):
            sys.exit(1)


def _no_room(error: OSError) -> str:
    return (
        f"There is no room for the next call ({error.strerror}), so the import stopped. What was imported before is "
        "stored; make room and run the same command again: calls that are in are left out."
    )


def _write(path: Path, report: ImportReport) -> None:
    try:
        path.write_bytes(orjson.dumps(report.as_dict(), option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise CommandError(f"--report: {path}: {error.strerror}") from error


def _base_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise CommandError("--base-time: use a time with a zone, like 2026-11-21T09:30:00+00:00.", returncode=2)
    return moment


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[Outcome], None]]:
    """A bar on a terminal, one plain line a call elsewhere."""
    if not console.is_terminal:
        done = iter(range(1, total + 1))
        yield lambda outcome: console.print(f"{next(done)}/{total} {outcome.source}: {outcome.result}", markup=False)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("Importing", total=total)
        yield lambda outcome: bar.advance(task)


def _show(console: Console, report: ImportReport, *, dry_run: bool) -> None:
    """The refusals as a table, then the counts."""
    refused = [outcome for outcome in report.outcomes if outcome.result == REFUSED]
    if refused:
        table = Table("File", "External id", "Field", "Why", title="Refused")
        for outcome in refused:
            # As text: names come from outside and may hold markup or terminal codes.
            cells = (outcome.source, outcome.external_id, outcome.field, outcome.message)
            table.add_row(*(Text("".join(char for char in cell if char.isprintable())) for cell in cells))
        console.print(table)
    verb = "would be imported" if dry_run else "imported"
    counts = f"{report.count(IMPORTED)} {verb}, {report.count(ALREADY)} already imported, {len(refused)} refused"
    console.print(counts, markup=False)
