"""The processes of a local stack, as the supervisor is to keep them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping

from stack.paths import ROOT, StackPaths
from stack.pgidentity import account, choose_identity
from stack.postgres import EmbeddedPostgres
from stack.supervisor import Service, command_service
from stack.valkey import EmbeddedValkey

WORKER_TIER = 4
APPLICATION_TIER = 3
BROKER_TIER = 2
DATABASE_TIER = 1
# A little more than the grace that a worker gives its calls (PARLANCE_WORKER_GRACE_S).
WORKER_STOP_S = 14.0


def own_postgres(paths: StackPaths) -> EmbeddedPostgres:
    """Return the cluster of this data directory.

    The data directory is closed to everybody else, so where root has to drop to ``nobody`` the cluster lies in
    :attr:`StackPaths.postgres_shared`. Where it lies is decided by where it is, once it is there.
    """
    log = paths.logs / "postgres.log"
    if (paths.postgres / "PG_VERSION").exists() or choose_identity(paths.postgres).uid is None:
        return EmbeddedPostgres(paths.postgres, paths.sockets, log_file=log)
    paths.postgres_shared.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    return EmbeddedPostgres(paths.postgres_shared, paths.sockets, log_file=log, identity=account("nobody"))


def own_valkey(paths: StackPaths) -> EmbeddedValkey:
    """Return the Valkey of this data directory."""
    return EmbeddedValkey(paths.valkey, paths.sockets, log_file=paths.logs / "valkey.log")


def postgres_service(server: EmbeddedPostgres) -> Service:
    """PostgreSQL; it stops last. A crash recovers by itself at the next start."""
    return Service(
        name="postgres",
        spawn=server.spawn,
        prepare=server.prepare,
        tier=DATABASE_TIER,
        stop_signal=signal.SIGINT,
        stop_timeout_s=15.0,
    )


def valkey_service(server: EmbeddedValkey) -> Service:
    """Valkey; it stops after everything that talks to it."""
    return Service(name="valkey", spawn=server.spawn, prepare=server.prepare, tier=BROKER_TIER)


def web_service(env: Mapping[str, str], port: int) -> Service:
    """The web server, on loopback."""
    command = [sys.executable, "-m", "gunicorn", "config.wsgi:application", "-k", "gthread", "--workers", "2"]
    command += ["--threads", "8", "--bind", f"127.0.0.1:{port}", "--graceful-timeout", "4", "--no-control-socket"]
    return command_service("web", command, env=env, cwd=ROOT, tier=APPLICATION_TIER)


def worker_service(env: Mapping[str, str]) -> Service:
    """The worker. It stops before everything that it talks to, so that it can finish or give back what it holds.

    One process more than there are processors, and three at least: one stays free of passes, for everything else.
    A task that does not end in time is cut; its leases run out and the work goes on later.
    """
    processes = str(max(len(os.sched_getaffinity(0)) + 1, 3))
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "config",
        "worker",
        "--pool",
        "prefork",
        "--concurrency",
        processes,
    ]
    command += ["-Q", "celery", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
    return command_service("worker", command, env=env, cwd=ROOT, tier=WORKER_TIER, stop_timeout_s=WORKER_STOP_S)


def beat_service(env: Mapping[str, str], paths: StackPaths) -> Service:
    """The clock."""
    command = [sys.executable, "-m", "celery", "-A", "config", "beat", "--loglevel", "WARNING", "--pidfile="]
    command += ["--schedule", str(paths.run / "beat-schedule")]
    return command_service("beat", command, env=env, cwd=ROOT, tier=APPLICATION_TIER)


def speech_service(env: Mapping[str, str], paths: StackPaths, port: int) -> Service:
    """The bundled speech server, on loopback."""
    command = [sys.executable, "-m", "speechserver", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--data", str(paths.speech), "--recogniser", "pocketsphinx", "--token-file", str(paths.speech_token)]
    return command_service("speech", command, env=env, cwd=ROOT, tier=APPLICATION_TIER)
