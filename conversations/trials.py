"""Answers of the playground: kept a week in the tenant, deleted with the conversation."""

import uuid
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

import orjson
import zstandard
from django.utils import timezone

from conversations.trial_models import TrialResult
from tenants.doors import WrongTenant, current_tenant
from tenants.models import Tenant

# Tenants that keep transcripts for less time keep these no longer either.
KEPT_DAYS = 7
LEVEL = 3
MAX_BODY_BYTES = 8 * 1024 * 1024
SLICE = 2000


def keep_trial(
    *, tenant: Tenant, run_id: uuid.UUID, record_type: str, record_id: uuid.UUID, body: Mapping[str, Any]
) -> None:
    """Keep what was answered about one conversation, inside ``tenant`` and in the caller's transaction; once."""
    if current_tenant().pk != tenant.pk:
        raise WrongTenant("What was answered is kept inside the tenant.")
    packed = zstandard.ZstdCompressor(level=LEVEL).compress(orjson.dumps(body))
    row = TrialResult(run_id=run_id, record_type=record_type, record_id=record_id, body=packed)
    TrialResult.objects.bulk_create([row], ignore_conflicts=True)


def trials_of(run_id: uuid.UUID) -> dict[uuid.UUID, Any]:
    """What was answered in a run by conversation; without those that are deleted or pruned. Inside the tenant."""
    rows = TrialResult.objects.filter(run_id=run_id)
    return {row.record_id: _unpacked(bytes(row.body)) for row in rows}


def tried_in(run_id: uuid.UUID) -> set[uuid.UUID]:
    """The conversations of a run that are answered."""
    return set(TrialResult.objects.filter(run_id=run_id).values_list("record_id", flat=True))


def erase_trials(record_ids: Collection[uuid.UUID]) -> int:
    """Delete what was answered about conversations that are being deleted, in the caller's transaction."""
    number, _by_model = TrialResult.objects.filter(record_id__in=list(record_ids)).delete()
    return int(number)


def sweep_trials() -> int:
    """Delete, in the tenant at hand, what is older than its retention; in slices. Returns how many."""
    days = min(current_tenant().transcript_days or KEPT_DAYS, KEPT_DAYS)
    old = TrialResult.objects.filter(created_at__lt=timezone.now() - timedelta(days=days))
    removed = 0
    while ids := list(old.values_list("pk", flat=True)[:SLICE]):
        number, _by_model = TrialResult.objects.filter(pk__in=ids).delete()
        removed += number
    return removed


def _unpacked(body: bytes) -> Any:
    return orjson.loads(zstandard.ZstdDecompressor().decompress(body, max_output_size=MAX_BODY_BYTES))
