"""``demo_score``: word error rate of the demo calls, computed on what lies in the database."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from demo.scoring import Errors
from demo.selectors import scores, storage


class Command(BaseCommand):
    """Fails when a call has not ended as the manifest expects."""

    help = "Score the demo calls against their reference texts."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a table and the total."""
        table = Table("tenant", "call", "words", "errors", "WER %", "ended")
        total, surprises = Errors(0, 0, 0, 0), 0
        for score in scores():
            as_expected = score.ended == score.expected
            surprises += not as_expected
            ended = score.ended if as_expected else f"{score.ended} (expected {score.expected})"
            if score.errors is None:
                table.add_row(score.tenant, score.name, "", "", "", ended)
                continue
            total = total + score.errors
            words, wrong = str(score.errors.reference_words), str(score.errors.total)
            table.add_row(score.tenant, score.name, words, wrong, f"{100 * score.errors.rate:.1f}", ended)
        Console(width=110).print(table)
        self.stdout.write(f"{total.reference_words} words, {total.total} errors, WER {100 * total.rate:.2f} %")
        stored = storage()
        if stored.audio_minutes:
            per_minute = stored.row_bytes / stored.audio_minutes
            body = stored.body_bytes / stored.audio_minutes
            self.stdout.write(
                f"{stored.transcripts} transcripts of {stored.audio_minutes:.1f} min: {per_minute:.0f} bytes a minute "
                f"as stored without indexes, of which words and times {body:.0f}"
            )
        if surprises:
            raise CommandError(f"{surprises} demo calls have not ended as expected.")
