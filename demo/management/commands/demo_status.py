"""``demo_status``: how many demo calls are in which state."""

import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from demo.selectors import Figures, figures


class Command(BaseCommand):
    """One line, or with ``--follow`` one line a second until every call is final and every conversation with text analysed."""

    help = "Show how far the demo calls are."

    def add_arguments(self, parser: CommandParser) -> None:
        """Output form and following."""
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--follow", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print."""
        while True:
            found = figures()
            self.stdout.write(json.dumps(found.as_dict()) if options["json"] else self._words(found))
            self.stdout.flush()
            if not options["follow"] or found.final:
                return
            connection.close()
            time.sleep(1)

    def _words(self, found: Figures) -> str:
        return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in found.as_dict().items())
