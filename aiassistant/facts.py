"""What filters of AI jobs and AI tasks may ask about a conversation, and the facts that answer (domain A2, A9)."""

import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from conversations.health.wording import CHOICES
from conversations.models import Channel, Direction
from conversations.texts import TextFacts
from jobs.conversation_facts import OF_CHOICES, START_DAY, common_facts, text_field
from jobs.custom_fields import WithCustomFields
from jobs.filters import FilterField, ValueType
from jobs.schedules import WEEKDAYS
from licensing.models import Bundle
from tenants.models import Tenant

_FIELDS: Iterable[FilterField] = (
    FilterField("user.license", _("User - License"), OF_CHOICES, tuple(Bundle.choices)),
    FilterField(
        "call.duration",
        _("Call - Duration"),
        ("between", "empty", "not_empty"),
        type=ValueType.SECONDS,
        hint=_("m:ss, h:mm:ss or seconds; both ends belong to it."),
    ),
    FilterField(
        "text.words",
        _("Text - Words"),
        ("between",),
        type=ValueType.NUMBER,
        hint=_("Of the transcript or of all messages; both ends belong to it."),
    ),
    FilterField(
        "transcript.health",
        _("Transcript - Health"),
        ("between", "empty", "not_empty"),
        type=ValueType.NUMBER,
        hint=_("0–100; messages and transcripts that were not judged have none."),
    ),
    FilterField("transcript.flag", _("Transcript - Doubt"), (*OF_CHOICES, "empty", "not_empty"), tuple(CHOICES)),
    text_field("user.name", _("User - Name")),
    text_field("call.tag", _("Conversation - Tag")),
    FilterField("call.channel", _("Conversation - Channel"), OF_CHOICES, tuple(Channel.choices)),
    FilterField("call.direction", _("Call - Direction"), (*OF_CHOICES, "empty", "not_empty"), tuple(Direction.choices)),
    text_field("call.language", _("Conversation - Language")),
    text_field("call.group", _("Conversation - Group")),
    text_field("call.queue_name", _("Conversation - Queue or campaign")),
    text_field("call.external_id", _("Conversation - External id")),
    FilterField(
        START_DAY,
        _("Conversation - Start date"),
        ("between", "is", "is_not"),
        type=ValueType.DAY,
        hint=_("In the time zone of the tenant; both days belong to it."),
    ),
    FilterField("call.start_weekday", _("Conversation - Start weekday"), OF_CHOICES, tuple(WEEKDAYS)),
)
FILTER_FIELDS: Mapping[str, FilterField] = WithCustomFields({field.name: field for field in _FIELDS})


def filter_facts(tenant: Tenant, facts: TextFacts, licensed: Collection[uuid.UUID]) -> dict[str, Any]:
    """One fact for each of ``FILTER_FIELDS`` but the custom fields; days are those of the tenant's time zone.

    A thread has neither duration nor direction: these facts are None, which meets "is empty" alone.
    """
    return {**common_facts(tenant, facts, licensed), **_of_transcript(facts)}


def _of_transcript(facts: TextFacts) -> dict[str, Any]:
    return {
        "text.words": facts.word_count,
        "transcript.health": facts.health_score,
        "transcript.flag": frozenset(facts.health_flags),
    }
