"""What the filters of a transcription job may ask about a call, and the facts that answer (domain T20, A9)."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from conversations.models import Channel, Direction, TranscriptionState
from conversations.selectors import CallFacts
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
        ("between",),
        type=ValueType.SECONDS,
        hint=_("m:ss, h:mm:ss or seconds; both ends belong to it."),
    ),
    text_field("user.name", _("User - Name")),
    text_field("call.tag", _("Call - Tag")),
    FilterField("call.channel", _("Call - Channel"), OF_CHOICES, ((Channel.VOICE.value, Channel.VOICE.label),)),
    FilterField("call.direction", _("Call - Direction"), OF_CHOICES, tuple(Direction.choices)),
    text_field("call.language", _("Call - Language")),
    text_field("call.group", _("Call - Group")),
    text_field("call.queue_name", _("Call - Queue or campaign")),
    text_field("call.external_id", _("Call - External id")),
    FilterField(
        START_DAY,
        _("Call - Start date"),
        ("between", "is", "is_not"),
        type=ValueType.DAY,
        hint=_("In the time zone of the tenant; both days belong to it."),
    ),
    FilterField("call.transcription", _("Call - Transcription"), OF_CHOICES, tuple(TranscriptionState.choices)),
    FilterField("call.start_weekday", _("Call - Start weekday"), OF_CHOICES, tuple(WEEKDAYS)),
)
FILTER_FIELDS: Mapping[str, FilterField] = WithCustomFields({field.name: field for field in _FIELDS})


def filter_facts(tenant: Tenant, call: CallFacts, licensed: set[uuid.UUID]) -> dict[str, Any]:
    """One fact for each of ``FILTER_FIELDS`` but the custom fields; days are those of the tenant's time zone."""
    return {**common_facts(tenant, call, licensed), "call.transcription": call.transcription_state}
