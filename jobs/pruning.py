"""Keeping history bounded: a continuous job makes thousands of passes a day."""

from datetime import timedelta
from typing import Any

from django.db.models import Max, QuerySet
from django.utils import timezone

from jobs.models import LogEntry, Pass, Run

PASS_DAYS = 2
LOG_DAYS = 60
SLICE = 5000


def prune() -> int:
    """Delete passes older than two days but the last of each run, and log lines older than 60 days; return how many.

    60 days is the field's default for job history (domain §2, Retention). In slices, so that no long transaction
    holds back the hot tables.
    """
    now = timezone.now()
    # Runs without any pass must not get in: NOT IN with a NULL in the list is never true.
    newest = Run.objects.annotate(newest=Max("sweeps__pk")).filter(newest__isnull=False).values("newest")
    ended = Pass.objects.filter(ended_at__lt=now - timedelta(days=PASS_DAYS)).exclude(pk__in=newest)
    return _delete(ended) + _delete(LogEntry.objects.filter(at__lt=now - timedelta(days=LOG_DAYS)))


def _delete(rows: QuerySet[Any]) -> int:
    deleted = 0
    while ids := list(rows.values_list("pk", flat=True)[:SLICE]):
        rows.model._default_manager.filter(pk__in=ids).delete()
        deleted += len(ids)
    return deleted
