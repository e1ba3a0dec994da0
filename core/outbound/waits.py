"""How long a server asks to be left alone."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The header Retry-After in seconds, of a number or of a date (RFC 9110 §10.2.3); None where it says nothing usable.

    Never negative or infinite, but as long as the server likes: what is sensible, callers decide. A date counts from the
    server's own clock where the answer tells it.
    """
    said = headers.get("Retry-After", headers.get("retry-after", ""))
    try:
        seconds = float(said)
    except ValueError:
        until = _moment(said)
        if until is None:
            return None
        now = _moment(headers.get("Date", headers.get("date", ""))) or datetime.now(UTC)
        seconds = max((until - now).total_seconds(), 0.0)
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _moment(said: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(said)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
