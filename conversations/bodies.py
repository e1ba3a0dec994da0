"""Bodies that stand beside conversations for a while, compressed: deleted with the conversation, and when they are old.

Their models have ``record_id``, ``created_at`` and ``body``.
"""

import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import orjson
import zstandard
from django.utils import timezone

from conversations.execution_models import ExecutionText
from conversations.trial_models import TrialResult
from tenants.doors import current_tenant

LEVEL = 3
SLICE = 2000
Kept = type[ExecutionText] | type[TrialResult]


def packed(body: bytes) -> bytes:
    """Compressed for its column."""
    return zstandard.ZstdCompressor(level=LEVEL).compress(body)


def unpacked(body: bytes | memoryview, most_bytes: int) -> Any:
    """The JSON of a column; ``most_bytes`` is the room for a body that does not say how large it is."""
    return orjson.loads(zstandard.ZstdDecompressor().decompress(bytes(body), max_output_size=most_bytes))


def erase(model: Kept, record_ids: Collection[uuid.UUID]) -> int:
    """Delete the rows of conversations that are being deleted, in the caller's transaction; return how many."""
    number, _by_model = model.objects.filter(record_id__in=list(record_ids)).delete()
    return int(number)


def sweep(model: Kept, kept_days: int) -> int:
    """Delete, in the tenant at hand, what is older than ``kept_days``; sooner where it keeps transcripts for less time.

    In slices, each a statement of its own. Returns how many.
    """
    days = min(current_tenant().transcript_days or kept_days, kept_days)
    old = model.objects.filter(created_at__lt=timezone.now() - timedelta(days=days))
    removed = 0
    while ids := list(old.values_list("pk", flat=True)[:SLICE]):
        number, _by_model = model.objects.filter(pk__in=ids).delete()
        removed += number
    return removed
