"""The conversations that values are about, by record type, with the rights of their selectors."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import Http404
from django.urls import reverse

from accounts.models import User
from conversations.models import SPOKEN, WRITTEN, Call
from conversations.selectors import call_for, may_read
from queues.events import RecordType
from tenants.querysets import TenantQuerySet

Key = tuple[str, uuid.UUID]


@dataclass(frozen=True, slots=True)
class Conversations:
    """How conversations of one record type are found.

    ``find`` gives a visible one or raises Http404, ``reads`` says whether the viewer may read its words, ``route`` is the
    URL name of its page, ``kind`` what the audit trail calls it. A model has ``external_id``; ``of`` tells its rows of
    this record type from others.
    """

    model: Any
    of: Q
    find: Callable[[User, uuid.UUID], Any]
    reads: Callable[[User, Any], bool]
    route: str
    kind: str

    def url(self, pk: uuid.UUID) -> str:
        """The page."""
        return reverse(self.route, args=[pk])


def _spoken(user: User, pk: uuid.UUID) -> Call:
    found = call_for(user, pk)
    if found.is_written:
        raise Http404
    return found


def _written(user: User, pk: uuid.UUID) -> Call:
    found = call_for(user, pk)
    if not found.is_written:
        raise Http404
    return found


RECORDS: Mapping[str, Conversations] = {
    RecordType.CALL: Conversations(Call, SPOKEN, _spoken, may_read, "conversations:call", "call"),
    RecordType.CONVERSATION: Conversations(Call, WRITTEN, _written, may_read, "conversations:call", "thread"),
}


def conversations_of(record_type: str) -> Conversations:
    """Those of a record type that has values. Raises Http404 for another."""
    found = RECORDS.get(record_type)
    if found is None:
        raise Http404
    return found


def lock(keys: Iterable[Key]) -> set[Key]:
    """Lock the rows of those that exist until the transaction ends; return them. Always in the same order."""
    wanted: dict[str, set[uuid.UUID]] = {}
    for record_type, pk in keys:
        wanted.setdefault(record_type, set()).add(pk)
    found: set[Key] = set()
    for record_type in sorted(wanted):
        if record_type not in RECORDS:
            continue
        kind = RECORDS[record_type]
        rows: TenantQuerySet = kind.model.objects.filter(kind.of, pk__in=wanted[record_type]).order_by("pk")
        found |= {(record_type, pk) for pk in rows.select_for_update(no_key=True).values_list("pk", flat=True)}
    return found
