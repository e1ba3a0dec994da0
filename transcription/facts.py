"""What the filters of a transcription job may ask about a call, and the facts that answer (domain T20, A9)."""

import uuid
import zoneinfo
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from conversations.models import Channel, Direction, TranscriptionState
from conversations.selectors import CallFacts
from jobs.custom_fields import WithCustomFields
from jobs.filters import TEXT_OPERATORS, FilterField, ValueType
from jobs.schedules import WEEKDAYS
from licensing.models import Bundle
from tenants.models import Tenant

OF_CHOICES = ("is", "is_not")
START_DAY = "call.start_day"


def _text(name: str, label: Any) -> FilterField:
    return FilterField(name, label, TEXT_OPERATORS, type=ValueType.TEXT)


_FIELDS: Iterable[FilterField] = (
    FilterField("user.license", _("User - License"), OF_CHOICES, tuple(Bundle.choices)),
    FilterField(
        "call.duration",
        _("Call - Duration"),
        ("between",),
        type=ValueType.SECONDS,
        hint=_("m:ss, h:mm:ss or seconds; both ends belong to it."),
    ),
    _text("user.name", _("User - Name")),
    _text("call.tag", _("Call - Tag")),
    FilterField("call.channel", _("Call - Channel"), OF_CHOICES, ((Channel.VOICE.value, Channel.VOICE.label),)),
    FilterField("call.direction", _("Call - Direction"), OF_CHOICES, tuple(Direction.choices)),
    _text("call.language", _("Call - Language")),
    _text("call.group", _("Call - Group")),
    _text("call.queue_name", _("Call - Queue or campaign")),
    _text("call.external_id", _("Call - External id")),
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
    start = call.started_at.astimezone(zoneinfo.ZoneInfo(tenant.time_zone))
    return {
        "user.license": frozenset({Bundle.SPEECH_ANALYTICS.value}) if call.user_id in licensed else frozenset(),
        "call.duration": call.duration_ms // 1000,
        "user.name": call.username,
        "call.tag": frozenset(call.tags),
        "call.channel": call.channel,
        "call.direction": call.direction,
        "call.language": call.language,
        "call.group": call.group,
        "call.queue_name": call.queue_name,
        "call.external_id": call.external_id,
        START_DAY: start.date().isoformat(),
        "call.transcription": call.transcription_state,
        "call.start_weekday": str(start.isoweekday() % 7),
    }
