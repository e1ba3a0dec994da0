"""The heartbeat of a worker: a thread of its main process that writes the worker's row and reads what it is asked.

It connects for every beat by itself and never through Django's connections: those keep a pool, and a pool that the main
process had opened would be broken in every child that is forked later.
"""

import logging
import os
import signal
import socket
import threading
import uuid
from typing import Any

import psycopg
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from django.conf import settings
from django.db import connection

from jobs.workers.models import BEAT_S, Worker
from jobs.workers.stopping import ask_to_stop, stopping

logger = logging.getLogger(__name__)

# Made before the children are forked, so that they know whose they are.
WORKER_ID = uuid.uuid4()
CONNECT_S = 5

BEAT = """
INSERT INTO public.jobs_worker (id, name, host, pid, version, pool, processes, prefetch, state, started_at, heartbeat_at)
VALUES (%(id)s, %(name)s, %(host)s, %(pid)s, %(version)s, %(pool)s, %(processes)s, %(prefetch)s, %(state)s,
    statement_timestamp(), statement_timestamp())
ON CONFLICT (id) DO UPDATE SET heartbeat_at = statement_timestamp(), state = excluded.state,
    stopped_at = CASE WHEN excluded.state = 'stopped' THEN statement_timestamp() END
RETURNING stop_requested_at IS NOT NULL
"""


class Heart:
    """Beats for one worker until it is told that this is the end."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self.thread.start()

    def stop(self) -> None:
        """Write that the worker has stopped."""
        self.over.set()
        self.thread.join(CONNECT_S)
        self._beat(Worker.State.STOPPED)

    def _run(self) -> None:
        while not self.over.is_set():
            asked = self._beat(Worker.State.STOPPING if stopping() else Worker.State.RUNNING)
            if asked and not stopping():
                logger.warning("Asked to stop: what is in hand is given back")
                os.kill(os.getpid(), signal.SIGTERM)
            self.over.wait(BEAT_S)

    def _beat(self, state: str) -> bool:
        """Write the row; True when somebody asks the worker to stop. A database that is away is asked again later."""
        try:
            with psycopg.connect(**_address(), autocommit=True, connect_timeout=CONNECT_S) as own:
                row = own.execute(BEAT, {**self.facts, "state": str(state)}).fetchone()
        except psycopg.Error as error:
            logger.info("No heartbeat, the database refused: %s", type(error).__name__)
            return False
        return bool(row and row[0])


def _address() -> dict[str, Any]:
    """Where the database is, as the driver takes it; nothing of the pool."""
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    return {names[key]: value for key, value in connection.settings_dict.items() if key in names and value}


_hearts: list[Heart] = []


@worker_ready.connect  # type: ignore[untyped-decorator]
def begin(sender: Any, **_named: Any) -> None:
    """The worker is up, its children are forked: register it and beat."""
    controller = sender.controller
    heart = Heart(
        {
            "id": WORKER_ID,
            "name": str(sender.hostname),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": settings.VERSION,
            "pool": controller.pool_cls.__module__.rpartition(".")[2],
            "processes": controller.concurrency or 1,
            "prefetch": (controller.concurrency or 1) * controller.prefetch_multiplier,
        }
    )
    _hearts.append(heart)
    heart.start()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def tell(**_named: Any) -> None:
    """In the handler of the signal: the passes give back what they hold."""
    ask_to_stop()


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def end(**_named: Any) -> None:
    """The last word."""
    for heart in _hearts:
        heart.stop()
    _hearts.clear()
