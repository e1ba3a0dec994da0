"""What the pages of replication show."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from queues.events import RecordType, event_label
from queues.models import ProcessingQueue, QueueScope
from queues.replication.copies import copy_of
from queues.replication.models import Outgoing, Pairing, QueueCopy, ReplicationConflict
from queues.replication.outbox import outgoing_of
from queues.replication.peer import FAILURES
from queues.replication.snapshots import settings_of

OPEN = ReplicationConflict.State.OPEN


def pairing_server() -> Pairing | None:
    """The pairing server, if there is one."""
    return Pairing.objects.first()


def conflicts() -> QuerySet[ReplicationConflict]:
    """All conflicts with the copies they are about."""
    return ReplicationConflict.objects.select_related("copy")


def open_conflicts() -> int:
    """How many wait for a decision."""
    return ReplicationConflict.objects.filter(state=OPEN).count()


def copies_here() -> int:
    """How many queues follow another installation."""
    return QueueCopy.objects.filter(state=QueueCopy.State.ATTACHED, queue__isnull=False).count()


def pending_number() -> int:
    """How many snapshots wait to be sent."""
    return Outgoing.objects.filter(pending_since__isnull=False).count()


def failure_text(code: str) -> str:
    """A failure of the connection in words."""
    return str(FAILURES.get(code, code))


@dataclass(frozen=True, slots=True)
class Sending:
    """How far the settings of a queue are on their way, for its page."""

    pending_since: datetime | None
    sent_at: datetime | None
    error: str
    note: str
    next_at: datetime | None


def sending_of(queue: ProcessingQueue) -> Sending | None:
    """None when the queue is not replicated."""
    if not queue.replicate:
        return None
    outgoing, pairing = outgoing_of(queue), pairing_server()
    if pairing is None or pairing.confirmed_at is None:
        note = _("There is no pairing server, or its fingerprint is not confirmed: nothing is sent.")
        return Sending(outgoing.pending_since if outgoing else None, None, "", note, None)
    if outgoing is None:
        return Sending(None, None, "", _("Save the queue to send its settings."), None)
    pending = outgoing.pending_since is not None
    error = (outgoing.last_error or failure_text(pairing.last_error)) if pending else ""
    note = "" if pending else _outcome(outgoing)
    next_at = max(filter(None, (outgoing.next_at, pairing.next_at)), default=None) if error else None
    return Sending(outgoing.pending_since, outgoing.sent_at, error, note, next_at)


def _outcome(outgoing: Outgoing) -> str:
    if outgoing.outcome == "conflict":
        reasons = dict(ReplicationConflict.Reason.choices)
        text = _("The other side keeps it as a conflict: %(reason)s")
        return text % {"reason": str(reasons.get(outgoing.reason, outgoing.reason))}
    if outgoing.outcome == "unchanged":
        return _("The other side had this version, or a later one, already.")
    return ""


@dataclass(frozen=True, slots=True)
class Following:
    """Of what another installation a queue is the copy, and the conflict that waits, for its page."""

    copy: QueueCopy
    conflict: ReplicationConflict | None


def following_of(queue: ProcessingQueue) -> Following | None:
    """None for a queue of our own."""
    copy = copy_of(queue)
    if copy is None:
        return None
    return Following(copy, copy.conflicts.filter(state=OPEN).first())  # type: ignore[attr-defined]


def both_sides(conflict: ReplicationConflict) -> list[dict[str, Any]]:
    """The rows of the comparison: label, ours, theirs, whether they differ. Ours is live until it is decided."""
    ours = conflict.ours
    if conflict.state == OPEN:
        ours = settings_of(conflict.queue) if conflict.queue is not None else None
    labels = {
        "name": _("Name"),
        "enabled": _("Status"),
        "scope": _("Scope"),
        "tenant": _("Tenant"),
        "tenant_groups": _("Tenant groups"),
        "record_type": _("Record type"),
        "events": _("Events"),
    }
    rows = []
    for name, label in labels.items():
        here, there = (_words(name, side.get(name)) if side else "" for side in (ours, conflict.theirs))
        rows.append({"label": label, "ours": here, "theirs": there, "differs": here != there})
    return rows


def _words(name: str, value: Any) -> str:
    match name:
        case "enabled":
            return _("Enabled") if value else _("Disabled")
        case "scope":
            return str(dict(QueueScope.choices).get(value, value))
        case "record_type":
            return str(dict(RecordType.choices).get(value, value))
        case "events":
            return ", ".join(event_label(event) for event in value)
        case "tenant_groups":
            return ", ".join(value)
    return str(value)
