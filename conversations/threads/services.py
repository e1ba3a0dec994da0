"""Taking threads in: one service for every way, the command and the API alike."""

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import IntegrityError, OperationalError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import key_of
from audit.services import append
from conversations.models import Call, Thread
from conversations.threads.codec import PackedThread, pack_thread, unpack_thread
from conversations.threads.normalising import merged, too_much_text
from conversations.threads.reading import NewThread
from core.errors import Conflict, InvalidInput
from core.moves import move
from core.threads import Participant, Role, ThreadData
from queues.events import Event
from queues.services import publish
from tenants.doors import WrongTenant, current_tenant
from tenants.models import Tenant

# How often an import begins anew because somebody else stored the same thread in between.
ATTEMPTS = 3
# SQLSTATE of PostgreSQL: the search vector would be too large.
PROGRAM_LIMIT = "54000"


class Result(StrEnum):
    """What an import did."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Imported:
    """The conversation and what happened to it."""

    call_id: uuid.UUID
    result: Result


class _Rival(Exception):
    """Somebody stored or changed the thread since it was read."""


def import_thread(*, tenant: Tenant, thread: NewThread, actor: str, source: str, dry_run: bool = False) -> Imported:
    """Take a thread in, or bring the one with its external id up to date, and publish “Created” or “Updated”.

    Messages and participants of a known thread are added, or replaced by their id; nothing is taken away. Its other
    fields follow where they are given, except that tags are only set at first (later they belong to people and jobs)
    and what is confidential stays so. When nothing is new nothing is written, audited or published. ``source`` says by
    which way it came; ``dry_run`` stores nothing and returns what would have happened.

    Raises InvalidInput naming the field for an unknown user, the external id of a call, and a thread that the new
    messages make too long; Conflict when others keep changing the same thread.
    """
    if current_tenant().pk != tenant.pk:
        raise WrongTenant("The thread belongs to another tenant than the one that was entered.")
    user = _user(tenant, thread.username)
    for _attempt in range(ATTEMPTS):
        try:
            return _import(tenant, thread, user, actor, source, dry_run)
        except _Rival:
            continue
    raise Conflict(_("The thread is being changed by others. Try again."))


def _import(tenant: Tenant, thread: NewThread, user: User | None, actor: str, source: str, dry_run: bool) -> Imported:
    known = Call.objects.select_related("thread", "user").filter(external_id=thread.external_id.strip()).first()
    if known is None:
        call = Call(external_id=thread.external_id.strip(), channel=thread.channel, tags=list(thread.tags))
        values = _facts(thread, thread.data, user) | {"group": thread.group or (user.group if user else "")}
        for name, value in values.items():
            setattr(call, name, value)
        packed = pack_thread(thread.data)
        if not dry_run:
            _create(tenant, call, thread.data, packed, actor, source)
        return Imported(call.pk, Result.CREATED)
    if known.channel != thread.channel:
        message = _("There is a conversation with this external id already; its channel is “%(channel)s”.")
        raise InvalidInput("external_id", message % {"channel": known.get_channel_display()})
    stored = unpack_thread(bytes(known.thread.body), known.thread.text)
    data = merged(stored, thread.data)
    facts = {name: value for name, value in _facts(thread, data, user).items() if getattr(known, name) != value}
    if data == stored and not facts:
        return Imported(known.pk, Result.UNCHANGED)
    packed = pack_thread(data)
    if not dry_run:
        _update(tenant, known, stored, data, packed, facts, actor, source)
    return Imported(known.pk, Result.UPDATED)


def _user(tenant: Tenant, username: str) -> User | None:
    if not username:
        return None
    user = User.objects.filter(tenant=tenant, username_key=key_of(username)).first()
    if user is None:
        raise InvalidInput("username", _("There is no user with this name in the tenant."))
    return user


def _facts(thread: NewThread, data: ThreadData, user: User | None) -> dict[str, Any]:
    """The columns of the conversation that follow from its messages, and those that the import gives."""
    people = {person.id: person for person in data.participants}
    writers = [people[message.sender] for message in data.messages]
    # Often a bot greets whoever opens a chat: it is the other one who turned to somebody.
    first = next((person for person in writers if person.role != Role.BOT), writers[0])
    other = _counterpart(first, writers, data)
    facts: dict[str, Any] = {
        "started_at": data.messages[0].at,
        "ended_at": data.messages[-1].at,
        "from_number": first.address[:64],
        "from_name": first.name,
        "to_number": other.address[:64] if other else "",
        "to_name": other.name if other else "",
    }
    given = {"group": thread.group, "queue_name": thread.queue_name, "language": thread.language}
    facts |= {name: value for name, value in given.items() if value}
    facts |= {"user": user} if user is not None else {}
    return facts | ({"confidential": True} if thread.confidential else {})


def _counterpart(first: Participant, writers: list[Participant], data: ThreadData) -> Participant | None:
    """Whom ``first`` wrote to: who writes first on the other side, else who stands there, else anybody; bots last."""
    others = [person for person in (*writers, *data.participants) if person.id != first.id]
    others.sort(key=lambda person: (person.role == Role.BOT, person.role == first.role))
    return others[0] if others else None


def _columns(data: ThreadData, packed: PackedThread) -> dict[str, Any]:
    return {
        "subject": data.subject,
        "people": "\n".join(f"{person.name} {person.address}".strip() for person in data.participants),
        "message_count": packed.message_count,
        "word_count": packed.word_count,
        "text_chars": packed.text_chars,
        "body": packed.body,
        "text": packed.text,
    }


def _create(tenant: Tenant, call: Call, data: ThreadData, packed: PackedThread, actor: str, source: str) -> None:
    try:
        with transaction.atomic():
            call.save(force_insert=True)
            Thread.objects.create(call=call, **_columns(data, packed))
            _audit(tenant, call, "thread.created", actor, source=source, messages=packed.message_count)
            publish(tenant=tenant, event=Event.CONVERSATION_CREATED, record_ids=[call.pk])
    except IntegrityError as error:
        if "external_id" in str(error):
            raise _Rival from None
        raise
    except OperationalError as error:
        raise _searchable(error) from None


def _update(
    tenant: Tenant,
    call: Call,
    stored: ThreadData,
    data: ThreadData,
    packed: PackedThread,
    facts: dict[str, Any],
    actor: str,
    source: str,
) -> None:
    thread: Thread = call.thread
    as_read = Thread.objects.filter(pk=thread.pk, version=thread.version)
    try:
        with transaction.atomic():
            move(as_read, conflict="", **_columns(data, packed), version=thread.version + 1, changed_at=Now())
            Call.objects.filter(pk=call.pk).update(**facts, changed_at=Now())
            added = len(data.messages) - len(stored.messages)
            _audit(tenant, call, "thread.updated", actor, source=source, messages=packed.message_count, added=added)
            publish(tenant=tenant, event=Event.CONVERSATION_UPDATED, record_ids=[call.pk])
    except Conflict:
        raise _Rival from None
    except OperationalError as error:
        raise _searchable(error) from None


def _searchable(error: OperationalError) -> Exception:
    """A text within the limit of bytes may still hold too many different words and addresses for one search vector."""
    return too_much_text() if getattr(error.__cause__, "sqlstate", "") == PROGRAM_LIMIT else error


def _audit(tenant: Tenant, call: Call, action: str, actor: str, **details: Any) -> None:
    append(
        tenant_id=tenant.pk,
        actor=actor,
        action=action,
        target_type="thread",
        target_id=str(call.pk),
        details={"external_id": call.external_id, "channel": call.channel, **details},
    )
