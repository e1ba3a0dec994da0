"""The machine room: who is there to work, and what holds the database up."""

from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from jobs.workers.models import DEAD_AFTER

# Sessions of clients of this database; what this one asks is not counted.
ROOM = """
SELECT (SELECT count(*) FROM jobs_worker WHERE state = 'running' AND heartbeat_at > %s),
    EXISTS (SELECT FROM jobs_worker),
    (SELECT coalesce(extract(epoch FROM statement_timestamp() - min(xact_start)), 0)::float8 FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend')
"""


@dataclass(frozen=True, slots=True)
class Room:
    """Workers alive, whether any ever ran, and the seconds of the oldest open transaction."""

    workers: int
    known: bool
    transaction_s: float


def room() -> Room:
    """As things stand now; one query."""
    with connection.cursor() as cursor:
        cursor.execute(ROOM, [timezone.now() - DEAD_AFTER])
        return Room(*cursor.fetchone())
