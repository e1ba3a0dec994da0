"""``demo_engine FACTS`` or ``demo_engine bundled``: which speech engine the demo's calls are transcribed with."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import Conflict, InvalidInput
from demo.stand_ins import read_facts, repeat_calls, use_bundled, use_stand_in


class Command(BaseCommand):
    """Running it again changes nothing, unless the calls are to be transcribed anew."""

    help = "Point the demo's transcription job to the stand-in of a vendor, or back to the bundled speech server."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to, and what then."""
        parser.add_argument("facts", help="the file that a stand-in's facts are in, or: bundled")
        parser.add_argument(
            "--rehearsing", action="store_true", help="say in the engine's name that an outage is rehearsed"
        )
        parser.add_argument("--again", action="store_true", help="transcribe the demo's calls anew")

    def handle(self, *args: Any, **options: Any) -> None:
        """Call the services."""
        try:
            if options["facts"] == "bundled":
                engine = use_bundled()
            else:
                engine = use_stand_in(read_facts(Path(options["facts"])), rehearsing=options["rehearsing"])
        except (InvalidInput, Conflict) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The demo's calls are transcribed with: {engine.name}")
        if options["again"]:
            self.stdout.write(f"{repeat_calls()} calls are transcribed anew")
