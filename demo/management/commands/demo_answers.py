"""``demo_answers``: what the AI tasks answered on the demo, beside what a reader would say, and how long it took."""

from statistics import median
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from customfields.typed import plain
from demo.answers import Answered, agreement, answered


class Command(BaseCommand):
    """Fails while nothing is answered; whether the answers are good is for people to judge."""

    help = "Compare sentiment and topics of the demo conversations with what a reader would say."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a table and the counts."""
        rows = answered()
        times = [row.ms for row in rows if row.ms is not None]
        if not times:
            raise CommandError("No AI task has been asked about the demo: wait with ./parlance demo --wait.")
        table = Table("conversation", "language", "sentiment", "a reader", "topics", "a reader", "ms")
        for row in rows:
            table.add_row(*cells(row))
        Console(width=150).print(table)
        found = agreement(rows)
        self.stdout.write(
            f"sentiment: {found.scored} of {found.conversations} conversations scored, {found.bands} in the reader's band; "
            f"topics: {found.named} named, {found.right} of them among the reader's {found.wanted}"
        )
        self.stdout.write(
            f"{len(times)} conversations asked: median {median(times):.0f} ms, longest {max(times)} ms, all tasks together"
        )


def cells(row: Answered) -> list[str]:
    """One line of the table."""
    score = "–" if row.score is None else f"{plain(row.score)} {row.band or ''}".strip()
    return [
        row.expected.external_id.removeprefix("demo-"),
        row.language,
        score,
        row.expected.sentiment,
        ", ".join(row.topics) or "–",
        ", ".join(row.expected.topics) or "–",
        "–" if row.ms is None else str(row.ms),
    ]
