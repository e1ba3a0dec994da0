"""The words of executions of AI tasks: kept for support, deleted with the conversation and after a while."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from conversations.bodies import erase, packed, sweep, unpacked
from conversations.execution_models import ExecutionText
from tenants.doors import WrongTenant, current_tenant
from tenants.models import Tenant

# Tenants that keep transcripts for less time keep these no longer either.
KEPT_DAYS = 30
# What does not fit is cut in the middle of the list: the first requests and the last answers say most.
MAX_BODY_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. ``request`` is the messages as (role, content); ``note`` what was wrong with it."""

    request: Sequence[tuple[str, str]]
    answer: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class NewText:
    """What was said during one execution about one conversation."""

    execution_id: uuid.UUID
    record_type: str
    record_id: uuid.UUID
    exchanges: Sequence[Exchange]


def keep_texts(*, tenant: Tenant, items: Sequence[NewText]) -> None:
    """Keep the words of executions, inside ``tenant`` and in the transaction of the executions; one statement."""
    if current_tenant().pk != tenant.pk:
        raise WrongTenant("What was asked is kept inside the tenant.")
    ExecutionText.objects.bulk_create(
        [
            ExecutionText(
                execution_id=item.execution_id,
                record_type=item.record_type,
                record_id=item.record_id,
                body=packed(_fitted(item.exchanges)),
            )
            for item in items
            if item.exchanges
        ],
        ignore_conflicts=True,
    )


def exchanges_of(execution_id: uuid.UUID) -> list[Exchange]:
    """What was asked and answered, in its order; nothing when it was never kept or is pruned. Inside the tenant."""
    row = ExecutionText.objects.filter(pk=execution_id).first()
    if row is None:
        return []
    return [_exchange(item) for item in unpacked(row.body, 4 * MAX_BODY_BYTES)]


def erase_texts(record_ids: Collection[uuid.UUID]) -> int:
    """Delete what was said about conversations that are being deleted, in the caller's transaction; return how many."""
    return erase(ExecutionText, record_ids)


def sweep_texts() -> int:
    """Delete, in the tenant at hand, what is older than its retention; in slices. Returns how many."""
    return sweep(ExecutionText, KEPT_DAYS)


def _fitted(exchanges: Sequence[Exchange]) -> bytes:
    data = [{"request": list(map(list, each.request)), "answer": each.answer, "note": each.note} for each in exchanges]
    body = _dumped(data)
    while len(body) > MAX_BODY_BYTES and len(data) > 1:
        data.pop(len(data) // 2)
        body = _dumped(data)
    if len(body) > MAX_BODY_BYTES:
        body = _dumped([{"request": [], "answer": "", "note": "too long to be kept"}])
    return body


def _dumped(data: Sequence[Mapping[str, Any]]) -> bytes:
    """JSON; lone surrogates, which no encoding can hold, are left out."""
    try:
        return orjson.dumps(data)
    except (TypeError, ValueError):
        return orjson.dumps(_clean(data))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "ignore").decode()
    if isinstance(value, Mapping):
        return {key: _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, (list, tuple)) else value


def _exchange(item: Mapping[str, Any]) -> Exchange:
    return Exchange([(role, content) for role, content in item["request"]], item["answer"], item["note"])
