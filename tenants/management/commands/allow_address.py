"""``allow_address CIDR PORT``: list an inside address that engines may reach."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import InvalidInput
from tenants.selectors import system_tenant
from tenants.services import allow_address


class Command(BaseCommand):
    """Listing twice is harmless."""

    help = "List an inside network and port that engines may reach, for example 10.1.2.3/32 8600."

    def add_arguments(self, parser: CommandParser) -> None:
        """CIDR and port."""
        parser.add_argument("cidr")
        parser.add_argument("port", type=int)
        parser.add_argument("--note", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        """Call the service."""
        try:
            address = allow_address(
                cidr=options["cidr"],
                port=options["port"],
                note=options["note"],
                actor="system:command",
                audit_tenant=system_tenant(),
            )
        except InvalidInput as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"listed {address}")
