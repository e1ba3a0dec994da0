"""``load_demo``: create what is missing of the demo."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from demo.services import load_demo


class Command(BaseCommand):
    """Idempotent; prints the sign-ins."""

    help = "Load the demo tenants, people, pipeline and calls."

    def add_arguments(self, parser: CommandParser) -> None:
        """Output form."""
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load and print."""
        sign_ins = [asdict(sign_in) for sign_in in load_demo()]
        if options["json"]:
            self.stdout.write(json.dumps(sign_ins))
            return
        for sign_in in sign_ins:
            self.stdout.write("{organisation:10} {username:12} {password}  {role}".format(**sign_in))
