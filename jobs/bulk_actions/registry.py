"""Which lists can be acted on in bulk, and what can be done to their rows.

A list is a ``Source``: it finds its rows again from what its address says. What is done to them is an ``Action``. Both
are named by their keys in ``BulkAction``; another list or action is another entry here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from core.errors import InvalidInput
from jobs import actions
from jobs.bulk_actions.exporting import csv_lines
from jobs.filtersets import DeadLetterFilter, RecordFilter
from jobs.kinds import kind_of
from jobs.models import DataSource, JobDefinition, Record
from jobs.reading import SET_ASIDE, set_aside
from jobs.requeueing import requeue
from jobs.selectors import reached
from queues.models import ProcessingQueue


@dataclass(frozen=True, slots=True)
class Source:
    """A list whose rows can be acted on. ``rows`` raises InvalidInput when the filters break a rule."""

    rows: Callable[[int, User, QueryDict], QuerySet[Record]]
    url: Callable[[int], str]
    title: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Action:
    """What is done to rows that are still what they were when they were frozen.

    ``eligible`` leaves those that the action can do something to; ``act`` gets locked rows and the actor, inside the
    transaction of their slice, and returns what is to be kept of them (of an export its lines).
    """

    label: str | Promise
    effect: str | Promise
    eligible: Callable[[QuerySet[Record]], QuerySet[Record]]
    act: Callable[[list[Record], str], bytes | None]
    danger: bool = False
    # The start may name how many members a minute are acted on.
    rated: bool = False
    # An action that only reads takes rows as they are now; the others leave alone what changed meanwhile.
    reads_only: bool = False


def _records(job_id: int, user: User, query: QueryDict) -> QuerySet[Record]:
    rows = Record.objects.filter(reached(user), job=job_id)
    job = JobDefinition.objects.filter(pk=job_id).first()
    places = kind_of(job).places(job.settings) if job is not None else []
    filterset = RecordFilter(query, queryset=rows, request=SimpleNamespace(user=user), places=places)
    if not filterset.is_valid():
        raise InvalidInput("filter", gettext("The filters are not valid, so nothing was changed."))
    found: QuerySet[Record] = filterset.qs
    return found


def _dead_letters(queue_id: int, user: User, query: QueryDict) -> QuerySet[Record]:
    rows = set_aside(ProcessingQueue(pk=queue_id), user)
    filterset = DeadLetterFilter(query, queryset=rows, request=SimpleNamespace(user=user))
    if not filterset.is_valid():
        raise InvalidInput("filter", gettext("The filters are not valid, so nothing was changed."))
    found: QuerySet[Record] = filterset.qs
    return found


def _queue_name(queue_id: int) -> str:
    names = ProcessingQueue.objects.filter(pk=queue_id).values_list("name", flat=True)
    return names.first() or str(_("a queue that was deleted"))


def _job_name(job_id: int) -> str:
    names = JobDefinition.objects.filter(pk=job_id).values_list("name", flat=True)
    return names.first() or str(_("a job that was deleted"))


def _ended(rows: QuerySet[Record]) -> QuerySet[Record]:
    return rows.filter(state__in=actions.FINAL)


def _set_aside(rows: QuerySet[Record]) -> QuerySet[Record]:
    return rows.filter(state__in=SET_ASIDE, job__data_source=DataSource.QUEUE)


def _in_progress(rows: QuerySet[Record]) -> QuerySet[Record]:
    return rows.filter(state=Record.State.IN_PROGRESS)


def _done(act: Callable[[list[Record], str], Any]) -> Callable[[list[Record], str], None]:
    def acted(rows: list[Record], actor: str) -> None:
        act(rows, actor)

    return acted


SOURCES: dict[str, Source] = {
    "records": Source(_records, lambda job_id: reverse("jobs:records", args=[job_id]), _job_name),
    "dead_letters": Source(_dead_letters, lambda queue_id: reverse("dead_letters:list", args=[queue_id]), _queue_name),
}
ACTIONS: dict[str, Action] = {
    "retry": Action(
        _("Retry"),
        _("Records in a final state start anew; their history stays. What is in progress is not touched."),
        _ended,
        _done(actions.retry),
    ),
    "abort": Action(
        _("Abort"),
        _("Records in progress end as Aborted; answers that come later change nothing."),
        _in_progress,
        _done(actions.abort),
        danger=True,
    ),
    "skip": Action(
        _("Skip"),
        _("Records in progress end as Skipped, with the reason that an operator skipped them. Nobody is charged."),
        _in_progress,
        _done(actions.skip),
    ),
    "delete": Action(
        _("Delete"),
        _("Processing records that have ended are removed with their timeline, not the calls."),
        _ended,
        _done(actions.delete),
        danger=True,
    ),
    "requeue": Action(
        _("Requeue"),
        _("They go back into the queue with their original age; jobs take them up anew. Their history stays."),
        _set_aside,
        _done(requeue),
        rated=True,
    ),
    "export": Action(
        _("Export"),
        _("The records are written to a CSV file, as they are when their turn comes. Nothing is changed."),
        lambda rows: rows,
        lambda rows, _actor: csv_lines(rows),
        reads_only=True,
    ),
}


def stamp_of(state: str, generation: int) -> str:
    """What a record was when it was frozen: a change of either says that somebody or something acted on it."""
    return f"{state}:{generation}"
