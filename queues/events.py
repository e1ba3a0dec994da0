"""The event vocabulary: the guide's (domain T13) and that of text conversations; the record types (domain C37)."""

from functools import cache

from django.db import models
from django.utils.translation import gettext_lazy as _


class RecordType(models.TextChoices):
    """What a queue item or a job record stands for."""

    CALL = "call", _("Call")
    CONVERSATION = "conversation", _("Conversation (text)")
    MEETING = "meeting", _("Meeting")
    INTEGRATION_EVENT = "integration_event", _("Integration events")

    @property
    def takes(self) -> "frozenset[RecordType]":
        """What a queue of this type may collect: a queue of conversations also takes calls, which are conversations."""
        return frozenset({RecordType.CALL, self} if self == RecordType.CONVERSATION else {self})

    @property
    def has_events(self) -> bool:
        """False for types that no event is about: jobs publish them to their queues."""
        return self in _types_with_events()


class Event(models.TextChoices):
    """What populates queues: the guide's eleven events, and three of text. The value's first part is the record type."""

    CALL_RECORDING_STARTED = "call.recording_started", _("Call - Recording started")
    CALL_RECORDING_FINISHED = "call.recording_finished", _("Call - Recording finished")
    CALL_CREATED = "call.created", _("Call - Created")
    CALL_UPDATED = "call.updated", _("Call - Updated")
    CALL_DELETED = "call.deleted", _("Call - Deleted")
    CALL_TRANSCRIPTION_COMPLETED = "call.transcription_completed", _("Call - Transcription completed")
    CALL_REDACTION_COMPLETED = "call.redaction_completed", _("Call - Redaction completed")
    CALL_REPLICATION_SENT = "call.replication_sent", _("Call - Replication sent")
    CALL_REPLICATION_RECEIVED = "call.replication_received", _("Call - Replication received")
    CALL_UPLOAD_COMPLETED = "call.upload_completed", _("Call - Upload completed")
    CONVERSATION_CREATED = "conversation.created", _("Conversation - Created")
    CONVERSATION_UPDATED = "conversation.updated", _("Conversation - Updated")
    CONVERSATION_DELETED = "conversation.deleted", _("Conversation - Deleted")
    INTEGRATION_EVENT_CREATED = "integration_event.created", _("Integration event - Created")

    @property
    def record_type(self) -> RecordType:
        """The record type that the event is about."""
        return RecordType(self.value.partition(".")[0])


@cache
def _types_with_events() -> frozenset[RecordType]:
    return frozenset(event.record_type for event in Event)


# What stands as the event of an item that an operator put back: the job takes its record up anew.
REQUEUED = "requeued"


def event_label(event: str) -> str:
    """The guide's name of an event of an item, else what a job or an operator did to put it there."""
    if event == REQUEUED:
        return str(_("Requeued"))
    return str(Event(event).label) if event in Event.values else event
