"""``manage``: Django's command line with the environment of the running stack."""

from __future__ import annotations

import argparse
import os
import sys

from stack import datadir
from stack.environment import python_environment, stack_environment, uses_own_postgres
from stack.errors import EXIT_NOT_RUNNING, StackError
from stack.paths import ROOT, StackPaths
from stack.secrets import load_secrets
from stack.state import is_supervised, read_state

WITHOUT_DATABASE = {
    "--help",
    "-h",
    "--version",
    "version",
    "help",
    "check",
    "makemessages",
    "compilemessages",
    "diffsettings",
}


def run(options: argparse.Namespace) -> int:
    """Become ``manage.py``; raises :class:`StackError` (not running) where the command needs a database."""
    env = manage_environment(options.paths, options.arguments)
    os.execve(sys.executable, [sys.executable, str(ROOT / "manage.py"), *options.arguments], env)


def manage_environment(paths: StackPaths, arguments: list[str]) -> dict[str, str]:
    """Return the environment for a management command of this stack."""
    if is_supervised(paths):
        return running_environment(paths)
    needs_database = bool(arguments) and arguments[0] not in WITHOUT_DATABASE and "--help" not in arguments
    if needs_database and uses_own_postgres():
        raise StackError("The stack is not running: start it with ./parlance up", exit_code=EXIT_NOT_RUNNING)
    if paths.secrets.exists():
        return running_environment(paths)
    env = python_environment()
    env.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    env.setdefault("PARLANCE_SECRET_KEY", "nothing-is-stored-or-signed-by-this-command-so-any-key-will-do")
    return env


def running_environment(paths: StackPaths) -> dict[str, str]:
    """Return the environment the running stack's own processes have."""
    port = int(read_state(paths).get("port") or 8000)
    return stack_environment(paths, load_secrets(paths), web_port=port, speech_port=datadir.speech_port(paths))
