"""What is known of a call beside its audio: the ingestion fields (domain §2) and their rules.

A ``CallMetadata`` that exists is valid: making one with a broken rule raises InvalidInput naming field and rule.
"""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from conversations.models import Channel, Direction, HoldEvent
from core.errors import InvalidInput

MAX_TAGS = 20
MAX_TAG_CHARS = 60
MAX_HOLD_EVENTS = 200
MAX_DURATION_S = 7 * 24 * 3600
DEFAULT_LANGUAGE = "en-US"
# Before telephones were recorded by computers, and a clock that runs ahead of ours.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(days=1)
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")
TEXT_LIMITS = {
    "external_id": 200,
    "from_number": 64,
    "from_name": 150,
    "to_number": 64,
    "to_name": 150,
    "username": 150,
    "group": 120,
    "queue_name": 120,
}
_UNSTORABLE = {"Cc", "Cs"}


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold or wait-in-queue event; seconds from the start of the audio."""

    type: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMetadata:
    """The fields of one call. ``duration_s`` (seconds) is a claim that decoding must confirm.

    ``username`` names a user of the tenant, whatever its case; ``group`` empty means the user's group. A
    ``confidential`` call is seen only by those with the right to confidential calls.
    """

    external_id: str
    started_at: datetime
    channel: str = Channel.VOICE.value
    direction: str = Direction.UNKNOWN.value
    from_number: str = ""
    from_name: str = ""
    to_number: str = ""
    to_name: str = ""
    username: str = ""
    group: str = ""
    queue_name: str = ""
    language: str = DEFAULT_LANGUAGE
    tags: tuple[str, ...] = ()
    duration_s: float | None = None
    confidential: bool = False
    hold_events: tuple[Hold, ...] = ()

    def __post_init__(self) -> None:
        for name, limit in TEXT_LIMITS.items():
            check_text(name, getattr(self, name), limit)
        if not self.external_id.strip():
            raise InvalidInput("external_id", _("Every call needs an external id."))
        check_choice("channel", self.channel, [Channel.VOICE.value])
        check_choice("direction", self.direction, Direction.values)
        check_start(self.started_at)
        check_language(self.language)
        check_tags(self.tags)
        _check_duration(self.duration_s)
        if not isinstance(self.confidential, bool):
            raise InvalidInput("confidential", _("Use true or false."))
        _check_hold_events(self.hold_events)


def read_metadata(raw: Mapping[str, Any], *, base_time: datetime | None = None) -> CallMetadata:
    """Make metadata from a sidecar or a row: names as in ``CallMetadata``, ``started_at`` as ISO 8601 with a zone.

    Instead of ``started_at`` there may be ``started_at_offset_minutes``, counted from ``base_time`` (default: now).
    Raises InvalidInput, also for a field that nobody knows.
    """
    known = {field.name for field in fields(CallMetadata)} | {"started_at_offset_minutes"}
    for name in raw:
        if name not in known:
            raise InvalidInput(str(name)[:80], _("There is no such field."))
    values = {name: value for name, value in raw.items() if value is not None}
    values["started_at"] = read_start(values, base_time)
    if "external_id" not in values:
        raise InvalidInput("external_id", _("Every call needs an external id."))
    if isinstance(values.get("tags"), list):
        values["tags"] = tuple(values["tags"])
    if "hold_events" in values:
        values["hold_events"] = _hold_events(values["hold_events"])
    return CallMetadata(**values)


def _hold_events(raw: object) -> tuple[Hold, ...]:
    """From ``[{"type": "hold", "start_s": 12.5, "end_s": 40}]``."""
    names = {field.name for field in fields(Hold)}
    if not isinstance(raw, list) or any(not isinstance(event, dict) or event.keys() != names for event in raw):
        raise InvalidInput("hold_events", _("This must be a list of events, each with type, start_s and end_s."))
    return tuple(Hold(**event) for event in raw)


def read_start(values: dict[str, Any], base_time: datetime | None) -> datetime:
    """The start that ``started_at`` or ``started_at_offset_minutes`` gives; the latter is taken out of ``values``.

    Raises InvalidInput.
    """
    offset = values.pop("started_at_offset_minutes", None)
    start = values.get("started_at")
    if (offset is None) == (start is None):
        raise InvalidInput("started_at", _("Give either started_at or started_at_offset_minutes."))
    if offset is not None:
        if isinstance(offset, bool) or not isinstance(offset, int) or abs(offset) > 60 * 24 * 366 * 50:
            raise InvalidInput("started_at_offset_minutes", _("Use a whole number of minutes."))
        return (base_time or datetime.now(UTC)) + timedelta(minutes=offset)
    return read_moment("started_at", start)


def read_moment(name: str, value: object) -> datetime:
    """A moment as ISO 8601, or one already. Raises InvalidInput for ``name``."""
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise InvalidInput(name, _("Use a time like 2026-11-21T09:30:00+01:00.")) from None


def check_text(name: str, value: object, limit: int) -> None:
    """Raise InvalidInput for ``name`` unless this is text of at most ``limit`` characters without control characters."""
    if not isinstance(value, str):
        raise InvalidInput(name, _("This must be text."))
    if len(value) > limit:
        raise InvalidInput(name, _("Use at most %(limit)d characters.") % {"limit": limit})
    if any(unicodedata.category(char) in _UNSTORABLE for char in value):
        raise InvalidInput(name, _("Control characters are not allowed."))


def check_choice(name: str, value: object, allowed: Sequence[str]) -> None:
    """Raise InvalidInput for ``name`` unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise InvalidInput(name, _("Use one of: %(values)s.") % {"values": ", ".join(allowed)})


