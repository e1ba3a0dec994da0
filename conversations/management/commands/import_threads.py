"""``import_threads FILE --tenant NAME``: take in chats, tickets and e-mails."""

import sys
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandError, CommandParser

from conversations.import_reports import REFUSED, base_time_of, console_of, no_room, progress, show, write_report
from conversations.importer import Folder
from conversations.threads.importer import Mailbox, MailOptions, ThreadImport, choose_format, json_entries
from core.errors import InvalidInput
from core.files import NO_ROOM
from tenants.doors import TenantCommand, current_tenant


class Command(TenantCommand):
    """Exit code 0 when nothing was refused, 1 when something was, 2 when the command itself was called wrongly."""

    help = "Import text conversations from a file: one JSON object a line, or the e-mails of an mbox file."

    def add_arguments(self, parser: CommandParser) -> None:
        """The file, and how to read it."""
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="JSON lines or mbox")
        parser.add_argument("--format", choices=("auto", "jsonl", "mbox"), default="auto")
        parser.add_argument("--own-domain", action="append", default=[], help="mbox: its addresses are agents; repeat")
        parser.add_argument("--group", default="", help="mbox: group of all threads; default: that of the agent")
        parser.add_argument("--queue-name", default="", help="mbox: queue or campaign of all threads")
        parser.add_argument("--language", default="", help="mbox: language of all threads, like en-US")
        parser.add_argument("--report", type=Path, help="write the outcome of every thread to this JSON file")
        parser.add_argument("--dry-run", action="store_true", help="judge everything, store nothing")
        parser.add_argument("--base-time", help="ISO time with zone that started_at_offset_minutes counts from")

    def handle_inside(self, *args: Any, **options: Any) -> None:
        """Import, show the table of refusals, write the report."""
        base_time_of(options["base_time"])
        work = ThreadImport(tenant=current_tenant(), actor="system:import", dry_run=options["dry_run"])
        console = console_of(self.stdout)
        try:
            with _opened(options["file"]) as file:
                entries, total = _entries(file, options)
                with progress(console, total) as step:
                    report = work.run(entries, step)
        except InvalidInput as error:
            raise CommandError(str(error), returncode=2) from error
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise CommandError(no_room(error, "thread"), returncode=1) from error
        show(console, report, dry_run=options["dry_run"])
        if options["report"]:
            write_report(options["report"], report)
        if report.count(REFUSED):
            sys.exit(1)


def _opened(path: Path) -> BinaryIO:
    """The file, if it is a regular one (hostile 3D11)."""
    try:
        folder = Folder(path.parent)
    except OSError as error:
        raise CommandError(f"FILE: {path}: {error.strerror}", returncode=2) from error
    try:
        return folder.open(path.name, "FILE")
    except InvalidInput as error:
        raise CommandError(f"FILE: {path}: {error.message}", returncode=2) from error
    finally:
        folder.close()


def _entries(file: BinaryIO, options: dict[str, Any]) -> tuple[Any, int]:
    """The threads of the file and how many there are."""
    kind = choose_format(file) if options["format"] == "auto" else options["format"]
    if kind == "mbox":
        domains = tuple(domain.strip().lower().lstrip("@") for domain in options["own_domain"])
        fields = {name: options[name] for name in ("group", "queue_name", "language")}
        found = Mailbox(file, current_tenant(), MailOptions(domains=domains, **fields)).entries()
        return found, len(found)
    total = sum(1 for line in file if line.strip())
    file.seek(0)
    return json_entries(file, base_time_of(options["base_time"])), total
