"""What need not be done again at the next start.

A stamp is a checksum of everything a step depends on. The stamps of the database steps are kept as the comment of
the database itself, so they are right also when the data directory is exchanged or put back from a backup.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from stack.environment import DATABASE
from stack.errors import StackError
from stack.paths import ROOT
from stack.postgres import EmbeddedPostgres

LOCK = ROOT / "requirements" / "runtime.lock"
NOT_THE_PRODUCT = {
    "tests",
    "var",
    "docs",
    "benchmarks",
    "deploy",
    "requirements",
    "staticfiles",
    "stack",
    "test-artifacts",
}


def checksum(files: Iterable[Path], *extra: str) -> str:
    """Return a checksum over names and content of the files, and over the extra words."""
    total = hashlib.sha256()
    for word in extra:
        total.update(f"{word}\0".encode())
    for file in sorted(set(files)):
        total.update(f"{file.relative_to(ROOT)}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:24]


def schema_inputs() -> list[Path]:
    """Return the files that decide what the schemas look like."""
    rules = [*(ROOT / "tenants").rglob("*.py"), *(ROOT / "config" / "settings").glob("*.py"), LOCK]
    return [*ROOT.glob("*/migrations/*.py"), *rules]


def code_inputs() -> list[Path]:
    """Return all Python of the product and the demo data: whatever bootstrap and the demo loader could depend on."""
    found = [LOCK, *(path for path in (ROOT / "demo").rglob("*") if path.is_file() and path.suffix != ".pyc")]
    for entry in ROOT.iterdir():
        if entry.is_dir() and not entry.name.startswith(".") and entry.name not in NOT_THE_PRODUCT:
            found += entry.rglob("*.py")
    return found


def static_inputs() -> list[Path]:
    """Return everything collectstatic could collect, the lock standing for the packages' own files."""
    found = [LOCK, *(ROOT / "config" / "settings").glob("*.py")]
    for directory in [ROOT / "static", *ROOT.glob("*/static")]:
        for folder, _, names in os.walk(directory):
            found += [Path(folder, name) for name in names]
    return found


def read_stamps(server: EmbeddedPostgres) -> dict[str, str]:
    """Return the stamps kept in the database; empty when there are none."""
    query = "select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()"
    try:
        stamps = json.loads(server.sql(query, DATABASE).strip() or "{}")
    except (StackError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def write_stamps(server: EmbeddedPostgres, stamps: dict[str, str]) -> None:
    """Keep the stamps in the database."""
    literal = json.dumps(stamps).replace("'", "''")
    server.sql(f"comment on database {DATABASE} is '{literal}'", DATABASE)
