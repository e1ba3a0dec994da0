"""Building indexes on tables in use: a build that was cut short is made good by the next one."""

from django.db import connection, models
from django.db.migrations.loader import MigrationLoader

from core.concurrently import BuildIndex
from tests.databases import db  # noqa: F401 - built outside of any transaction


def definition(name):
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [name])
        return [row[0] for row in cursor.fetchall()]


def test_what_a_cut_build_left_is_dropped_and_built_anew_and_the_time_limit_for_locks_holds_again(db):  # noqa: F811
    before = MigrationLoader(connection).project_state(("licensing", "0007_spent_by_engine"))
    after = before.clone()
    operation = BuildIndex("entry", models.Index(fields=["engine"], name="cut_short"))
    operation.state_forwards("licensing", after)
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        limit = cursor.fetchone()
        cursor.execute("CREATE INDEX cut_short ON licensing_entry (at)")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'cut_short'::regclass")
    with connection.schema_editor(atomic=False) as editor:
        operation.database_forwards("licensing", editor, before, after)
    [built] = definition("cut_short")
    assert "(engine)" in built
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == limit
