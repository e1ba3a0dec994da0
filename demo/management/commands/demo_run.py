"""``demo_run --since MOMENT``: what became of the demo's calls since they were transcribed anew."""

import json
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse
from django.utils import timezone

from demo.runs import run_since

# Where to look at what was done; the last is for people of a tenant.
PAGES = {"engines": "transcription:engines", "jobs": "jobs:jobs", "calls": "conversations:calls"}


class Command(BaseCommand):
    """One JSON object, with the paths of the pages that show it."""

    help = "Count recordings, words, failures and charges of the demo since a moment, as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        """The moment."""
        parser.add_argument("--since", required=True, help="as ISO 8601, with its offset")

    def handle(self, *args: Any, **options: Any) -> None:
        """Count and print."""
        try:
            since = datetime.fromisoformat(options["since"])
        except ValueError as error:
            raise CommandError(f"--since: {error}") from error
        if timezone.is_naive(since):
            raise CommandError("--since: the moment has no offset from UTC, such as +00:00")
        pages = {name: reverse(route) for name, route in PAGES.items()}
        self.stdout.write(json.dumps({**run_since(since).as_dict(), "pages": pages}))
