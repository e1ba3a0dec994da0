"""What an import did: the outcome of each call or thread, on the screen and in a report file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

import orjson
from django.core.management.base import CommandError, OutputWrapper
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

IMPORTED, UPDATED, ALREADY, REFUSED = "imported", "updated", "already imported", "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call or thread. ``source`` is its sidecar, row, line or file; ``field`` and ``message`` say why refused."""

    source: str
    external_id: str
    result: str
    field: str = ""
    message: str = ""

    def __post_init__(self) -> None:
        """File names are bytes of somebody else: what cannot be printed or written as JSON is shown escaped."""
        for name in ("source", "external_id", "message"):
            text: str = getattr(self, name)
            shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
            object.__setattr__(self, name, shown)


@dataclass
class ImportReport:
    """All outcomes in their order. ``things``: what is imported, in the plural; ``updates``: known ones may change."""

    things: str = "calls"
    updates: bool = False
    outcomes: list[Outcome] = field(default_factory=list)

    def count(self, result: str) -> int:
        """How many had this result."""
        return sum(outcome.result == result for outcome in self.outcomes)

    def as_dict(self) -> dict[str, Any]:
        """For the report file."""
        names = (IMPORTED, UPDATED, ALREADY, REFUSED) if self.updates else (IMPORTED, ALREADY, REFUSED)
        counts = {name: self.count(name) for name in names}
        return {"counts": counts, self.things: [asdict(outcome) for outcome in self.outcomes]}


def console_of(stdout: OutputWrapper) -> Console:
    """The screen of a command. Django's wrapper ends every write with a line break, which tears a progress bar apart."""
    return Console(file=None if stdout.isatty() else cast(IO[str], stdout), highlight=False)


def no_room(error: OSError, thing: str) -> str:
    """What to say when the disk is full before the next ``thing``."""
    return (
        f"There is no room for the next {thing} ({error.strerror}), so the import stopped. What was imported before is "
        "stored; make room and run the same command again: what is in is left out."
    )


def write_report(path: Path, report: ImportReport) -> None:
    """Write the report file. Raises CommandError."""
    try:
        path.write_bytes(orjson.dumps(report.as_dict(), option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise CommandError(f"--report: {path}: {error.strerror}") from error


def base_time_of(text: str | None) -> datetime | None:
    """The option --base-time. Raises CommandError."""
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
def progress(console: Console, total: int) -> Iterator[Callable[[Outcome], None]]:
    """A bar on a terminal, one plain line for each elsewhere."""
    if not console.is_terminal:
        done = iter(range(1, total + 1))
        yield lambda outcome: console.print(f"{next(done)}/{total} {outcome.source}: {outcome.result}", markup=False)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("Importing", total=total)
        yield lambda outcome: bar.advance(task)


def show(console: Console, report: ImportReport, *, dry_run: bool) -> None:
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
    counts = [f"{report.count(IMPORTED)} {verb}"]
    if report.updates:
        counts.append(f"{report.count(UPDATED)} {'would be ' if dry_run else ''}updated")
    counts += [f"{report.count(ALREADY)} already imported", f"{len(refused)} refused"]
    console.print(", ".join(counts), markup=False)
