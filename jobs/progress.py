"""How fast a job works now and when it will be done, from what its passes have counted: no record is looked at."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from jobs.models import JobDefinition, Pass

WINDOW_MINUTES = 5
PASSES = 400


@dataclass(frozen=True, slots=True)
class Speed:
    """Records a minute that ended in the last five minutes, and at this rate the rest of the time for what is left.

    ``left`` is None while nothing ends, and nothing left is no time.
    """

    a_minute: float
    left: timedelta | None


def speed_of(job: JobDefinition, outstanding: int) -> Speed:
    """The speed of the job with ``outstanding`` records in progress or in its queue.

    Of a pass that began before the window the part that fell into it counts, as if it had worked evenly.
    """
    now = timezone.now()
    since = now - timedelta(minutes=WINDOW_MINUTES)
    newest = Pass.objects.filter(job=job).order_by("-pk").values_list("started_at", "ended_at", "processed")[:PASSES]
    ended = sum(_within(since, now, *found) for found in newest)
    rate = ended / WINDOW_MINUTES
    if not outstanding:
        return Speed(rate, timedelta(0))
    return Speed(rate, timedelta(minutes=outstanding / rate) if rate else None)


def _within(since: datetime, now: datetime, started: datetime, ended: datetime | None, processed: int) -> float:
    end = ended or now
    if end <= since:
        return 0.0
    length = (end - started).total_seconds()
    return processed * ((end - max(started, since)).total_seconds() / length) if length > 0 else float(processed)
