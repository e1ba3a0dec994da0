"""Reservations that nobody works for any more (security R13).

A worker that died, or was overtaken by an abort or a retry, between reserving and writing leaves an open reservation
whose record is final, gone, or in another generation. None of that is ever undone, so such a reservation can be closed.
"""

from django.db import connection

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
        release_keys = [(record, generation) for *_whose, record, generation, state in orphans if state != "completed"]
        done = release(keys=release_keys)
        for tenant_id, meter, record, generation, state in orphans:
            if state == "completed":
                done += settle(tenant_id=tenant_id, meter=Meter(meter), keys=[(record, generation)])
        closed += done
        if not done:
            # Somebody else closed all of them in the meantime.
            break
    return closed


def _orphans() -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(ORPHANS, [SLICE])
        return cursor.fetchall()
