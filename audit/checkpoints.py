"""Signed lines in a file outside the database: how far each chain reached, and with which digest (security A3).

Who rewrites or shortens a chain would have to forge these lines too, and lacks the master key. Each line also holds
the hash of the line before it, so that a line taken out of the middle shows.
"""

import fcntl
import hashlib
import os
import uuid
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from django.db import connection
from django.utils import timezone

from audit.canonical import GENESIS
from audit.signing import Verifier, current_key_id, sign

# A transaction that began before a line was written may commit after it; a chain that is named twice does no harm.
OVERLAP = timedelta(minutes=10)
TAIL_BYTES = 16 * 1024 * 1024
POINTS_KEPT = 256


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that is not what was written: its number, from 1, and what is wrong."""

    line: int
    text: str


@dataclass
class Points:
    """What the file says: per chain the newest positions with their digests, and what is wrong with the file."""

    of_chain: dict[uuid.UUID, deque[tuple[int, str]]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=POINTS_KEPT))
    )
    problems: list[Problem] = field(default_factory=list)
    lines: int = 0


def write_checkpoint(path: Path) -> int:
    """Append one signed line about the chains that grew; return how many. Raises OSError, and leaves no half line."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        # Two workers at once would name the same line as the one before theirs.
        fcntl.flock(file, fcntl.LOCK_EX)
        size = file.seek(0, os.SEEK_END)
        last = _last_line(file, size)
        heads = _heads(_since(last))
        line = _signed_line(heads, hashlib.sha256(last).hexdigest() if last else GENESIS)
        try:
            if file.write(line) != len(line):
                raise OSError("The checkpoint could not be written whole.")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise
    return len(heads)


def read_points(path: Path) -> Points:
    """Read and check every line. Raises OSError when there is no such file or it cannot be read."""
    points, verifier, previous = Points(), Verifier(), GENESIS
    with path.open("rb") as file:
        for number, line in enumerate((line.rstrip(b"\n") for line in file), start=1):
            points.lines = number
            wrong = _take(points, line, previous, verifier)
            if wrong:
                points.problems.append(Problem(number, wrong))
            previous = hashlib.sha256(line).hexdigest()
    return points


def _take(points: Points, line: bytes, previous: str, verifier: Verifier) -> str:
    """Add what the line says; return what is wrong with it, else empty."""
    try:
        body = orjson.loads(line)
        signature, key_id = str(body.pop("signature")), str(body["key"])
        chains = [(uuid.UUID(tenant), int(position), str(digest)) for tenant, position, digest in body["chains"]]
        datetime.fromisoformat(body["time"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return "unreadable"
    if not verifier.verify(key_id, _signable(body), signature):
        return "its signature is not ours"
    for tenant_id, position, digest in chains:
        points.of_chain[tenant_id].append((position, digest))
    return "" if body["previous"] == previous else "lines before it are missing or were changed"


def _signed_line(heads: list[tuple[uuid.UUID, int, str]], previous: str) -> bytes:
    chains = [[str(tenant_id), position, digest] for tenant_id, position, digest in heads]
    body: dict[str, Any] = {"chains": chains, "previous": previous, "time": timezone.now().isoformat()}
    body["key"] = current_key_id()
    body["signature"] = sign(_signable(body)).signature_b64
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS) + b"\n"


def _signable(body: dict[str, Any]) -> bytes:
    return b"parlance/audit-checkpoint/1\n" + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def _last_line(file: Any, size: int) -> bytes:
    """The last line without its end; empty for an empty file."""
    file.seek(max(size - TAIL_BYTES, 0))
    return bytes(file.read(TAIL_BYTES)).rstrip(b"\n").rpartition(b"\n")[2]


def _since(last: bytes) -> datetime | None:
    """Chains that grew after this moment are named; None (all) when the last line cannot be read."""
    try:
        return datetime.fromisoformat(orjson.loads(last)["time"]) - OVERLAP
    except (ValueError, KeyError, TypeError):
        return None


def _heads(since: datetime | None) -> list[tuple[uuid.UUID, int, str]]:
    statement = "SELECT DISTINCT ON (tenant_id) tenant_id, position, digest FROM audit_auditentry"
    values = []
    if since is not None:
        statement += " WHERE at >= %s"
        values = [since]
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} ORDER BY tenant_id, position DESC", values)
        return list(cursor.fetchall())
