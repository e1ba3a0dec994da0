"""``python -m benchmarks NAME``: run one benchmark on servers of its own; without a name, list them."""

import argparse
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks.registry import BENCHMARKS
from benchmarks.report import facts_of_run, show, write_json
from benchmarks.servers import running_servers
from stack.paths import ROOT


def main(arguments: list[str]) -> int:
    """Run what was asked for; 0 when it ran, whether its goals were met or not."""
    # A SIGTERM takes the way of a Ctrl-C: through the end of the with-blocks that stop the servers.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 160)
    if options.name is None:
        for name, benchmark in BENCHMARKS.items():
            console.print(f"{name:<10} {benchmark.summary}", highlight=False)
        return 0
    path = options.json or ROOT / "var" / "benchmarks" / f"{options.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    with running_servers() as servers:
        os.environ |= servers.environment
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate_all", verbosity=0)
        figures = BENCHMARKS[options.name].load()(options.scale)
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            [postgres] = cursor.fetchone()
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
    command = f"./parlance bench {options.name}" + (f" --scale {options.scale:g}" if options.scale != 1 else "")
    write_json(facts_of_run(command, postgres) | {"scale": options.scale, "figures": figures}, path)
    show(figures, console)
    console.print(f"\nJSON: {path}", highlight=False, soft_wrap=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./parlance bench", description="Measure, beside peers in the same run.")
    parser.add_argument("name", nargs="?", choices=sorted(BENCHMARKS), metavar="NAME", help="without it: list them")
    parser.add_argument("--scale", type=_scale, default=1.0, help="share of the full size, for example 0.01 for a try")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go (default: var/benchmarks/)")
    return parser


def _scale(text: str) -> float:
    value = float(text)
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError("the scale is above 0 and at most 100")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
