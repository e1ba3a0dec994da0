"""What the pages of queues are told about jobs (``QUEUE_READERS``), and the dead letters of a queue."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Exists, F, Func, IntegerField, Max, Min, OuterRef, QuerySet, Value
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from jobs.models import DataSource, ErrorSignature, JobDefinition, Pass, Record
from jobs.selectors import reached
from queues.events import REQUEUED
from queues.models import ProcessingQueue, QueueItem
from queues.readers import Reader, Reading

COUNTED = 1000
CAUSES = 100
GROUPED = 10_000
SET_ASIDE = (Record.State.FAILED, Record.State.SKIPPED)


def readings_for(user: User) -> Mapping[int, Reading]:
    """The jobs that read each queue, and their dead letters within the reach of ``user``, and those that publish to it."""
    # A thousand ids at most are looked at, however many there are.
    some = Record.objects.filter(reached(user), job=OuterRef(OuterRef("pk")), state=Record.State.FAILED)
    dead = _not_put_back(Record.objects.filter(pk__in=some.order_by("-pk").values("pk")[:COUNTED])).values("pk")
    jobs = JobDefinition.objects.filter(data_source=DataSource.QUEUE).annotate(
        dead=Func(ArraySubquery(dead), function="CARDINALITY", output_field=IntegerField()),
        running=Exists(Pass.objects.filter(job=OuterRef("pk"), state=Pass.State.RUNNING)),
    )
    by_queue: dict[int, list[Any]] = defaultdict(list)
    for job in jobs.order_by("name"):
        if job.source_queue_id is not None:
            by_queue[job.source_queue_id].append(job)
    fed: dict[int, list[Reader]] = defaultdict(list)
    feeding = JobDefinition.objects.filter(publish_to__isnull=False).annotate(
        queue=F("publish_to"), running=Value(False)
    )
    for feeder in feeding.order_by("name"):
        fed[feeder.queue].append(_reader(feeder))
    return {
        queue_id: Reading(
            readers=tuple(_reader(job) for job in by_queue[queue_id]),
            feeders=tuple(fed[queue_id]),
            dead=sum(job.dead for job in by_queue[queue_id]),
            most=COUNTED,
        )
        for queue_id in {*by_queue, *fed}
    }


def _reader(job: Any) -> Reader:
    labels = {"running": _("Running"), "enabled": _("Enabled"), "paused": _("Paused"), "disabled": _("Disabled")}
    state = "running" if job.status == "enabled" and job.running else job.status
    return Reader(job.name, reverse("jobs:job", args=[job.pk]), state, labels[state], job.enabled)


def _not_put_back(records: QuerySet[Record]) -> QuerySet[Record]:
    """Without those that wait in the queue of their job to be taken up anew."""
    again = QueueItem.objects.filter(
        queue=OuterRef("job__source_queue"),
        tenant=OuterRef("tenant"),
        record_type=OuterRef("record_type"),
        record_id=OuterRef("record_id"),
        event=REQUEUED,
    )
    return records.filter(~Exists(again))


def set_aside(queue: ProcessingQueue, user: User) -> QuerySet[Record]:
    """Failed (dead letters) and skipped records of the jobs that read the queue, as far as ``user`` may see them.

    What was requeued and waits in the queue again is none any more.
    """
    readers = JobDefinition.objects.filter(source_queue=queue, data_source=DataSource.QUEUE)
    # The ids themselves: with them the index of job and state is used, newest first.
    ids = list(readers.values_list("pk", flat=True))
    records = Record.objects.filter(reached(user), job__in=ids, state__in=SET_ASIDE)
    return _not_put_back(records).select_related("job", "tenant")


def causes_of(records: QuerySet[Record]) -> list[dict[str, Any]]:
    """The causes of ``records``, most frequent first: state, reason, error signature with its text, number, first and last
    seen, tenants, a sample.

    A reason code alone would throw together what different errors broke. Of very many the newest 10,000 are grouped.
    """
    newest = records.select_related(None).order_by("-pk").values("pk")[:GROUPED]
    groups = Record.objects.filter(pk__in=newest).order_by().values("state", "reason", "signature")
    counted: Any = groups.annotate(
        number=Count("pk"),
        first=Min("finished_at"),
        last=Max("finished_at"),
        tenants=Count("tenant", distinct=True),
        sample=Max("last_error"),
    )
    found: list[dict[str, Any]] = list(counted.order_by("-number", "state", "reason", "signature")[:CAUSES])
    known = ErrorSignature.objects.filter(digest__in={cause["signature"] for cause in found} - {""})
    texts = dict(known.values_list("digest", "text"))
    for cause in found:
        cause["text"] = texts.get(cause["signature"], cause["sample"] if cause["signature"] else "")
    return found
