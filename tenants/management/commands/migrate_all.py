"""``migrate_all``: public, the template schema and every tenant, with progress; idempotent and resumable."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from tenants.models import Tenant
from tenants.provisioning import migrate_schema, schemas_behind


class Command(BaseCommand):
    """Migrate everything that is behind. Stopping it at any point and starting again goes on where it was."""

    help = "Migrate the public schema, the template schema and all tenant schemas."

    def handle(self, *args: Any, **options: Any) -> None:
        """Public first, then the template, then the tenants that are behind the template."""
        loader = MigrationLoader(connection)
        if schemas_behind(["public"], wanted=0) or any(
            (app, name) not in loader.applied_migrations for app, name in loader.disk_migrations
        ):
            self._say(options, "public")
            migrate_schema("public")
        template = settings.TEMPLATE_SCHEMA
        tenant_count = self._migrations_of_a_tenant(loader)
        if schemas_behind([template], tenant_count):
            self._say(options, "template")
            migrate_schema(template)
        # A new tenant's schema is cloned from the template; a deleted one's must not come back.
        with_schema = Tenant.objects.exclude(state__in=[Tenant.State.NEW, Tenant.State.DELETED])
        names = list(with_schema.values_list("schema_name", flat=True))
        behind = schemas_behind(names, tenant_count)
        for position, name in enumerate(behind, start=1):
            self._say(options, f"tenant {position} of {len(behind)}")
            migrate_schema(name)
        self._say(options, f"{len(names)} tenant schemas are up to date")

    def _say(self, options: dict[str, Any], line: str) -> None:
        if options["verbosity"]:
            self.stdout.write(line)

    def _migrations_of_a_tenant(self, loader: MigrationLoader) -> int:
        """Django records every migration in every schema, also those that make no table there."""
        return len(loader.disk_migrations)
