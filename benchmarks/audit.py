"""How long it takes to verify a million audit entries, and what an append costs beside a bare insert."""

import io
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.registry import Figures, goal, scaled

ENTRIES, CHAINS = 1_000_000, 20
APPENDS = 2_000
LIMIT_S = 60


def audit(scale: float) -> Figures:
    """Seconds to verify a million entries with their checkpoint, clean and with one edit; appends a second."""
    from django.db import connection, transaction

    from audit.checkpoints import write_checkpoint
    from audit.verification import verify_chains

    entries, appended = scaled(ENTRIES, scale, 100) // CHAINS * CHAINS, scaled(APPENDS, scale, 20)
    chains = [uuid.uuid4() for _number in range(CHAINS)]
    for chain in chains:
        _fill(chain, entries // CHAINS)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoints.jsonl"
        first_line = _timed(lambda: write_checkpoint(path))
        started = time.perf_counter()
        report = verify_chains(checkpoint=path)
        seconds = time.perf_counter() - started
        assert (report.findings, report.entries) == ([], entries)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            place: list[Any] = [chains[-1], entries // CHAINS // 2]
            cursor.execute("UPDATE audit_auditentry SET actor = 'x' WHERE tenant_id = %s AND position = %s", place)
            (finding,) = verify_chains(checkpoint=path).findings
            assert (finding.tenant_id, finding.position) == tuple(place)
            transaction.set_rollback(True)
    appends = appended / _timed(lambda: _append(chains[0], appended))
    inserts = appended / _timed(lambda: _insert(uuid.uuid4(), appended))
    return {
        "goals": [goal("seconds to verify all entries", round(seconds, 1), at_most=LIMIT_S)],
        "entries": entries,
        "chains": CHAINS,
        "verify_s": round(seconds, 1),
        "entries_per_s": round(entries / seconds),
        "first_checkpoint_s": round(first_line, 2),
        "appends_per_s": round(appends),
        "bare_inserts_per_s": round(inserts),
        "append_over_insert": round(inserts / appends, 2),
    }


def _timed(action: Any) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _entry(chain: uuid.UUID, position: int, previous: str) -> dict[str, Any]:
    from audit.canonical import digest

    fields: dict[str, Any] = {
        "tenant_id": chain,
        "position": position,
        "at": datetime.fromisoformat("2026-01-01T00:00:00+00:00") + timedelta(seconds=position),
        "actor": "ada@acme",
        "actor_tenant_id": chain,
        "action": "service_limits.changed",
        "target_type": "tenant",
        "target_id": str(chain),
        "details": {"note": "quarterly review", "count": position},
        "before": {"minutes": position, "organisation": None},
        "after": {"minutes": position + 1, "organisation": 475000},
        "reason": "contract of the customer",
        "ip": "198.51.100.7",
        "request_id": f"req_{position:032x}",
        "form": 2,
        "previous_digest": previous,
    }
    return {**fields, "digest": digest(fields)}


def _fill(chain: uuid.UUID, number: int) -> None:
    """A chain by COPY, as append would have written it."""
    import orjson
    from django.db import connection

    from audit.canonical import GENESIS

    text, previous, names = io.StringIO(), GENESIS, list(_entry(chain, 1, GENESIS))
    for position in range(1, number + 1):
        entry = _entry(chain, position, previous)
        previous = entry["digest"]
        cells = [orjson.dumps(cell).decode() if isinstance(cell, dict) else str(cell) for cell in entry.values()]
        text.write("\t".join(cells) + "\n")
    with connection.cursor() as cursor, cursor.copy(f"COPY audit_auditentry ({', '.join(names)}) FROM STDIN") as copy:
        copy.write(text.getvalue())


def _append(chain: uuid.UUID, appended: int) -> None:
    from django.db import transaction

    from audit.services import append

    for number in range(appended):
        with transaction.atomic():
            append(tenant_id=chain, actor="a", action="x", target_type="t", target_id="1", details={"n": number})


def _insert(chain: uuid.UUID, inserted: int) -> None:
    from django.db import transaction

    from audit.models import AuditEntry

    for number in range(1, inserted + 1):
        with transaction.atomic():
            AuditEntry.objects.create(**_entry(chain, number, "0" * 64))
