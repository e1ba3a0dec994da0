"""Appending to the audit chains."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from django.db import connection, transaction
from django.http import HttpResponseBase
from django.utils import timezone

from audit.canonical import GENESIS, SECRET, clean, digest, plain
from audit.grouping import Group, Part, current_group
from audit.models import AuditEntry
from core.logs import acting_tenant, client_ip, request_id

__all__ = ["SECRET", "Answer", "append", "changes", "digest_of", "grouped", "seen"]

Values = Mapping[str, Any]
Answer = TypeVar("Answer", bound=HttpResponseBase)
MASK = "••••"


def append(
    *,
    tenant_id: uuid.UUID,
    actor: str,
    action: str,
    target_type: str,
    target_id: str,
    details: Values | None = None,
    before: Values | None = None,
    after: Values | None = None,
    reason: str = "",
    actor_tenant_id: uuid.UUID | None = None,
) -> AuditEntry | None:
    """Append one entry to the tenant's chain, inside the caller's transaction; None inside ``grouped``.

    ``details``, ``before`` and ``after`` must not hold secrets or conversation text; ``before`` and ``after`` come from
    ``changes``. Request id, IP address and the actor's tenant are those of the request in hand. Must be called inside
    ``transaction.atomic``: when the change is rolled back, so is its entry; when the entry cannot be written, neither
    is the change (A1).
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("audit.append needs the transaction of the change")
    said = {
        "action": action[:100],
        "target_type": target_type[:50],
        "target_id": clean(target_id)[:64],
        "details": plain(details or {}),
        "before": plain(before or None),
        "after": plain(after or None),
        "reason": clean(reason.strip())[:500],
    }
    group = current_group.get()
    if group is not None and group.tenant_id == tenant_id:
        group.add(Part({name: value for name, value in said.items() if value}))
        return None
    return _store(tenant_id, clean(actor)[:200], actor_tenant_id or acting_tenant.get(), said)


def _store(tenant_id: uuid.UUID, actor: str, actor_tenant_id: uuid.UUID | None, said: Values) -> AuditEntry:
    with connection.cursor() as cursor:
        # Two appends to one chain at a time would fork it; the lock ends with the transaction.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [f"audit:{tenant_id}"])
    last = AuditEntry.objects.filter(tenant_id=tenant_id).order_by("-position").only("position", "digest").first()
    entry = AuditEntry(
        tenant_id=tenant_id,
        position=last.position + 1 if last else 1,
        at=timezone.now(),
        actor=actor,
        actor_tenant_id=actor_tenant_id,
        ip=client_ip.get(),
        request_id=request_id.get(),
        previous_digest=last.digest if last else GENESIS,
        **said,
    )
    entry.digest = digest_of(entry)
    entry.save(force_insert=True)
    return entry


def digest_of(entry: AuditEntry) -> str:
    """The digest that the entry must have."""
    return digest(vars(entry))


@contextmanager
def grouped(
    *,
    tenant_id: uuid.UUID,
    actor: str,
    action: str,
    target_type: str,
    target_id: str,
    details: Values | None = None,
    before: Values | None = None,
    after: Values | None = None,
    reason: str = "",
) -> Iterator[Group]:
    """One transaction and one row around several services: what they append to this chain become its ``parts``.

    Appends to chains of other tenants stay rows of those chains. Groups nest: an inner one is a part of the outer one.
    The group that is yielded takes the ``target_id`` of an object that did not exist before.
    """
    group = Group(tenant_id, target_id)
    with transaction.atomic():
        token = current_group.set(group)
        try:
            yield group
        finally:
            current_group.reset(token)
        append(
            tenant_id=tenant_id,
            actor=actor,
            action=action,
            target_type=target_type,
            target_id=group.target_id,
            details={**(details or {}), "parts": group.standing()},
            before=before,
            after=after,
            reason=reason,
        )


def changes(old: Values, new: Values) -> tuple[dict[str, Any], dict[str, Any]]:
    """``before`` and ``after`` of the fields that differ. A secret that was changed is given as ``SECRET`` in ``new``,
    one that was not is left out; values are never compared or kept then."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            continue
        if new[name] is SECRET:
            before[name], after[name] = MASK, SECRET
        elif name not in old or plain(old[name]) != plain(new[name]):
            before[name], after[name] = plain(old.get(name)), plain(new[name])
    return before, after


def seen(
    response: Answer, *, action: str, target_type: str, target_id: str, once: timedelta | None = None, **details: Any
) -> Answer:
    """Mark an answer that lets somebody read what is protected; AccessAuditMiddleware writes the row before it is sent.

    Actions: ``recording.played``, ``recording.downloaded``, ``transcript.read``, ``export.made`` (security A2). With
    ``once`` there is no further row when the same person has one for the same within that time: for the later pieces
    of one thing.
    """
    response.audit = {  # type: ignore[attr-defined]
        "action": action,
        "target_type": target_type,
        "target_id": target_id,
        "details": details,
        "once": once,
    }
    return response
