"""What the list of jobs says about each of them: lag, thirty days, and who has to act; three queries for all jobs."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from core.outcomes import Reason
from jobs.charts import DAYS, days_of, sparkline_of
from jobs.kinds import kinds
from jobs.models import JobDefinition, Run
from queues.models import QueueItem

# The first due record of every tenant, found by jumping through the index: a tenant with a million costs as much as one.
STATE_OF_JOBS = """
SELECT job.id, (
    WITH RECURSIVE busy AS (
        (SELECT tenant_id FROM jobs_record WHERE job_id = job.id AND state = 'in_progress' ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT tenant_id FROM jobs_record WHERE job_id = job.id AND state = 'in_progress'
                AND tenant_id > busy.tenant_id ORDER BY tenant_id LIMIT 1)
        FROM busy WHERE busy.tenant_id IS NOT NULL
    )
    SELECT min((SELECT next_at FROM jobs_record WHERE job_id = job.id AND tenant_id = busy.tenant_id
                AND state = 'in_progress' ORDER BY next_at LIMIT 1))
    FROM busy WHERE busy.tenant_id IS NOT NULL
), (
    SELECT jsonb_object_agg(grouped.reason, grouped.number)::text FROM (
        SELECT newest.reason, count(*) AS number FROM (
            SELECT reason FROM jobs_record WHERE job_id = job.id AND state = 'failed' ORDER BY id DESC LIMIT %(recent)s
        ) AS newest GROUP BY newest.reason
    ) AS grouped
)
FROM unnest(%(jobs)s::bigint[]) AS job(id)
"""
RECENT = 200


@dataclass(frozen=True, slots=True)
class Overview:
    """``waiting_since``: of the oldest due record or pending item, None when nothing waits; ``trouble``: what keeps the
    job from working, or why most of its last failures failed; ``spark``: what ``jobs.charts.sparkline_of`` says.
    """

    waiting_since: datetime | None
    trouble: str
    blocked: bool
    spark: dict[str, Any]


Obstacles = Mapping[str, Mapping[str, Mapping[str, str]]]


def obstacles_of_kinds(used: Collection[str]) -> Obstacles:
    """What keeps settings of jobs from being used, by kind, setting and value: one query or two for each kind ``used``."""
    return {key: kind.obstacles() for key, kind in sorted(kinds().items()) if key in used}


def overviews(jobs: Sequence[JobDefinition], obstacles: Obstacles) -> dict[int, Overview]:
    """The overview of each of ``jobs``, which have their source queue at hand."""
    ids = [job.pk for job in jobs]
    with connection.cursor() as cursor:
        cursor.execute(STATE_OF_JOBS, {"jobs": ids, "recent": RECENT})
        rows = cursor.fetchall()
    due = {job_id: oldest for job_id, oldest, _reasons in rows}
    reasons = {job_id: Counter[str](json.loads(numbers or "{}")) for job_id, _oldest, numbers in rows}
    runs = _runs(ids)
    pending = _oldest_pending({job.source_queue_id for job in jobs})
    now, found = timezone.now(), {}
    for job in jobs:
        times = [at for at in (due.get(job.pk), pending.get(job.source_queue_id or 0)) if at is not None and at <= now]
        blocked = _obstacle(job, obstacles.get(job.kind, {}))
        spark = sparkline_of(days_of(runs[job.pk], now.date(), by_guide=False))
        trouble = blocked or _failures(reasons[job.pk])
        found[job.pk] = Overview(min(times, default=None), trouble, bool(blocked), spark)
    return found


def _runs(ids: Sequence[int]) -> dict[int, dict[date, Run]]:
    since = timezone.now().date() - timedelta(days=DAYS)
    found: dict[int, dict[date, Run]] = defaultdict(dict)
    for run in Run.objects.filter(job__in=ids, day__gte=since):
        found[run.job_id][run.day] = run
    return found


def _oldest_pending(queue_ids: set[int | None]) -> dict[int, datetime]:
    queues = sorted(queue_id for queue_id in queue_ids if queue_id is not None)
    if not queues:
        return {}
    # One query, each part of it the first entry of the index: a minimum over the group would read all items.
    parts = [
        QueueItem.objects.filter(queue=queue_id).order_by("published_at").values_list("queue_id", "published_at")[:1]
        for queue_id in queues
    ]
    return dict(parts[0].union(*parts[1:], all=True) if len(parts) > 1 else parts[0])


def _obstacle(job: JobDefinition, obstacles: Mapping[str, Mapping[str, str]]) -> str:
    """What keeps the job from working, by whoever has to act: the job, its queue, what its kind needs."""
    if job.status == "paused":
        return _("The job is paused.")
    if job.status == "disabled":
        return ""
    for name, values in obstacles.items():
        if str(job.settings.get(name)) in values:
            return values[str(job.settings.get(name))]
    if job.source_queue is not None and job.source_queue.paused:
        return _("The source queue is paused.")
    return ""


def _failures(reasons: Counter[str]) -> str:
    if not reasons:
        return ""
    [(reason, number)] = reasons.most_common(1)
    label = Reason.label_of(reason) if reason else _("No reason was stored")
    total = sum(reasons.values())
    return _("Last failures: %(reason)s (%(n)s of %(total)s)") % {"reason": label, "n": number, "total": total}
