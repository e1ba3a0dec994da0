"""``import_calls DIR --tenant NAME``: take in a folder of recorded calls."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from conversations.import_reports import REFUSED, base_time_of, console_of, no_room, progress, show, write_report
from conversations.importer import Folder, Import, choose_format, entries_of
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
        base_time = base_time_of(options["base_time"])
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
            console = console_of(self.stdout)
            with progress(console, len(entries)) as step:
                report = work.run(entries, step)
        except InvalidInput as error:
            raise CommandError(str(error), returncode=2) from error
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise CommandError(no_room(error, "call"), returncode=1) from error
        finally:
            folder.close()
        show(console, report, dry_run=options["dry_run"])
        if options["report"]:
            write_report(options["report"], report)
        if report.count(REFUSED):
            sys.exit(1)
