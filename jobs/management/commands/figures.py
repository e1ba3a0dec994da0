"""``figures rebuild``: make the figures of the last eight days anew from the processing records."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from jobs.figures.folding import rebuild


class Command(BaseCommand):
    """Exit code 0: done."""

    help = "Make the figures of home, alerts and /metrics anew from the processing records. Passes wait meanwhile."

    def add_arguments(self, parser: CommandParser) -> None:
        """One verb."""
        parser.add_argument("verb", choices=["rebuild"])

    def handle(self, *args: Any, **options: Any) -> None:
        """Rebuild and say how many rows there are."""
        self.stdout.write(f"{rebuild()} rows of figures were made from the records.")
