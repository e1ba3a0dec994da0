"""Reading the command line and turning every foreseen trouble into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys

from stack.cli import bench, demo, inspect, linting, locking, manage, miaop_client, testing, up
from stack.errors import EXIT_USAGE, StackError
from stack.paths import StackPaths

EXIT_CODES = """exit codes:
  0  done, or running and healthy
  1  failed, or running but not healthy
  2  the command line is wrong
  3  the stack is not running
  4  the stack is already running
"""


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    # What follows these belongs to Django, pytest and the benchmarks, options and all.
    if arguments[:1] == ["manage"]:
        options, rest = _own_options(arguments[1:])
        options.arguments, options.run = rest, manage.run
    elif arguments[:1] == ["test"]:
        options = argparse.Namespace(arguments=arguments[1:], run=testing.run, data=None)
    elif arguments[:1] == ["bench"]:
        options = argparse.Namespace(arguments=arguments[1:], run=bench.run, data=None)
    elif arguments[:1] == ["miaop-client"]:
        # It knows nothing of this checkout's stack.
        options = argparse.Namespace(run=lambda _options: miaop_client.run(arguments[1:]), data=None)
    else:
        options = parser.parse_args(arguments)
    try:
        options.paths = StackPaths.at(options.data or os.environ.get("PARLANCE_DATA"))
        return int(options.run(options))
    except StackError as error:
        print(f"parlance: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has gone, as in `./parlance logs | head`; nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        what = f"{error.strerror or error}: {error.filename}" if error.filename else str(error.strerror or error)
        print(f"parlance: {what}", file=sys.stderr)
        return 1


def _own_options(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    if arguments[:1] == ["--data"]:
        if len(arguments) < 2:
            raise SystemExit(EXIT_USAGE)
        return argparse.Namespace(data=arguments[1]), arguments[2:]
    return argparse.Namespace(data=None), arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="parlance",
        description="Parlance on this machine: one command brings up everything.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--data", metavar="DIR", help="the data directory (default: var/ in the checkout, or PARLANCE_DATA)"
    )
    for module in (up, inspect, demo):
        module.add_commands(commands, shared)
    # Shown in --help only; their arguments are read above.
    commands.add_parser("manage", help="run a Django command: manage [--data DIR] ARGS…")
    commands.add_parser("test", help="run lint and all tests, or pytest with ARGS…")
    commands.add_parser("bench", help="run a benchmark: bench NAME [--scale SHARE]; without a name, list them")
    commands.add_parser("miaop-client", help="a client of the offline-task API, see miaop-client --help")
    for module in (linting, locking):
        module.add_commands(commands, shared)
    return parser
