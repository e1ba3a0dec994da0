"""``lock``: write the locked requirements anew from pyproject.toml."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path
from typing import Any

from stack.errors import EXIT_OK, StackError
from stack.paths import ROOT

COMPILE = ("pip", "compile", "--quiet", "--generate-hashes", "--only-binary", ":all:", "--no-emit-index-url")
OPTIONS = ("--custom-compile-command", "./parlance lock", "--python-version", "3.11")
LOCKS = (
    ("runtime", ("pyproject.toml",)),
    ("dev", ("pyproject.toml", "--group", "dev")),
    ("boot", ("requirements/boot.in",)),
)


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command of this module."""
    lock = commands.add_parser("lock", parents=[shared], help="write requirements/*.lock anew from pyproject.toml")
    lock.add_argument("--upgrade", action="store_true", help="take the newest allowed versions")
    lock.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the three locks."""
    uv = ROOT / ".boot" / "venv" / "bin" / "uv"
    program = uv if uv.exists() else Path(shutil.which("uv") or "")
    if not program.is_file():
        raise StackError("uv is needed to write the locks: remove .boot and run the command again")
    for name, inputs in LOCKS:
        upgrade = ["--upgrade"] if options.upgrade else []
        command = [str(program), *COMPILE, *OPTIONS, *upgrade, *inputs, "-o", f"requirements/{name}.lock"]
        if subprocess.run(command, cwd=ROOT).returncode != 0:
            raise StackError(f"requirements/{name}.lock could not be written")
        print(f"requirements/{name}.lock written")
    return EXIT_OK
