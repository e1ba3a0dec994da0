"""What the filters of every kind that works on conversations ask about one, and the facts that answer (domain T20, A9)."""

import uuid
import zoneinfo
from collections.abc import Collection
from datetime import datetime
from typing import Any, Protocol

from jobs.filters import TEXT_OPERATORS, FilterField, ValueType
from licensing.models import Bundle
from tenants.models import Tenant

OF_CHOICES = ("is", "is_not")
START_DAY = "call.start_day"


class Facts(Protocol):
    """A conversation as its selectors tell of it. What a thread does not have, direction and duration, is None."""

    @property
    def user_id(self) -> uuid.UUID | None: ...
    @property
    def username(self) -> str: ...
    @property
    def duration_ms(self) -> int | None: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def channel(self) -> str: ...
    @property
    def direction(self) -> str | None: ...
    @property
    def language(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def queue_name(self) -> str: ...
    @property
    def external_id(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...


def text_field(name: str, label: Any) -> FilterField:
    """A fact that is a text."""
    return FilterField(name, label, TEXT_OPERATORS, type=ValueType.TEXT)


def common_facts(tenant: Tenant, facts: Facts, licensed: Collection[uuid.UUID]) -> dict[str, Any]:
    """The facts that all kinds share; days are those of the tenant's time zone. None meets "is empty" alone."""
    start = facts.started_at.astimezone(zoneinfo.ZoneInfo(tenant.time_zone))
    return {
        "user.license": frozenset({Bundle.SPEECH_ANALYTICS.value}) if facts.user_id in licensed else frozenset(),
        "call.duration": None if facts.duration_ms is None else facts.duration_ms // 1000,
        "user.name": facts.username,
        "call.tag": frozenset(facts.tags),
        "call.channel": facts.channel,
        "call.direction": facts.direction,
        "call.language": facts.language,
        "call.group": facts.group,
        "call.queue_name": facts.queue_name,
        "call.external_id": facts.external_id,
        START_DAY: start.date().isoformat(),
        "call.start_weekday": str(start.isoweekday() % 7),
    }
