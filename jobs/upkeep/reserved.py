"""Reservations that nobody works for any more (security R13).

A worker that died, or was overtaken by an abort or a retry, between reserving and writing leaves an open reservation
whose record is final, gone, or in another generation. None of that is ever undone, so such a reservation can be closed.
"""

import uuid
from typing import NamedTuple

from django.db import connection

from jobs.models import Record
from licensing.ledger import release, settle
from licensing.models import Meter

SLICE = 1000

ORPHANS = """
SELECT v.tenant_id, v.meter, v.record, v.generation, coalesce(r.state, '')
FROM licensing_reservation v LEFT JOIN jobs_record r ON r.id = v.record AND r.generation = v.generation
WHERE v.state = 'open' AND (r.id IS NULL OR r.state <> 'in_progress')
ORDER BY v.record LIMIT %s
"""


def release_orphans() -> int:
    """Release them; return how many. What a completed record reserved is charged: its work was done."""
    closed = 0
    while orphans := _orphans():
        done = release(keys=[orphan.key for orphan in orphans if orphan.state != Record.State.COMPLETED])
        for orphan in orphans:
            if orphan.state == Record.State.COMPLETED:
                done += settle(tenant_id=orphan.tenant_id, meter=Meter(orphan.meter), keys=[orphan.key])
        closed += done
        if not done:
            # Somebody else closed all of them in the meantime.
            break
    return closed


class Orphan(NamedTuple):
    """An open reservation, and the state of its record; empty when there is none in its generation."""

    tenant_id: uuid.UUID
    meter: str
    record: int
    generation: int
    state: str

    @property
    def key(self) -> tuple[int, int]:
        """Record and generation."""
        return self.record, self.generation


def _orphans() -> list[Orphan]:
    with connection.cursor() as cursor:
        cursor.execute(ORPHANS, [SLICE])
        return [Orphan(*row) for row in cursor.fetchall()]