def check_start(value: object, name: str = "started_at") -> None:
    """Raise InvalidInput for ``name`` unless this is a moment with a zone, since 1970 and not in the future."""
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise InvalidInput(name, _("The time needs a zone, for example +01:00 or Z."))
    try:
        if EARLIEST <= value <= datetime.now(UTC) + CLOCK_SKEW:
            return
    except OverflowError:
        pass
    raise InvalidInput(name, _("The start lies before 1970 or in the future."))


def check_language(value: object) -> None:
    """Raise InvalidInput unless this is a language tag or empty."""
    if not isinstance(value, str) or len(value) > 20 or (value and not LANGUAGE.match(value)):
        raise InvalidInput("language", _("Use a language tag such as en-US or he-IL."))


def check_tags(value: object) -> None:
    """Raise InvalidInput unless this is a tuple of tags, each once."""
    if not isinstance(value, tuple):
        raise InvalidInput("tags", _("This must be a list of texts."))
    if len(value) > MAX_TAGS:
        raise InvalidInput("tags", _("Use at most %(limit)d tags.") % {"limit": MAX_TAGS})
    for tag in value:
        check_tag("tags", tag)
    if len(set(value)) != len(value):
        raise InvalidInput("tags", _("A tag is given twice."))


def check_tag(name: str, value: object) -> None:
    """Raise InvalidInput for the field ``name`` when ``value`` cannot be a tag."""
    check_text(name, value, MAX_TAG_CHARS)
    if not str(value).strip():
        raise InvalidInput(name, _("A tag must not be empty."))


def _check_hold_events(value: object) -> None:
    if not isinstance(value, tuple):
        raise InvalidInput("hold_events", _("This must be a list of events, each with type, start_s and end_s."))
    if len(value) > MAX_HOLD_EVENTS:
        raise InvalidInput("hold_events", _("Use at most %(limit)d events.") % {"limit": MAX_HOLD_EVENTS})
    for event in value:
        check_choice("hold_events", event.type, HoldEvent.values)
        if not all(_is_seconds(moment) for moment in (event.start_s, event.end_s)):
            raise InvalidInput("hold_events", _("start_s and end_s are seconds, between 0 and 7 days."))
        if event.start_s >= event.end_s:
            raise InvalidInput("hold_events", _("An event must end after it starts."))


def _is_seconds(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return number and 0 <= value <= MAX_DURATION_S  # type: ignore[operator]


def _check_duration(value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput("duration_s", _("Use a number of seconds."))
    if not 0 <= value <= MAX_DURATION_S:
        raise InvalidInput("duration_s", _("A duration is between 0 seconds and 7 days."))


def duration_lies(claimed_s: float, decoded_ms: int) -> bool:
    """True when a claimed duration (seconds) is off the decoded one (milliseconds) by more than 2 s and 5 %."""
    return abs(claimed_s - decoded_ms / 1000) > max(2.0, 0.05 * decoded_ms / 1000)
