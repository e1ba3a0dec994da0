"""Walking the chains: what was edited, taken out, put elsewhere, rewritten or cut off, and where first."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from audit.canonical import GENESIS, digest
from audit.checkpoints import Points, read_points
from audit.models import AuditEntry

CHUNK = 5000
# A line is due each five minutes; an entry that none names after this long says that nobody writes them.
CHECKPOINT_DUE = timedelta(minutes=15)
JSON_FIELDS = ("details", "before", "after")
FIELDS = [field.attname for field in AuditEntry._meta.concrete_fields if field.attname not in JSON_FIELDS]


class Kind(StrEnum):
    """What was done to a chain, or to the file that guards it."""

    EDITED = "edited"
    MISSING = "missing"
    REORDERED = "reordered"
    REWRITTEN = "rewritten"
    CUT = "cut"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``position`` is the first wrong one; None for the file, whose line ``text`` names."""

    kind: Kind
    text: str
    tenant_id: uuid.UUID | None = None
    position: int | None = None


@dataclass
class Walk:
    """The state of one walk along one chain."""

    tenant_id: uuid.UUID
    length: int = 0
    head: str = GENESIS
    last_id: int = 0
    finding: Finding | None = None


@dataclass
class Report:
    """What a verification has read and found."""

    chains: int
    entries: int
    lines: int
    findings: list[Finding]


def verify_chains(*, checkpoint: Path | None = None, tenant_id: uuid.UUID | None = None) -> Report:
    """Walk all chains, or that of one tenant, and compare them with the checkpoint file if one is named."""
    points, findings = _points(checkpoint)
    known = set(points.of_chain) | set(AuditEntry.objects.order_by().values_list("tenant_id", flat=True).distinct())
    chosen = sorted(known) if tenant_id is None else [tenant_id]
    entries, oldest_uncovered = 0, None
    for chain in chosen:
        walk = walk_chain(chain, dict(points.of_chain.get(chain, ())))
        entries += walk.length
        if walk.finding is not None:
            findings.append(walk.finding)
        elif checkpoint is not None:
            uncovered = _first_uncovered(chain, points)
            oldest_uncovered = min(filter(None, (oldest_uncovered, uncovered)), default=None)
    if oldest_uncovered is not None and timezone.now() - oldest_uncovered > CHECKPOINT_DUE:
        since = oldest_uncovered.isoformat(timespec="seconds")
        text = f"no line covers the entries since {since}: it is missing or was not written"
        findings.append(Finding(Kind.CHECKPOINT, text))
    return Report(len(chosen), entries, points.lines, findings)


def walk_chain(tenant_id: uuid.UUID, points: dict[int, str]) -> Walk:
    """Walk one chain, to its end or to the first finding; ``points`` are positions with the digest they once had."""
    walk = Walk(tenant_id)
    for row in _rows(tenant_id):
        expected = walk.length + 1
        kind = _wrong(row, walk)
        if kind is not None:
            text = f"entry {expected} is {kind}" if kind is Kind.MISSING else f"entry {expected} was {kind}"
            walk.finding = Finding(kind, text, tenant_id, expected)
            return walk
        if points.get(expected, row["digest"]) != row["digest"]:
            text = f"the chain was rewritten, at entry {expected} or before: a signed checkpoint names another digest"
            walk.finding = Finding(Kind.REWRITTEN, text, tenant_id, expected)
            return walk
        walk.length, walk.head, walk.last_id = expected, row["digest"], row["id"]
    furthest = max(points, default=0)
    if furthest > walk.length:
        text = f"the chain ends at entry {walk.length}; a signed checkpoint names entry {furthest}"
        walk.finding = Finding(Kind.CUT, text, tenant_id, walk.length + 1)
    return walk


def _rows(tenant_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    """Every row in order, in chunks by key: no cursor that would first copy the whole chain."""
    # JSON as text: a million values are read in half the time by another parser than Django's.
    texts = [Cast(name, TextField()) for name in JSON_FIELDS]
    rows = AuditEntry.objects.filter(tenant_id=tenant_id).order_by("position").values_list(*FIELDS, *texts)
    names, place = [*FIELDS, *JSON_FIELDS], FIELDS.index("position")
    reached: int | None = None
    while chunk := list((rows if reached is None else rows.filter(position__gt=reached))[:CHUNK]):
        for values in chunk:
            row = dict(zip(names, values, strict=True))
            for name in JSON_FIELDS:
                row[name] = orjson.loads(row[name]) if row[name] is not None else None
            yield row
        reached = chunk[-1][place]


def _wrong(row: dict[str, Any], walk: Walk) -> Kind | None:
    """What is wrong with the row at this place of the chain."""
    expected, head = walk.length + 1, walk.head
    if row["position"] > expected:
        return Kind.MISSING
    # The page lists by id, which the lock of the chain lets grow with the position.
    if row["id"] <= walk.last_id:
        return Kind.REORDERED
    fits = _digest(row) == row["digest"]
    if fits and row["previous_digest"] == head and row["position"] == expected:
        return None
    # A row that fits once its link is mended was edited in the link alone; else the row belongs to another place.
    linked = row["previous_digest"] == head or _digest({**row, "previous_digest": head}) == row["digest"]
    return Kind.EDITED if linked and row["position"] == expected else Kind.REORDERED


def _digest(row: dict[str, Any]) -> str:
    try:
        return digest(row)
    except (TypeError, ValueError):
        # No value of ours: a number that is too large, an address that is none.
        return ""


def _points(checkpoint: Path | None) -> tuple[Points, list[Finding]]:
    if checkpoint is None:
        return Points(), []
    try:
        points = read_points(checkpoint)
    except FileNotFoundError:
        return Points(), []
    except OSError as error:
        return Points(), [Finding(Kind.CHECKPOINT, f"the file cannot be read: {error.strerror}")]
    return points, [Finding(Kind.CHECKPOINT, f"line {problem.line}: {problem.text}") for problem in points.problems]


def _first_uncovered(chain: uuid.UUID, points: Points) -> datetime | None:
    """The time of the first entry behind the last checkpoint of the chain."""
    covered = points.of_chain[chain][-1][0] if chain in points.of_chain else 0
    behind = AuditEntry.objects.filter(tenant_id=chain, position__gt=covered).order_by("position")
    return behind.values_list("at", flat=True).first()
