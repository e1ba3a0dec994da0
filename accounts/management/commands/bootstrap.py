"""``bootstrap``: the System tenant, the first platform administrator and what apps bring along, if not there yet."""

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from accounts.models import User
from accounts.passwords import new_password
from accounts.permissions import DefaultRole
from accounts.services import create_user
from core.errors import InvalidInput
from tenants.models import Tenant
from tenants.provisioning import provision
from tenants.services import create_tenant


class Command(BaseCommand):
    """Idempotent. The password comes from PARLANCE_ADMIN_PASSWORD (or _FILE); without it one is made and shown once."""

    help = "Create the System tenant and the first platform administrator."

    def add_arguments(self, parser: CommandParser) -> None:
        """Name of the administrator."""
        parser.add_argument("--username", default="admin")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create what is missing."""
        system = Tenant.objects.filter(is_system=True).first()
        if system is None:
            system = create_tenant(slug="system", name="System", actor="system:bootstrap", is_system=True)
        provision(system.pk)
        system.refresh_from_db()
        self._ensure_administrator(system, options["username"])
        for name, path in settings.BOOTSTRAP_LOADERS.items():
            self.stdout.write(f"{name}: {import_string(path)()} added.")

    def _ensure_administrator(self, system: Tenant, username: str) -> None:
        if User.objects.filter(tenant=system, role__key=DefaultRole.PLATFORM_ADMIN).exists():
            self.stdout.write("System tenant and platform administrator are there.")
            return
        password = os.environ.get("PARLANCE_ADMIN_PASSWORD", "") or new_password()
        try:
            create_user(
                tenant=system,
                username=username,
                password=password,
                role=DefaultRole.PLATFORM_ADMIN,
                full_name="Platform administrator",
                actor="system:bootstrap",
            )
        except InvalidInput as error:
            raise CommandError(str(error)) from error
        shown = "from PARLANCE_ADMIN_PASSWORD" if os.environ.get("PARLANCE_ADMIN_PASSWORD", "") else password
        self.stdout.write(f"Created the platform administrator “{username}”, password: {shown}")
