"""A benchmark's figures as a table and as JSON."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.registry import Figures

PACKAGES = ("django", "psycopg", "celery", "aiohttp")


def facts_of_run(command: str, postgres: str) -> Figures:
    """Machine, versions, command and date."""
    return {
        "command": command,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": {"cpus": os.cpu_count(), "processor": _processor(), "memory_gb": _memory_gb()},
        "versions": {"python": platform.python_version(), "postgresql": postgres, **{p: version(p) for p in PACKAGES}},
    }


def write_json(report: Figures, path: Path) -> None:
    """Write the whole report, indented."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def show(figures: Figures, console: Console) -> None:
    """Print lists of rows as tables and the rest as names with values."""
    plain = Table(box=None, show_header=False, pad_edge=False)
    for name, value in figures.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            console.print(_rows(name, value))
        else:
            for path, leaf in _leaves(name, value):
                plain.add_row(path, _text(leaf))
    console.print(plain)


def _rows(title: str, rows: list[Figures]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    for column in columns:
        table.add_column(column, justify="right" if isinstance(rows[0].get(column), int | float) else "left")
    for row in rows:
        table.add_row(*(_text(row.get(column, "")) for column in columns))
    return table


def _leaves(path: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for name, inner in value.items() for leaf in _leaves(f"{path}.{name}", inner)]
    return [(path, value)]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=Path(__file__).parent
        )
    except OSError:
        return ""
    return done.stdout.strip()


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _memory_gb() -> float:
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)
