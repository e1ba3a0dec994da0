"""``demo_reset``: remove the demo's calls with their records and load them again."""

from typing import Any

from django.core.management.base import BaseCommand

from demo.services import reset_demo


class Command(BaseCommand):
    """Tenants and people stay."""

    help = "Remove the demo calls and load them again."

    def handle(self, *args: Any, **options: Any) -> None:
        """Reset."""
        self.stdout.write(f"Removed {reset_demo()} calls and threads and loaded the demo again.")
