"""Keeps the processes of the stack alive: a child that ends is started again, for ever, with a growing pause.

Every child leads a session of its own, so its whole process group can be ended and no Ctrl-C reaches it. Output goes
straight into the log file (opened for appending), so a child outlives the loss of its supervisor without harm.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from stack.processes import is_alive, send, start_ticks, wait_until

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
SETTLED_AFTER_S = 30.0
LOG_CAP_BYTES = 10 * 1024**2
KEPT_LOGS = 2
TICK_S = 0.1


@dataclass(frozen=True)
class Service:
    """One process to keep: how to start it, and how it wishes to be stopped.

    ``tier`` orders the stop: the highest tier first, all of one tier at once. ``prepare`` runs before every start.
    """

    name: str
    spawn: Callable[[IO[bytes]], subprocess.Popen[bytes]]
    tier: int = 1
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 6.0
    prepare: Callable[[], None] = lambda: None


def command_service(
    name: str, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, tier: int = 1, stop_timeout_s: float = 6.0
) -> Service:
    """Return the service that runs a command."""

    def spawn(log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            list(command),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    return Service(name=name, spawn=spawn, tier=tier, stop_timeout_s=stop_timeout_s)


@dataclass
class Child:
    """A service and the process that is it at the moment."""

    service: Service
    process: subprocess.Popen[bytes] | None = None
    state: str = "stopped"
    restarts: int = 0
    started_at: float = 0.0
    ticks: int | None = None
    pause_s: float = FIRST_PAUSE_S
    due: float = field(default=0.0)

    @property
    def pid(self) -> int | None:
        """The process id, or None while nothing runs."""
        return self.process.pid if self.process is not None else None


class Supervisor:
    """Starts services, watches them from a thread of its own and stops them in order."""

    def __init__(self, log_dir: Path, *, on_change: Callable[[], None] = lambda: None) -> None:
        self._log_dir = log_dir
        self._on_change = on_change
        self._children: dict[str, Child] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def start(self, service: Service) -> None:
        """Start a service now and keep it running until :meth:`stop_all`."""
        with self._lock:
            if self._stopping.is_set():
                return
            child = self._children[service.name] = Child(service)
            self._spawn(child)
            if not self._watcher.is_alive():
                self._watcher.start()
        self._on_change()

    def stop(self, name: str) -> None:
        """Stop one service and forget it; one that is not kept is none."""
        with self._lock:
            child = self._children.pop(name, None)
        if child is None:
            return
        if child.process is not None and child.process.poll() is None:
            send(child.process.pid, child.service.stop_signal)
        self._await_end(child, child.service.stop_timeout_s)
        self._on_change()

    def snapshot(self) -> list[dict[str, Any]]:
        """Return name, pid, state (running, restarting, stopped), restarts and start time of every service."""
        with self._lock:
            return [
                {
                    "name": child.service.name,
                    "pid": child.pid,
                    "state": child.state,
                    "restarts": child.restarts,
                    "started": child.ticks,
                }
                for child in self._children.values()
            ]

    def stop_all(self) -> None:
        """Stop everything, highest tier first; what does not go in its time is killed with its whole group."""
        self._stopping.set()
        if self._watcher.is_alive() and self._watcher is not threading.current_thread():
            self._watcher.join(timeout=5)
        for tier in sorted({child.service.tier for child in self._children.values()}, reverse=True):
            children = [child for child in self._children.values() if child.service.tier == tier]
            for child in children:
                if child.process is not None and child.process.poll() is None:
                    send(child.process.pid, child.service.stop_signal)
            started = time.monotonic()
            for child in children:
                self._await_end(child, child.service.stop_timeout_s - (time.monotonic() - started))
            self._on_change()

    # -- inside ---------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        last_rotation = 0.0
        while not self._stopping.wait(TICK_S):
            changed = False
            with self._lock:
                if self._stopping.is_set():
                    return
                now = time.monotonic()
                for child in list(self._children.values()):
                    changed |= self._look_after(child, now)
                if now - last_rotation > 10.0:
                    last_rotation = now
                    rotate_logs(self._log_dir)
            if changed:
                self._on_change()

    def _look_after(self, child: Child, now: float) -> bool:
        if child.process is not None and _has_ended(child.process.pid):
            # The rest of the group goes before the leader is reaped: until then its id cannot be given away.
            _kill_group(child.process.pid)
            child.process.wait()
            if now - child.started_at > SETTLED_AFTER_S:
                child.pause_s = FIRST_PAUSE_S
            child.process, child.ticks, child.state = None, None, "restarting"
            child.due = now + child.pause_s
            child.pause_s = min(child.pause_s * 2, LONGEST_PAUSE_S)
            return True
        if child.process is None and child.state == "restarting" and now >= child.due:
            child.restarts += 1
            self._spawn(child)
            return True
        return False

    def _spawn(self, child: Child) -> None:
        with self.log_file(child.service.name).open("ab") as log:
            try:
                child.service.prepare()
                child.process = child.service.spawn(log)
            except Exception as error:
                # Nothing that goes wrong at a restart (a full disk, no more processes) may end the supervision.
                log.write(f"could not be started: {error}\n".encode())
                child.state, child.due = "restarting", time.monotonic() + child.pause_s
                child.pause_s = min(child.pause_s * 2, LONGEST_PAUSE_S)
                return
        child.started_at = time.monotonic()
        child.ticks = start_ticks(child.process.pid)
        child.state = "running"

    def log_file(self, name: str) -> Path:
        """Return the log file of a service."""
        return self._log_dir / f"{name}.log"

    def _await_end(self, child: Child, timeout_s: float) -> None:
        process = child.process
        if process is not None:
            wait_until(lambda: _has_ended(process.pid), max(timeout_s, 0.1))
            _kill_group(process.pid)
            process.wait()
        with self._lock:
            child.process, child.ticks, child.state = None, None, "stopped"


def end_orphan(pid: int, stop_signal: signal.Signals, timeout_s: float) -> None:
    """End a session leader that is not our child, and its group. The caller has checked that it is what it was."""
    send(pid, stop_signal)
    wait_until(lambda: not is_alive(pid), timeout_s)
    if is_alive(pid):
        _kill_group(pid)
        wait_until(lambda: not is_alive(pid), 5.0)


def rotate_logs(log_dir: Path, cap_bytes: int = LOG_CAP_BYTES) -> None:
    """Copy every log above the cap to ``.1`` (the older to ``.2``) and empty it in place; the writers append on."""
    for log in log_dir.glob("*.log"):
        with contextlib.suppress(OSError):
            if log.stat().st_size <= cap_bytes:
                continue
            for number in range(KEPT_LOGS, 1, -1):
                older = log.with_name(f"{log.name}.{number - 1}")
                if older.exists():
                    older.replace(log.with_name(f"{log.name}.{number}"))
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)


def _has_ended(pid: int) -> bool:
    """Say whether our child has ended, without reaping it."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
