"""A django-tenants backend that fails closed.

The library swallows an error of ``SET search_path`` and lets a schema that does not exist fall through to ``public``
(security M3, M4). Here one statement sets the path and asks whether the schema is there; anything but a clear yes
raises before the caller's query runs.
"""

from typing import Any

from django.db.utils import OperationalError
from django_tenants.postgresql_backend.base import DatabaseWrapper as TenantsDatabaseWrapper
from psycopg.pq import TransactionStatus

PUBLIC = "public"


class SchemaMissing(OperationalError):
    """The schema that was entered is not in the database."""


class DatabaseWrapper(TenantsDatabaseWrapper):
    """django-tenants' wrapper with a search path that is either certain or an error."""

    search_path_set_schemas: list[str] | None
    _setting_search_path: bool

    def _handle_search_path(self, cursor: Any = None) -> None:
        if self._setting_search_path or self.search_path_set_schemas:
            return
        if self.connection.info.transaction_status == TransactionStatus.INERROR:
            # The server refuses everything but ROLLBACK [TO SAVEPOINT] now, so no query can run on a wrong path;
            # the rollback that must come next forgets the cached path and it is set again after it.
            return
        path = self._get_cursor_search_paths()
        self._setting_search_path = True
        own = self.connection.cursor() if cursor is None else cursor
        try:
            own.execute(
                "SELECT set_config('search_path', %s, false), to_regnamespace(%s) IS NOT NULL",
                [", ".join(f'"{schema}"' for schema in path), f'"{path[0]}"'],
            )
            row = own.fetchone()
            if not row or not row[1]:
                raise SchemaMissing("The schema of this tenant does not exist.")
        finally:
            self._setting_search_path = False
            if cursor is None:
                own.close()
        self.search_path_set_schemas = path
