"""Indexes on tables that are written to while they are built."""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState


class BuildIndex(AddIndexConcurrently):
    """AddIndexConcurrently that may be stopped at any point and run again; the migration must not be atomic.

    A build that was cut short leaves an index that is not valid, in the way of the next try: whatever has the name is
    dropped first. The build waits for every transaction that is older, however long: a backup is one, too.
    """

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop and build, without the time limit for locks that connections have."""
        model: Any = to_state.apps.get_model(app_label, self.model_name)
        # Tenants' schemas look into the public one, too: nothing is dropped there.
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        self._ensure_not_in_transaction(schema_editor)
        schema_editor.execute("SET lock_timeout = 0")
        try:
            name = schema_editor.quote_name(self.index.name)
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            schema_editor.execute("RESET lock_timeout")
