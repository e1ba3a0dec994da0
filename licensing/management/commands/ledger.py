"""``ledger verify`` proves that the books agree; ``rebuild`` makes what is derived anew from the entries."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from licensing.models import Entry
from licensing.reconciling import iter_differences, rebuild
from tenants.models import Tenant


class Command(BaseCommand):
    """Exit code 0 when all is well, 1 when the books differ."""

    help = "Verify the ledger (verify), or make a tenant's counters and daily usage anew from its entries (rebuild)."

    def add_arguments(self, parser: CommandParser) -> None:
        """The sub-commands."""
        commands = parser.add_subparsers(dest="action", required=True, parser_class=ArgumentParser)
        verify = commands.add_parser("verify", help="compare counters, reservations and daily usage with the entries")
        verify.add_argument("--tenant", help="short name of one tenant; all when absent")
        anew = commands.add_parser("rebuild", help="make counters and daily usage anew from the entries")
        anew.add_argument("--tenant", required=True, help="short name of the tenant")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the chosen sub-command."""
        tenant = self.tenant_named(options["tenant"])
        if options["action"] == "verify":
            self.verify(tenant)
        elif tenant is not None:
            rebuild(tenant_id=tenant.pk, actor="command: ledger rebuild")
            self.stdout.write(self.style.SUCCESS(f"{tenant.slug}: counters and daily usage are those of the entries."))

    def verify(self, tenant: Tenant | None) -> None:
        """One line for each difference, then how much was compared; leave with 1 if there was any."""
        found = 0
        for difference in iter_differences(tenant.pk if tenant else None):
            found += 1
            self.stderr.write(self.style.ERROR(str(difference)))
        entries = Entry.objects.filter(tenant=tenant) if tenant else Entry.objects.all()
        if found:
            self.stderr.write(f"{entries.count():,} entries: {found} differences.")
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS(f"{entries.count():,} entries: the books agree."))

    def tenant_named(self, slug: str | None) -> Tenant | None:
        """The tenant with the short name, None without one."""
        if not slug:
            return None
        tenant = Tenant.objects.filter(slug=slug.lower()).first()
        if tenant is None:
            raise CommandError(f"--tenant: there is no tenant with the short name “{slug}”.")
        return tenant
