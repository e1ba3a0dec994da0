"""Keeping history bounded: a continuous job makes thousands of passes a day."""

from datetime import timedelta
from typing import Any

from django.db.models import Max, QuerySet
from django.utils import timezone

from jobs.bulk_actions.models import BulkAction, BulkSlice
from jobs.figures.folding import prune_figures
from jobs.models import JobDefinition, LogEntry, Pass, Run
from jobs.workers.asking import KEPT
from jobs.workers.models import Worker

PASS_DAYS = 2
PREVIEW_DAYS = 1
FILE_DAYS = 7
ACTION_DAYS = 30
SLICE = 5000


def prune() -> int:
    """Delete what is too old, in slices, so that no long transaction holds back the hot tables; return how many rows.

    Workers that have not been heard of for a day; passes after two days but the last of each run; log lines as each job
    says (60 days is the field's default, domain §2, Retention); previews that nobody started after a day, files of
    exports after 7 and bulk actions after 30 days.
    """
    now = timezone.now()
    # Runs without any pass must not get in: NOT IN with a NULL in the list is never true.
    newest = Run.objects.annotate(newest=Max("sweeps__pk")).filter(newest__isnull=False).values("newest")
    ended = Pass.objects.filter(ended_at__lt=now - timedelta(days=PASS_DAYS)).exclude(pk__in=newest)
    jobs = JobDefinition.objects.only("log_days", "log_max_lines")
    gone = Worker.objects.filter(heartbeat_at__lt=now - KEPT)
    return _delete(gone) + _delete(ended) + sum(prune_logs(job) for job in jobs) + prune_actions() + prune_figures()


def prune_logs(job: JobDefinition) -> int:
    """Delete the job's log lines that are older than its days or beyond its number of lines; return how many."""
    lines = LogEntry.objects.filter(job=job)
    oldest = timezone.now() - timedelta(days=job.log_days)
    beyond = lines.order_by("-pk").values_list("pk", flat=True)[job.log_max_lines : job.log_max_lines + 1].first()
    deleted = 0
    # By key, which the index of the job has in order: lines are written as they happen, so the oldest come first.
    while found := list(lines.order_by("pk").values_list("pk", "at")[:SLICE]):
        ids = [pk for pk, at in found if at < oldest or (beyond is not None and pk <= beyond)]
        LogEntry.objects.filter(pk__in=ids).delete()
        deleted += len(ids)
        if len(ids) < len(found):
            break
    return deleted


def prune_actions() -> int:
    """Delete previews that nobody started, files of exports and old bulk actions; return how many actions."""
    now = timezone.now()
    unused = BulkAction.objects.filter(state=BulkAction.State.READY, created_at__lt=now - timedelta(days=PREVIEW_DAYS))
    over = BulkAction.objects.filter(ended_at__lt=now - timedelta(days=ACTION_DAYS))
    files = BulkSlice.objects.filter(action__ended_at__lt=now - timedelta(days=FILE_DAYS), output__isnull=False)
    while ids := list(files.values_list("pk", flat=True)[:100]):
        BulkSlice.objects.filter(pk__in=ids).update(output=None)
    return _delete(unused) + _delete(over)


def _delete(rows: QuerySet[Any]) -> int:
    deleted = 0
    while ids := list(rows.values_list("pk", flat=True)[:SLICE]):
        rows.model._default_manager.filter(pk__in=ids).delete()
        deleted += len(ids)
    return deleted
