"""``test``: lint and the whole test suite with servers of its own."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from stack.cli.linting import run_checks
from stack.environment import python_environment
from stack.errors import EXIT_FAILED, EXIT_OK
from stack.paths import ROOT
from stack.throwaway import throwaway_services

WHOLE_SUITE = ["-n", "2", "--dist", "loadgroup"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
INTERRUPTED = 130


def run(options: argparse.Namespace) -> int:
    """Without arguments: lint, then every test. With arguments: pytest with them. Returns the worst of both."""
    arguments: list[str] = options.arguments
    # A SIGTERM takes the way of a Ctrl-C: through the end of the with-blocks that stop the servers.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    whole = not arguments
    with throwaway_services() as services:
        env = test_environment(services)
        linted = run_checks(env) if whole else EXIT_OK
        tested = _pytest(arguments if arguments else WHOLE_SUITE, env | browser_environment())
    return max(linted, tested)


def test_environment(services: dict[str, str]) -> dict[str, str]:
    """Return what tells the tests which servers are theirs."""
    return services | {
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "PARLANCE_TEST_SERVICES": "1",
    }


def browser_environment() -> dict[str, str]:
    """Return PARLANCE_CHROMIUM, or PARLANCE_NO_BROWSER with the reason the browser tests are skipped for."""
    browser = find_browser()
    if browser is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Debian package chromium for the browser tests …", flush=True)
        _apt_install("chromium")
        browser = find_browser()
    if browser is not None:
        return {"PARLANCE_CHROMIUM": str(browser)}
    reason = "no Chromium: run `apt-get install chromium` as root"
    print(f"Browser tests are skipped: {reason}", flush=True)
    return {"PARLANCE_NO_BROWSER": reason}


def find_browser() -> Path | None:
    """Return the path of an installed Chromium."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return Path(found)
    return None


def _apt_install(package: str) -> None:
    if not _quietly("apt-get", "install", "-y", "-qq", "--no-install-recommends", package):
        _quietly("apt-get", "update", "-qq")
        _quietly("apt-get", "install", "-y", "-qq", "--no-install-recommends", package)


def _quietly(*command: str) -> bool:
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


def _pytest(arguments: list[str], extra: dict[str, str]) -> int:
    env = python_environment() | extra
    child = subprocess.Popen([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=env)
    try:
        code = child.wait()
    except KeyboardInterrupt:
        # At a terminal pytest has had the same Ctrl-C and is writing its summary; a plain signal is passed on.
        child.send_signal(signal.SIGINT)
        try:
            child.wait(20)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            child.kill()
            child.wait()
        return INTERRUPTED
    return EXIT_OK if code == 0 else max(code, EXIT_FAILED)
