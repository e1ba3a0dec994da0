"""The contestant: passes of one job in one process, as a worker makes them, until nothing is left of its records.

``python -m benchmarks.engines.passing`` reads a specification (JSON: ``job``, ``records``) from its input, says "ready",
waits for a line, works, and prints seconds, how many were transcribed and peak memory. Celery has no part in it.
"""

import sys
import time

import django
import orjson

django.setup()

from django.db import connection  # noqa: E402

from benchmarks.servers import peak_mb  # noqa: E402
from jobs.models import Cleanup, Record  # noqa: E402
from jobs.passes.running import run_pass  # noqa: E402
from jobs.upkeep.cleanups import run_cleanups  # noqa: E402

LIMIT_S = 900.0
PAUSE_S = 0.05


def _run(job: int, records: int) -> dict[str, float]:
    began = time.monotonic()
    ended = Record.objects.filter(job_id=job).exclude(state=Record.State.IN_PROGRESS)
    while ended.count() < records:
        if time.monotonic() > began + LIMIT_S:
            raise RuntimeError(f"only {ended.count()} of {records} records ended")
        if not run_pass(job):
            time.sleep(PAUSE_S)
    while run_cleanups() or Cleanup.objects.exists():
        time.sleep(PAUSE_S)
    seconds = time.monotonic() - began
    completed = ended.filter(state=Record.State.COMPLETED).count()
    return {"seconds": seconds, "completed": completed, "peak_mb": peak_mb()}


if __name__ == "__main__":
    specification = orjson.loads(sys.stdin.readline())
    connection.ensure_connection()
    print("ready", flush=True)
    sys.stdin.readline()
    print(orjson.dumps(_run(specification["job"], specification["records"])).decode(), flush=True)
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
