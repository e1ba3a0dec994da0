"""Following how far the demo is."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stack.paths import ROOT

FIGURES = ("calls", "completed", "skipped", "failed", "in_progress", "to_analyse")


def parse(line: str) -> dict[str, int] | None:
    """Return the figures of one line of ``demo_status --json``, or None when it is something else."""
    try:
        found = json.loads(line)
        return {name: int(found[name]) for name in FIGURES}
    except (ValueError, KeyError, TypeError):
        return None


def is_final(figures: Mapping[str, Any] | None) -> bool:
    """Say whether every demo call has reached its end, and AI tasks have been asked about all that has text."""
    if not figures or not figures["calls"] or figures["to_analyse"]:
        return False
    return bool(figures["completed"] + figures["skipped"] + figures["failed"] >= figures["calls"])


def ask_once(env: Mapping[str, str], timeout_s: float = 60.0) -> dict[str, int] | None:
    """Ask the database once, by a management command; None when it cannot be asked."""
    command = [sys.executable, str(ROOT / "manage.py"), "demo_status", "--json"]
    try:
        done = subprocess.run(command, env=dict(env), cwd=ROOT, capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return None
    return parse(done.stdout.strip().rpartition("\n")[2])


class DemoFollower:
    """One long-lived ``demo_status --follow`` that prints the figures every second, ended when all calls are final."""

    def __init__(self, env: Mapping[str, str], log_file: Path, on_figures: Callable[[dict[str, int]], None]) -> None:
        self._env = dict(env)
        self._log_file = log_file
        self._on_figures = on_figures
        self._child: subprocess.Popen[str] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="demo", daemon=True)

    def start(self) -> None:
        """Start following."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following; returns at once when nothing is followed."""
        self._stopping.set()
        if self._child is not None:
            self._child.terminate()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _follow(self) -> None:
        # Its database connection may be cut by a restart of PostgreSQL: then it is started anew.
        while not self._stopping.is_set():
            with self._log_file.open("ab") as log:
                self._child = subprocess.Popen(
                    [sys.executable, str(ROOT / "manage.py"), "demo_status", "--json", "--follow"],
                    env=self._env,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    start_new_session=True,
                )
            if self._read(self._child):
                return
            self._stopping.wait(2.0)

    def _read(self, child: subprocess.Popen[str]) -> bool:
        try:
            for line in child.stdout or ():
                figures = parse(line)
                if figures is not None:
                    self._on_figures(figures)
                if is_final(figures):
                    return True
        finally:
            child.terminate()
            child.wait()
        return False
