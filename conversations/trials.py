"""Answers of the playground: kept a week in the tenant, deleted with the conversation."""

import uuid
from collections.abc import Collection, Mapping
from typing import Any

import orjson

from conversations.bodies import erase, packed, sweep, unpacked
from conversations.trial_models import TrialResult
from tenants.doors import WrongTenant, current_tenant
from tenants.models import Tenant

# Tenants that keep transcripts for less time keep these no longer either.
KEPT_DAYS = 7
MAX_BODY_BYTES = 8 * 1024 * 1024


def keep_trial(
    *, tenant: Tenant, run_id: uuid.UUID, record_type: str, record_id: uuid.UUID, body: Mapping[str, Any]
) -> None:
    """Keep what was answered about one conversation, inside ``tenant`` and in the caller's transaction; once."""
    if current_tenant().pk != tenant.pk:
        raise WrongTenant("What was answered is kept inside the tenant.")
    row = TrialResult(run_id=run_id, record_type=record_type, record_id=record_id, body=packed(orjson.dumps(body)))
    TrialResult.objects.bulk_create([row], ignore_conflicts=True)


def trials_of(run_id: uuid.UUID) -> dict[uuid.UUID, Any]:
    """What was answered in a run by conversation; without those that are deleted or pruned. Inside the tenant."""
    rows = TrialResult.objects.filter(run_id=run_id)
    return {row.record_id: unpacked(row.body, MAX_BODY_BYTES) for row in rows}


def tried_in(run_id: uuid.UUID) -> set[uuid.UUID]:
    """The conversations of a run that are answered."""
    return set(TrialResult.objects.filter(run_id=run_id).values_list("record_id", flat=True))


def erase_trials(record_ids: Collection[uuid.UUID]) -> int:
    """Delete what was answered about conversations that are being deleted, in the caller's transaction."""
    return erase(TrialResult, record_ids)


def sweep_trials() -> int:
    """Delete, in the tenant at hand, what is older than its retention; in slices. Returns how many."""
    return sweep(TrialResult, KEPT_DAYS)
