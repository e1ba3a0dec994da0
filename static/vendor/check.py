"""Check the vendored front-end files against VENDOR.lock; needs no network.

Run as ``python static/vendor/check.py``. Exits 0 when every file named in the lock is there with its SHA-256, every
file under ``static/vendor`` is either named there or a licence text, and the sprite has every icon that a template
names; otherwise prints one line per problem and exits 1.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path

VENDOR = Path(__file__).resolve().parent
ROOT = VENDOR.parent.parent
OWN_FILES = {"VENDOR.lock", "check.py", "LICENSE.txt"}
REQUIRED_KEYS = {"path", "name", "version", "licence", "source", "sha256"}


def problems() -> list[str]:
    """Return one sentence for each difference between the lock and the files; an empty list means all is well."""
    found: list[str] = []
    locked: set[Path] = set()
    for row in json.loads((VENDOR / "VENDOR.lock").read_text(encoding="utf-8"))["files"]:
        missing = REQUIRED_KEYS - row.keys()
        if missing:
            found.append(f"{row.get('path', '?')}: the lock lacks {', '.join(sorted(missing))}")
            continue
        path = ROOT / row["path"]
        locked.add(path)
        if not path.is_file():
            found.append(f"{row['path']}: missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
            found.append(f"{row['path']}: differs from {row['name']} {row['version']} as locked")
    for path in sorted(VENDOR.rglob("*")):
        if path.is_file() and path.name not in OWN_FILES and "__pycache__" not in path.parts and path not in locked:
            found.append(f"{path.relative_to(ROOT)}: not in VENDOR.lock")
    return found + missing_icons()


def missing_icons() -> list[str]:
    """Return one sentence for each icon that a template names and ``static/icons.svg`` lacks."""
    known = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "static/icons.svg").read_text(encoding="utf-8")))
    found = []
    for path in sorted((ROOT / "templates").rglob("*.html")):
        named = set(re.findall(r'(?:<c-icon name|\bicon)="([a-z0-9-]+)"', path.read_text(encoding="utf-8")))
        found += [f"{path.relative_to(ROOT)}: no icon {name} in static/icons.svg" for name in sorted(named - known)]
    return found


def main() -> int:
    """Print the problems, if any, and return the exit code."""
    found = problems()
    for line in found:
        sys.stderr.write(f"{line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
