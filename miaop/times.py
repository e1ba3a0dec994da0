"""The guide's moments: seconds or milliseconds by magnitude, and dates as people write them (R6.2, A3, A15)."""

import re
from datetime import UTC, datetime, tzinfo

SECONDS_BELOW = 100_000_000_000
GERMAN = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}) (\d{1,2}):(\d{2})(?::(\d{2}))?\Z")
NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,6})?\Z")


def moment_of(value: object) -> datetime | None:
    """The moment of an epoch number, or of a text of digits; None for anything else and beyond the calendar."""
    if isinstance(value, str) and NUMBER.match(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value if abs(value) < SECONDS_BELOW else value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def written_moment(value: object, zone: tzinfo) -> datetime | None:
    """As ``moment_of``, and also ``15.07.2025 10:30[:00]`` and ISO 8601, in ``zone`` unless they name one."""
    found = moment_of(value)
    if found is not None or not isinstance(value, str):
        return found
    text = value.strip()
    match = GERMAN.match(text)
    try:
        if match:
            day, month, year, hour, minute, second = (int(part or 0) for part in match.groups())
            found = datetime(year, month, day, hour, minute, second)
        else:
            found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=zone) if found.tzinfo is None else found
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def milliseconds(moment: datetime) -> int:
    """Since the epoch, as the API says it."""
    return int(moment.timestamp() * 1000)
