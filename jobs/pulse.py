"""Has anything of a job changed? One query over a handful of index entries, whatever the number of its records."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import JSONObject
from django.utils import timezone

from jobs.bulk_actions.models import BulkAction
from jobs.models import Continuation, JobDefinition, LogEntry, Pass, Run

# So long after a pass the pages that show a rate change with the minute.
RATE_MINUTES = 6


def pulse(job_id: int) -> tuple[Any, ...]:
    """Values that differ whenever a page of the job would; empty when there is no such job.

    Whatever a pass does to records it says in its run, what a person does in ``records_changed_at``. That a record
    which waits became due is not said: the pass that takes it says it.
    """
    runs = Run.objects.filter(job=OuterRef("pk")).order_by("-number")
    run = JSONObject(id="id", at="last_activity_at", passes="passes", taken="taken")
    sweeps = Pass.objects.filter(job=OuterRef("pk")).order_by("-pk")
    sweep = JSONObject(id="id", state="state", stage="stage", total="total", done="processed", end="ended_at")
    place = JSONObject(version="version", held="held_since", lag="held_lag_s")
    places = Continuation.objects.filter(job=OuterRef("pk"))
    action = JSONObject(state="state", frozen="total", done=F("changed") + F("skipped"))
    newest = BulkAction.objects.filter(source="records", source_id=OuterRef("pk")).order_by("-created_at")
    found = JobDefinition.objects.filter(pk=job_id).annotate(
        run=Subquery(runs.values(answer=run)[:1]),
        sweep=Subquery(sweeps.values(answer=sweep)[:1]),
        line=Subquery(LogEntry.objects.filter(job=OuterRef("pk")).order_by("-pk").values("pk")[:1]),
        bulk=Subquery(newest.values(answer=action)[:1]),
        place=Subquery(places.values(answer=place)[:1]),
        active=Subquery(runs.values("last_activity_at")[:1]),
    )
    values = found.values_list(
        "version", "enabled", "paused_at", "records_changed_at", "run", "sweep", "line", "bulk", "place", "active"
    ).first()
    if values is None:
        return ()
    now, active = timezone.now(), values[-1]
    recent = active is not None and active > now - timedelta(minutes=RATE_MINUTES)
    return (*values, minute() if recent else "")


def minute() -> str:
    """What is shown by its age changes with it."""
    return timezone.now().strftime("%H:%M")


# Runs of the last days are few, and so are the rows of the account of the queues.
OF_ALL = """
SELECT
    (SELECT row(count(*), sum(version), max(records_changed_at)) FROM jobs_jobdefinition)::text,
    (SELECT row(count(*), sum(version), bool_or(paused)) FROM queues_processingqueue)::text,
    (SELECT row(max(id), max(last_activity_at), sum(passes), sum(taken)) FROM jobs_run WHERE day >= current_date - 2)::text,
    (SELECT row(max(id), count(*) FILTER (WHERE state = 'running')) FROM jobs_pass
     WHERE id > (SELECT max(id) FROM jobs_pass) - 200)::text,
    (SELECT row(sum(came), sum(went)) FROM queues_queueflow)::text
"""


def pulse_of_all() -> tuple[Any, ...]:
    """Values that differ whenever the list of jobs, or of their dead letters, would, in one cheap query.

    What engines do is not in it: see ``jobs.overview.obstacles_of_kinds``.
    """
    with connection.cursor() as cursor:
        cursor.execute(OF_ALL)
        values = cursor.fetchone()
    return (*values, minute())
