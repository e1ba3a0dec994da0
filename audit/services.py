"""Appending to and verifying the audit chains."""

import hashlib
import uuid
from datetime import datetime
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils import timezone

from audit.models import AuditEntry
from core.logs import request_id

GENESIS = "0" * 64


def append(
    *,
    tenant_id: uuid.UUID,
    actor: str,
    action: str,
    target_type: str,
    target_id: str,
    details: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append one entry to the tenant's chain, inside the caller's transaction.

    ``details`` must not hold secrets or conversation text. Must be called inside ``transaction.atomic``: when the
    change is rolled back, so is its entry; when the entry cannot be written, neither is the change (A1).
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("audit.append needs the transaction of the change")
    with connection.cursor() as cursor:
        # Two appends to one chain at a time would fork it; the lock ends with the transaction.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [f"audit:{tenant_id}"])
    last = AuditEntry.objects.filter(tenant_id=tenant_id).order_by("-position").first()
    entry = AuditEntry(
        tenant_id=tenant_id,
        position=last.position + 1 if last else 1,
        at=timezone.now(),
        actor=actor,
        action=action,
        target_type=target_type,
        target_id=target_id,
        details=details or {},
        request_id=request_id.get(),
        previous_digest=last.digest if last else GENESIS,
    )
    entry.digest = digest_of(entry)
    entry.save(force_insert=True)
    return entry


def digest_of(entry: AuditEntry) -> str:
    """SHA-256 over the previous digest and every field of the row, in one canonical form."""
    at: datetime = entry.at
    body = [
        entry.previous_digest,
        str(entry.tenant_id),
        entry.position,
        at.isoformat(),
        entry.actor,
        entry.action,
        entry.target_type,
        entry.target_id,
        entry.details,
        entry.request_id,
    ]
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def first_break(tenant_id: uuid.UUID) -> int | None:
    """Walk the chain; return the position of the first entry that does not fit, or None when all is well."""
    previous = GENESIS
    expected = 1
    for entry in AuditEntry.objects.filter(tenant_id=tenant_id).order_by("position").iterator(chunk_size=2000):
        if entry.position != expected or entry.previous_digest != previous or entry.digest != digest_of(entry):
            return expected
        previous = entry.digest
        expected += 1
    return None
