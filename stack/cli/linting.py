"""``lint``: style, types, import contracts and missing migrations, one line each."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack.environment import python_environment
from stack.errors import EXIT_FAILED, EXIT_OK
from stack.paths import ROOT
from stack.throwaway import throwaway_postgres

TIMEOUT_S = 600


@dataclass(frozen=True)
class Check:
    """One check: its name and the command that ends with 0 when all is well."""

    name: str
    command: tuple[str, ...]


def checks() -> list[Check]:
    """Return the checks, slowest first so that two at a time end soonest."""
    python = sys.executable
    tools = Path(python).parent
    return [
        Check("mypy", (python, "-m", "mypy", *packages())),
        Check("imports", (str(tools / "lint-imports"), "--no-cache")),
        Check("migrations", (python, "manage.py", "makemigrations", "--check", "--dry-run")),
        Check("ruff check", (python, "-m", "ruff", "check", "--quiet", ".")),
        Check("ruff format", (python, "-m", "ruff", "format", "--check", "--quiet", ".")),
    ]


def packages() -> list[str]:
    """Return the folders of the product that are Python packages; the tests are not type-checked."""
    return sorted(entry.parent.name for entry in ROOT.glob("*/__init__.py") if entry.parent.name != "tests")


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command of this module."""
    lint = commands.add_parser("lint", parents=[shared], help="ruff, mypy, import contracts, migration check")
    lint.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run all checks with a database of their own: the migration check asks one."""
    with throwaway_postgres() as server:
        server.ensure_database("parlance")
        return run_checks({"DATABASE_URL": server.url("parlance"), "DJANGO_SETTINGS_MODULE": "config.settings.test"})


def run_checks(extra: Mapping[str, str]) -> int:
    """Run every check, print a line for each and the words of those that fail; 0 when all pass."""
    env = python_environment() | dict(extra)
    code = EXIT_OK
    with ThreadPoolExecutor(max_workers=2) as pool:
        for check, (passed, seconds, words) in zip(
            checks(), pool.map(lambda one: _run(one, env), checks()), strict=True
        ):
            print(f"lint: {check.name:<12} {'ok' if passed else 'FAILED'} ({seconds:.1f} s)", flush=True)
            if not passed:
                code = EXIT_FAILED
                print(words, flush=True)
    return code


def _run(check: Check, env: Mapping[str, str]) -> tuple[bool, float, str]:
    started = time.monotonic()
    try:
        done = subprocess.run(
            check.command, cwd=ROOT, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, time.monotonic() - started, str(error)
    return done.returncode == 0, time.monotonic() - started, done.stdout.decode(errors="replace").strip()
