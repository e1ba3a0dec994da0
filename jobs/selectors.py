"""Reading jobs: what has work, what the pages show."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from jobs.models import Cleanup, JobDefinition, Pass, Record, Run, Schedule
from queues.models import QueueItem


def jobs_with_work() -> list[int]:
    """Enabled jobs with a due record, or with queue items that their schedule lets them take."""
    now = timezone.now()
    due = Record.objects.filter(job=OuterRef("pk"), state=Record.State.IN_PROGRESS, next_at__lte=now)
    items = QueueItem.objects.filter(queue=OuterRef("source_queue"))
    takes = Q(schedule=Schedule.CONTINUOUS) | Q(start_requested_at__isnull=False)
    jobs = JobDefinition.objects.filter(Q(Exists(due)) | (takes & Q(Exists(items))), enabled=True)
    return list(jobs.values_list("pk", flat=True))


def jobs_reading(queue_ids: Sequence[int]) -> list[int]:
    """Enabled continuous jobs whose source is one of the queues."""
    jobs = JobDefinition.objects.filter(source_queue__in=queue_ids, enabled=True, schedule=Schedule.CONTINUOUS)
    return list(jobs.values_list("pk", flat=True))


def cleanups_due() -> bool:
    """True when a remote job waits to be deleted."""
    return Cleanup.objects.filter(due_at__lte=timezone.now()).exists()


@dataclass(frozen=True, slots=True)
class StateCounts:
    """The five counters of Processing records (domain M9)."""

    completed: int = 0
    in_progress: int = 0
    failed: int = 0
    aborted: int = 0
    skipped: int = 0

    @property
    def total(self) -> int:
        """All records: published = the sum of the five, at every instant (security R2)."""
        return self.completed + self.in_progress + self.failed + self.aborted + self.skipped


def count_states(records: QuerySet[Record]) -> StateCounts:
    """Count ``records`` by state in one aggregate."""
    rows = records.order_by().values("state").annotate(number=Count("id")).values_list("state", "number")
    return StateCounts(**dict(rows))


def latest_run(job: JobDefinition) -> Run | None:
    """The newest run (day) of the job."""
    return Run.objects.filter(job=job).order_by("-number").first()


def latest_pass(run: Run) -> Pass | None:
    """The newest pass of the run."""
    return Pass.objects.filter(run=run).order_by("-pk").first()


def records_of_call(tenant_id: uuid.UUID, record_id: uuid.UUID) -> QuerySet[Record]:
    """All records that stand for one call, newest first."""
    return Record.objects.filter(tenant_id=tenant_id, record_id=record_id).select_related("job").order_by("-pk")
