"""How a thread is shown: the context of its page, in plain values."""

from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from conversations.fields.shown import panel
from conversations.models import Call, Thread
from conversations.selectors import may_read
from conversations.texts import thread_data
from conversations.threads.exports import THREAD_EXPORTS
from core.threads import Participant, Role, ThreadData
from queues.events import RecordType

ROLES: dict[Role, str | Promise] = {
    Role.CUSTOMER: gettext_lazy("Customer"),
    Role.AGENT: gettext_lazy("Agent"),
    Role.BOT: gettext_lazy("Bot"),
}
# The colours of the two channels of a call, and a third.
LOOKS = {Role.AGENT: 0, Role.CUSTOMER: 1, Role.BOT: 2}


def thread_context(user: User, call: Call, thread: Thread) -> dict[str, Any]:
    """What the page of a thread shows to ``user``: without the right to read it, neither subject nor messages."""
    data = thread_data(thread) if may_read(user, call) else None
    parties = [call.from_name or call.from_number, call.to_name or call.to_number]
    named = " → ".join(party for party in parties if party) or call.external_id
    return {
        "title": (data.subject if data else "") or named,
        "breadcrumbs": [(_("Conversations"), reverse("conversations:calls")), (call.external_id, None)],
        "call": call,
        "thread": thread,
        "may_read": data is not None,
        "people": [_person(person) for person in data.participants] if data else [],
        "messages_shown": _messages(data, call) if data else [],
        "warnings": data.warnings if data else (),
        "fields": panel(user, (RecordType.CONVERSATION, call.pk), readable=data is not None),
        "downloads": _downloads(call) if data else [],
    }


def _person(person: Participant) -> dict[str, Any]:
    return {
        "name": person.shown,
        "address": person.address if person.address != person.shown else "",
        "role": ROLES[person.role],
        "look": LOOKS[person.role],
    }


def _messages(data: ThreadData, call: Call) -> list[dict[str, Any]]:
    people = {person.id: _person(person) for person in data.participants}
    return [
        {
            "index": index,
            "sender": people[message.sender],
            "at": message.at,
            "text": message.text,
            "quoted": message.quoted,
            "signature": message.signature,
            "attachments": message.attachments,
            "lang": call.language,
        }
        for index, message in enumerate(data.messages)
    ]


def _downloads(call: Call) -> list[dict[str, str]]:
    return [
        {
            "label": _("Messages as %(format)s") % {"format": extension.upper()},
            "url": reverse("conversations:call_thread", args=[call.pk, extension]),
        }
        for extension in THREAD_EXPORTS
    ]
