"""Append-only journal of requests: who asked what, when and with which outcome; never a token, never text."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson


class Journal:
    """One JSON line per request in ``journal.jsonl``, written before the reply leaves."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab+", buffering=0)
        if self._file.tell() and not path.read_bytes().endswith(b"\n"):
            # A kill in the middle of a write must not swallow the next entry too.
            self._file.write(b"\n")

    def write(self, entry: dict[str, Any]) -> None:
        """Append one entry as a single write, so that a killed server leaves whole lines (the last one at worst cut)."""
        self._file.write(orjson.dumps(entry) + b"\n")

    def entries(self) -> list[dict[str, Any]]:
        """Every entry, oldest first; a line cut by a crash is left out."""
        found = []
        for line in self._path.read_bytes().splitlines():
            try:
                found.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                continue
        return found

    def close(self) -> None:
        """Close the file; no write may follow."""
        self._file.close()


def now_text() -> str:
    """The present moment as the contract writes it: UTC, milliseconds, ``Z``."""
    return iso(datetime.now(UTC))


def iso(moment: datetime) -> str:
    """A moment as the contract writes it: UTC, milliseconds, ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
