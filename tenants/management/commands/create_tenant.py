"""``create_tenant SHORTNAME NAME``: create a tenant and provision its schema at once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import InvalidInput
from tenants.provisioning import provision
from tenants.services import create_tenant


class Command(BaseCommand):
    """Refuses with field and rule; stores nothing then."""

    help = "Create a tenant."

    def add_arguments(self, parser: CommandParser) -> None:
        """Names, zone and language."""
        parser.add_argument("slug", metavar="SHORTNAME")
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--time-zone", default="UTC")
        parser.add_argument("--language", default="en-gb")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create and provision."""
        try:
            tenant = create_tenant(
                slug=options["slug"],
                name=options["name"],
                time_zone=options["time_zone"],
                language=options["language"],
                actor="system:command",
            )
        except InvalidInput as error:
            raise CommandError(str(error)) from error
        provision(tenant.pk)
        self.stdout.write(f"Created the tenant “{tenant.name}” ({tenant.slug}).")
