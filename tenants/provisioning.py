"""Making a tenant's schema: a clone of an empty template schema, in one transaction with the change of state."""

import uuid

from django.conf import settings
from django.core.management.commands.migrate import Command as Migrate
from django.db import connection, transaction
from django_tenants.clone import CloneSchema
from django_tenants.migration_executors.base import run_migrations

from audit.services import append
from core.moves import move
from tenants.models import Tenant

RENAMED = """
SELECT DISTINCT ON (mine.oid) mine_table.relname, mine.conname, wanted.conname
FROM pg_constraint mine
JOIN pg_class mine_table ON mine_table.oid = mine.conrelid
JOIN pg_class wanted_table ON wanted_table.relname = mine_table.relname
JOIN pg_constraint wanted ON wanted.conrelid = wanted_table.oid AND wanted.contype = mine.contype
    AND pg_get_constraintdef(wanted.oid) = pg_get_constraintdef(mine.oid)
WHERE mine.contype IN ('u', 'p') AND mine.connamespace = %s::regnamespace AND wanted.connamespace = %s::regnamespace
    AND wanted.conname <> mine.conname
"""


def provision(tenant_id: uuid.UUID) -> bool:
    """Clone the template for a new tenant and mark it ready; return False when it was not new any more.

    Atomic: after a crash there is neither half a schema nor a ready tenant. The lock keeps two clones from replacing
    the library's clone function under each other.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('tenants.provision', 7))")
        tenant = Tenant.objects.select_for_update().filter(pk=tenant_id, state=Tenant.State.NEW).first()
        if tenant is None:
            return False
        CloneSchema().clone_schema(settings.TEMPLATE_SCHEMA, tenant.schema_name, clone_mode="DATA")
        _restore_constraint_names(tenant.schema_name)
        new = Tenant.objects.filter(pk=tenant_id, state=Tenant.State.NEW)
        move(new, state=Tenant.State.READY)
        append(
            tenant_id=tenant.pk,
            actor="system:provisioning",
            action="tenant.provisioned",
            target_type="tenant",
            target_id=str(tenant.pk),
        )
    return True


def _restore_constraint_names(schema_name: str) -> None:
    """Give constraints the names they have in the template.

    The clone copies tables with LIKE, which names unique constraints anew; a later migration that removes one by its
    name would then fail in every cloned tenant. Constraints are paired by table and definition.
    """
    with connection.cursor() as cursor:
        cursor.execute(RENAMED, [schema_name, settings.TEMPLATE_SCHEMA])
        for table, here, wanted in cursor.fetchall():
            cursor.execute(f'ALTER TABLE "{schema_name}"."{table}" RENAME CONSTRAINT "{here}" TO "{wanted}"')


def migrate_schema(schema_name: str) -> None:
    """Bring one schema (``public``, the template or a tenant's) to the newest migrations, creating it when missing."""
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema_name}"')
    options = vars(Migrate().create_parser("manage.py", "migrate").parse_args(["--noinput", "-v0", "--skip-checks"]))
    run_migrations([], options, "standard", schema_name)


def schemas_behind(schema_names: list[str], wanted: int) -> list[str]:
    """Return those schemas whose number of applied migrations is not ``wanted``, asked in one statement each hundred.

    A run over thousands of tenants in which nothing is to be done then costs milliseconds a hundred, not half a
    second a tenant (performance §1).
    """
    behind: list[str] = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'django_migrations'")
        present = {row[0] for row in cursor.fetchall()}
        for start in range(0, len(schema_names), 100):
            group = [name for name in schema_names[start : start + 100] if name in present]
            behind += [name for name in schema_names[start : start + 100] if name not in present]
            if not group:
                continue
            cursor.execute(
                " UNION ALL ".join(f'SELECT %s::text, count(*) FROM "{name}".django_migrations' for name in group),  # noqa: S608
                group,
            )
            behind += [name for name, count in cursor.fetchall() if count != wanted]
    return behind
