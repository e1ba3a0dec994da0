"""The supervisor process: brings one stack up, keeps it, writes its state, takes it down."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import threading
import time
import traceback
from types import FrameType
from typing import Any

from stack import datadir
from stack.boot import Boot, Stopped
from stack.demofigures import DemoFollower
from stack.environment import stack_environment, web_url
from stack.errors import EXIT_FAILED, EXIT_OK, StackError
from stack.files import write_json
from stack.paths import StackPaths
from stack.processes import boot_id, send, start_ticks
from stack.readiness import readiness
from stack.secrets import StackSecrets, load_secrets
from stack.services import WORKER_STOP_S
from stack.stand_ins import KeptStandIn
from stack.state import orphans, supervisor_lock
from stack.supervisor import Supervisor, end_orphan

HEALTH_EVERY_S = 2.0


class StackProcess:
    """One supervisor process over its whole life."""

    def __init__(self, paths: StackPaths, *, web_port: int, with_demo: bool, attached: bool) -> None:
        self._paths = paths
        self._web_port = web_port
        self._with_demo = with_demo
        self._attached = attached
        self._stop = threading.Event()
        self._lock = threading.RLock()
        self._facts: dict[str, Any] = {"phase": "starting", "message": "Starting", "error": None, "healthy": False}
        self._supervisor = Supervisor(paths.logs, on_change=self._write)
        self._stand_in = KeptStandIn(paths, self._supervisor)

    def run(self) -> int:
        """Live until told to stop; return the exit code. Raises :class:`StackError` when another supervisor lives."""
        with supervisor_lock(self._paths):
            for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(signum, self._on_signal)
            clean_orphans(self._paths)
            return self._live(load_secrets(self._paths))

    def _live(self, secrets: StackSecrets) -> int:
        speech_port = datadir.speech_port(self._paths)
        env = stack_environment(self._paths, secrets, web_port=self._web_port, speech_port=speech_port)
        boot = Boot(
            paths=self._paths,
            env=env,
            admin_password=secrets.admin_password,
            supervisor=self._supervisor,
            web_port=self._web_port,
            speech_port=speech_port,
            with_demo=self._with_demo,
            stand_in=self._stand_in,
            report=lambda words: self._note(message=words),
            stopping=self._stop,
        )
        self._note()
        follower = DemoFollower(env, self._paths.logs / "demo.log", lambda figures: self._note(demo=figures))
        threading.Thread(target=self._await_stop, args=(boot,), name="stop", daemon=True).start()
        code = EXIT_OK
        try:
            boot.run()
            self._note(phase="running", message="Running", healthy=True, ready_at=time.time())
            if self._with_demo:
                follower.start()
            self._watch_health()
        except Stopped:
            pass
        except StackError as error:
            code = self._failed(str(error))
        except OSError as error:
            code = self._failed(f"{error.strerror}: {error.filename}" if error.filename else str(error))
        except Exception as error:
            traceback.print_exc()
            code = self._failed(f"{type(error).__name__}; see ./parlance logs supervisor")
        finally:
            follower.stop()
            self._wind_up(failed=code != EXIT_OK)
        return code

    def _wind_up(self, *, failed: bool) -> None:
        if not failed:
            self._note(phase="stopping", message="Stopping", healthy=False)
        self._supervisor.stop_all()
        shutil.rmtree(self._paths.sockets, ignore_errors=True)
        self._note(phase="failed" if failed else "stopped", message="Stopped", healthy=False)

    def _failed(self, words: str) -> int:
        self._note(phase="failed", error=words, healthy=False)
        return EXIT_FAILED

    def _watch_health(self) -> None:
        while not self._stop.wait(HEALTH_EVERY_S):
            self._stand_in.keep()
            healthy = readiness(self._web_port).ready
            if healthy != self._facts["healthy"]:
                self._note(healthy=healthy)

    # -- being told to stop ---------------------------------------------------------------------------------

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _await_stop(self, boot: Boot) -> None:
        """End running steps once told to stop. Attached, the end of standard input says that the terminal has gone."""
        while not self._stop.wait(0.2):
            if self._attached and select.select([sys.stdin], [], [], 0)[0] and not os.read(sys.stdin.fileno(), 1024):
                self._stop.set()
        boot.cancel()

    # -- state ----------------------------------------------------------------------------------------------

    def _note(self, **facts: Any) -> None:
        with self._lock:
            self._facts |= facts
            self._write()

    def _write(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            # A full disk must not end the supervision; the next change is written again.
            write_json(
                self._paths.state,
                {
                    "supervisor": {"pid": os.getpid(), "started": start_ticks(os.getpid())},
                    "boot_id": boot_id(),
                    "port": self._web_port,
                    "url": web_url(self._web_port),
                    "with_demo": self._with_demo,
                    **self._facts,
                    "processes": self._supervisor.snapshot(),
                },
            )


def clean_orphans(paths: StackPaths) -> int:
    """End what a killed supervisor has left, in stopping order; return how many there were. Nothing is lost by it."""
    left = orphans(paths)
    applications = [entry for entry in left if entry["name"] not in ("valkey", "postgres")]
    for entry in applications:
        send(entry["pid"], signal.SIGTERM)
    for entry in applications:
        end_orphan(entry["pid"], signal.SIGTERM, WORKER_STOP_S)
    for name, stop_signal in (("valkey", signal.SIGTERM), ("postgres", signal.SIGINT)):
        for entry in left:
            if entry["name"] == name:
                end_orphan(entry["pid"], stop_signal, 15.0)
    return len(left)
