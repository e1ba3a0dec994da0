"""One call of an engine, as the journal has it. No Django."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from core.outcomes import ErrorClass

OK = "ok"
# We ended the call ourselves: its time was over, or the worker stops.
ENDED = "ended"
OUTCOMES = (OK, *ErrorClass.values, ENDED)
VERBS = ("open", "submit", "poll", "fetch", "find", "cleanup", "test")
# What codes of providers look like. Anything else might be a text, and is left out.
CODE = re.compile(r"[A-Za-z0-9_.\-]{1,60}")


@dataclass(frozen=True, slots=True)
class Call:
    """``at``: when it began. ``code`` is the provider's word for what was wrong. ``ms`` milliseconds, ``size`` bytes of audio.

    ``record`` is the processing record that the call was made for, where it was made for one.
    """

    at: datetime
    verb: str
    outcome: str
    code: str
    ms: int
    size: int | None = None
    record: int | None = None

    def packed(self) -> bytes:
        """As it is kept."""
        code = self.code if CODE.fullmatch(self.code) else ""
        return orjson.dumps([self.at.timestamp(), self.verb, self.outcome, code, self.ms, self.size, self.record])

    @classmethod
    def unpacked(cls, stored: bytes) -> "Call | None":
        """What was kept; None for what no version of ours has written."""
        try:
            at, verb, outcome, code, ms, size, record = _row(orjson.loads(stored))
        except (ValueError, TypeError):
            return None
        return cls(datetime.fromtimestamp(at, UTC), verb, outcome, code, ms, size, record)


def _row(row: Any) -> tuple[float, str, str, str, int, int | None, int | None]:
    at, verb, outcome, code, ms, size, record = row
    return float(at), str(verb), str(outcome), str(code), int(ms), size, record
