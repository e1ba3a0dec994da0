"""Where tasks and meetings stand (5.2), as the database finds out: nothing of it is stored."""

from django.db.models import (
    Case,
    CharField,
    DateTimeField,
    Exists,
    F,
    Func,
    Max,
    OuterRef,
    Q,
    Subquery,
    TextChoices,
    Value,
    When,
)
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _

from conversations.models import TranscriptionState
from miaop.models import Meeting
from tenants.querysets import TenantQuerySet


class Status(TextChoices):
    """The guide's words, for tasks and meetings alike."""

    PENDING = "sttPending", _("Waiting")
    PROCESSING = "sttProcessing", _("In progress")
    DONE = "sttDone", _("Done")
    ERROR = "error", _("Error")


FINAL = frozenset({Status.DONE, Status.ERROR})
# A call that was deleted has no state any more; its meeting ended with an error (5.2, "Aborted").
OF_STATES = {
    TranscriptionState.NONE: Status.PENDING,
    TranscriptionState.IN_PROGRESS: Status.PROCESSING,
    TranscriptionState.COMPLETED: Status.DONE,
}
_OPEN = Q(call__transcription_state__in=[TranscriptionState.NONE, TranscriptionState.IN_PROGRESS])
_STARTED = Q(call=None) | ~Q(call__transcription_state=TranscriptionState.NONE)
_DONE = Q(call__transcription_state=TranscriptionState.COMPLETED)


def status_of(state: str | None) -> Status:
    """Of the meeting whose call has this transcription state; None when the call is gone."""
    return Status.ERROR if state is None else OF_STATES.get(TranscriptionState(state), Status.ERROR)


class _Milliseconds(Func):
    """Cut to what the API says of a moment: otherwise a filter on the value that was read would not meet its task."""

    template = "date_trunc('milliseconds', %(expressions)s)"
    output_field = DateTimeField()


def with_status(tasks: TenantQuerySet) -> TenantQuerySet:
    """The tasks with ``status`` (5.2) and ``updated``: the last change of the task or of one of its meetings.

    ``updated`` never falls: the deletion of a call is later than all that the call knew.
    """
    meetings = Meeting.objects.filter(task=OuterRef("pk")).order_by()
    moment = Greatest(F("call__transcription_at"), F("call_deleted_at"))
    latest = meetings.values("task").annotate(latest=Max(moment)).values("latest")
    rows: TenantQuerySet = tasks.annotate(
        updated=_Milliseconds(Greatest(F("changed_at"), Subquery(latest, output_field=DateTimeField()))),
        status=Case(
            When(Exists(meetings.filter(_OPEN)) & Exists(meetings.filter(_STARTED)), then=Value(Status.PROCESSING)),
            When(Exists(meetings.filter(_OPEN)), then=Value(Status.PENDING)),
            When(Exists(meetings.filter(_DONE)), then=Value(Status.DONE)),
            default=Value(Status.ERROR),
            output_field=CharField(),
        ),
    )
    return rows
