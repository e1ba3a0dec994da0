"""``up``: start the stack and show how it comes along; ``supervise``: the process behind it."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from typing import Any

from rich.console import Console

from stack import datadir, stand_ins
from stack.cli.display import Display
from stack.demofigures import is_final
from stack.environment import python_environment
from stack.errors import EXIT_ALREADY_RUNNING, EXIT_FAILED, EXIT_OK, EXIT_USAGE, StackError
from stack.paths import ROOT, StackPaths
from stack.ports import require_free
from stack.secrets import load_secrets
from stack.state import is_supervised, read_state, supervisor_lock
from stack.supervise import StackProcess, clean_orphans

FOLLOW_S = 0.1
STOP_S = 40.0


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the commands of this module."""
    up = commands.add_parser("up", parents=[shared], help="start everything and stay until Ctrl-C")
    up.add_argument("--detach", action="store_true", help="return once the stack is ready and leave it running")
    up.add_argument("--port", type=_port, default=8000, help="the port of the web server on 127.0.0.1 (default 8000)")
    up.add_argument("--no-demo", action="store_true", help="load no demo data")
    up.set_defaults(run=run_up)
    # No help text: only `up` calls it.
    supervise = commands.add_parser("supervise", parents=[shared])
    supervise.add_argument("--port", type=_port, required=True)
    supervise.add_argument("--no-demo", action="store_true")
    supervise.add_argument("--attached", action="store_true")
    supervise.set_defaults(run=run_supervise)


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port: use a number from 1 to 65535")
    return int(text)


def run_supervise(options: argparse.Namespace) -> int:
    """Be the supervisor."""
    process = StackProcess(
        options.paths, web_port=options.port, with_demo=not options.no_demo, attached=options.attached
    )
    return process.run()


def run_up(options: argparse.Namespace) -> int:
    """Start the stack; attached until Ctrl-C, detached until it is ready."""
    paths: StackPaths = options.paths
    if is_supervised(paths):
        return _already_running(paths)
    if options.port < 1024 and os.geteuid() != 0:
        raise StackError(f"Port {options.port} needs root: use --port with a number from 1024 on", exit_code=EXIT_USAGE)
    datadir.prepare(paths)
    load_secrets(paths)
    with supervisor_lock(paths):
        clean_orphans(paths)
        require_free(options.port, "stop it or use another with --port")
        datadir.settle_speech_port(paths, web_port=options.port)
        stand_ins.settle_ports(paths, but=options.port)
    return _follow(paths, _spawn(paths, options), options)


def _already_running(paths: StackPaths) -> int:
    state = read_state(paths)
    words = "is starting" if state.get("phase") == "starting" else "is already running"
    print(f"The stack {words}: {state.get('url', '')} (stop it with ./parlance down)")
    return EXIT_ALREADY_RUNNING


def _spawn(paths: StackPaths, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "stack", "supervise", "--data", str(paths.data), "--port", str(options.port)]
    command += ["--no-demo"] if options.no_demo else []
    command += [] if options.detach else ["--attached"]
    with (paths.logs / "supervisor.log").open("ab") as log:
        # Attached, the pipe tells the supervisor when this process is gone, whatever became of it.
        return subprocess.Popen(
            command,
            env=python_environment(),
            cwd=ROOT,
            stdin=subprocess.DEVNULL if options.detach else subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _follow(paths: StackPaths, supervisor: subprocess.Popen[bytes], options: argparse.Namespace) -> int:
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.default_int_handler)
    display = Display(Console(highlight=False), with_demo=not options.no_demo)
    try:
        with display:
            while supervisor.poll() is None:
                state = _own_state(paths, supervisor)
                display.show(state)
                if state.get("phase") == "running" and display.announce(paths, state) and options.detach:
                    return EXIT_OK
                if is_final(state.get("demo")):
                    display.finish_demo(state["demo"])
                time.sleep(FOLLOW_S)
    except KeyboardInterrupt:
        return _interrupted(supervisor)
    state = _own_state(paths, supervisor)
    if supervisor.returncode != EXIT_OK or state.get("error"):
        raise StackError(state.get("error") or f"The supervisor ended; see {paths.logs / 'supervisor.log'}")
    return EXIT_OK if not options.detach else EXIT_FAILED


def _own_state(paths: StackPaths, supervisor: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Return the state this supervisor wrote, not that of the one before."""
    state = read_state(paths)
    return state if state.get("supervisor", {}).get("pid") == supervisor.pid else {}


def _interrupted(supervisor: subprocess.Popen[bytes]) -> int:
    print("Stopping …", end=" ", flush=True)
    supervisor.terminate()
    # A second Ctrl-C must not leave half a stack behind; it ends in good order within seconds.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        supervisor.wait(STOP_S)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        print("it had to be killed; the next start cleans up")
        return EXIT_FAILED
    print("stopped")
    return EXIT_OK
