"""``statement verify FILE``: prove a monthly statement, offline but for the database of this installation."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from usage.verifying import check_file

MAX_BYTES = 256 * 1024 * 1024


class Command(BaseCommand):
    """Exit code 0: proved; 1: not as it was issued; 2: the file cannot be read."""

    help = "Prove a signed monthly statement: its bytes, its signature and its digest in the ledger."

    def add_arguments(self, parser: CommandParser) -> None:
        """One verb, one file."""
        parser.add_argument("verb", choices=["verify"])
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Print each check and the verdict."""
        path: Path = options["file"]
        try:
            if path.stat().st_size > MAX_BYTES:
                raise CommandError(f"{path} is too large for a statement.", returncode=2)
            raw = path.read_bytes()
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.", returncode=2) from error
        findings = check_file(raw)
        for finding in findings:
            word = {True: "ok     ", False: "FAILED ", None: "skipped"}[finding.passed]
            self.stdout.write(f"{word} {finding.text}")
        if any(finding.passed is False for finding in findings):
            self.stdout.write("FAILED: this is not a statement as it was issued.")
            sys.exit(1)
        self.stdout.write("OK: the statement is as it was issued.")
