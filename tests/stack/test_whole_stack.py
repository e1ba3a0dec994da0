"""The real stack, without demo data, from the first start over a killed supervisor to the end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stack import stand_ins
from stack.paths import ROOT, StackPaths
from stack.ports import first_free
from stack.processes import is_alive, wait_until
from stack.state import read_state

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def parlance(paths: StackPaths) -> Iterator[Run]:
    """Run a command on this test's own stack; the stack is taken down at the end."""
    outside = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PARLANCE_MEDIA_DIR", "PARLANCE_TEST_SERVICES")
    outside += ("PARLANCE_SECRET_KEY", "PARLANCE_MASTER_KEYS")
    env = {name: value for name, value in os.environ.items() if name not in outside} | {"PYTHONPATH": str(ROOT)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-P", "-m", "stack", arguments[0], "--data", str(paths.data), *arguments[1:]]
        return subprocess.run(line, capture_output=True, text=True, env=env, timeout=200, cwd="/")

    yield run
    run("down")


def processes(paths: StackPaths) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in read_state(paths)["processes"]}


@pytest.mark.faults
@pytest.mark.timeout(400)
def test_it_starts_survives_kills_and_stops_without_leaving_anything(parlance: Run, paths: StackPaths) -> None:
    port = str(first_free(18000))
    up = parlance("up", "--detach", "--no-demo", "--port", port)
    assert up.returncode == 0, up.stderr
    assert f"http://localhost:{port}/" in up.stdout

    again = parlance("up", "--detach", "--no-demo", "--port", port)
    assert again.returncode == 4
    assert "already running" in again.stdout

    first = processes(paths)
    os.kill(first["postgres"]["pid"], signal.SIGKILL)
    os.kill(first["valkey"]["pid"], signal.SIGKILL)
    assert wait_until(lambda: {processes(paths)[name]["restarts"] for name in ("postgres", "valkey")} == {1}, 20.0)
    assert wait_until(lambda: parlance("status").returncode == 0, 40.0, poll_s=0.5)

    os.kill(read_state(paths)["supervisor"]["pid"], signal.SIGKILL)
    assert wait_until(lambda: parlance("status").returncode == 1, 10.0)
    left = processes(paths)
    assert parlance("up", "--detach", "--no-demo", "--port", port).returncode == 0
    assert not any(is_alive(entry["pid"]) for entry in left.values())
    report = json.loads(parlance("status", "--json").stdout)
    assert report["web"] == {"url": f"http://localhost:{port}/", "healthy": True}
    assert {entry["state"] for entry in report["processes"]} == {"running"}
    system = parlance("manage", "shell", "-c", "from tenants.models import Tenant; print(Tenant.objects.count())")
    assert system.stdout.strip().endswith("1"), "the tenant made at the first start is still there"

    without = parlance("demo", "--engine", "deepgram")
    assert without.returncode == 1
    assert "no demo calls" in without.stderr
    known = stand_ins.want(paths, "deepgram")
    stand_ins.await_ready(known)
    assert wait_until(lambda: "stand-in-deepgram" in processes(paths), 10.0)
    chaos = parlance("demo", "--chaos", "errors=0.5")
    assert "REHEARSING AN OUTAGE: errors=0.5" in chaos.stdout
    assert "is gone" in chaos.stderr, "the demo's job, in a stack without it"
    assert stand_ins.chaos(known)["settings"]["errors"] == 0.5

    running = processes(paths)
    assert parlance("down").returncode == 0
    assert not any(is_alive(entry["pid"]) for entry in running.values())
    assert not paths.sockets.exists()
    assert parlance("status").returncode == 3
