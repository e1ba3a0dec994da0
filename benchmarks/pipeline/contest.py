"""Three ways to transcribe the same calls through one instant provider, one after the other."""

import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from celery import current_app
from django.core.files.storage import default_storage
from django.db import connection, transaction

from benchmarks.provider import CHECKS
from benchmarks.registry import Figures, goal, scaled
from benchmarks.servers import child, cpu_s, prepared, release, rss_mb
from benchmarks.world import Place, add_calls, analyze, make_job, make_places, make_system
from conversations.models import Transcript
from jobs.models import JobDefinition, Record
from queues.events import Event
from queues.services import publish
from stack.processes import wait_until
from tenants.doors import enter
from tenants.keys import data_key

CALLS, PEER_CALLS, TENANTS = 5_000, 1_000, 20
WARM_UP = 40
LIMIT_S = 1_800.0
CELERY = ["-m", "celery", "-A", "config"]
WORKER = [*CELERY, "worker", "--pool", "prefork", "--concurrency", "3", "--loglevel", "WARNING", "-Q", "celery"]


@dataclass
class Contest:
    """What all contestants share."""

    places: list[Place]
    job: JobDefinition
    provider: str
    provider_pid: int
    postgres_pid: int
    broker_pid: int
    folder: Path
    uploads: int = 0

    def stats(self) -> dict[str, int]:
        """What the provider was asked so far."""
        with urllib.request.urlopen(f"{self.provider}/stats", timeout=30) as response:  # noqa: S310
            answer: dict[str, int] = orjson.loads(response.read())
        return answer

    def calls(self, label: str, number: int) -> dict[int, list[Any]]:
        """New calls of every tenant, by its place in the list."""
        share = -(-number // len(self.places))
        return {index: add_calls(place, share, f"{label}-{index}") for index, place in enumerate(self.places)}


def pipeline(scale: float) -> Figures:
    """Records a second, processor seconds for a thousand, and statements a record, for each contestant."""
    calls = scaled(CALLS, scale, 40)
    peer_calls = scaled(PEER_CALLS, scale, 40)
    with contest_of(scaled(TENANTS, min(scale * 10, 1), 2)) as contest:
        bare = _measure(contest, "bare script", calls, _bare)
        per_step = _measure(contest, "Celery task per step", peer_calls, _per_step)
        ours = _measure(contest, "Parlance", calls, _ours)
    over_per_step = round(ours["records_per_s"] / per_step["records_per_s"], 2)
    over_bare = round(ours["records_per_s"] / bare["records_per_s"], 2)
    return {
        "contestants": [ours, per_step, bare],
        "goals": [
            goal("records/s over a Celery task per step", over_per_step, at_least=10),
            goal("records/s over the bare script", over_bare, at_least=0.5),
        ],
        "tenants": len(contest.places),
        "checks_a_record": CHECKS,
    }


@contextmanager
def contest_of(tenants: int, checks: int = CHECKS) -> Iterator[Contest]:
    """A provider process, tenants and a job that nobody runs yet."""
    with TemporaryDirectory(prefix="parlance-bench-") as name:
        folder = Path(name)
        port = folder / "port"
        with child(["-m", "benchmarks.provider", str(port), str(checks)], folder / "provider.log") as provider:
            if not wait_until(port.exists, 60):
                raise RuntimeError((folder / "provider.log").read_text()[-2000:])
            address = f"http://127.0.0.1:{port.read_text()}"
            places, job = make_places(tenants), make_job(make_system(), address)
            # Not before its turn: the worker of a peer must not run passes over the peer's records.
            JobDefinition.objects.update(enabled=False)
            yield Contest(places, job, address, provider.pid, postmaster(), broker_pid(), folder)


def _measure(
    contest: Contest, name: str, number: int, contestant: Callable[..., Iterator[Callable[[str], int]]]
) -> Figures:
    """Warm up with a few calls, then time from the event to the last transcript and the last deleted remote job."""
    label = name.replace(" ", "-").lower()
    warm, real = f"{label}-warm", f"{label}-real"
    calls = {warm: contest.calls(warm, WARM_UP), real: contest.calls(real, number)}
    analyze()
    with contextmanager(contestant)(contest, calls) as start:
        start(warm)
        _wait(contest, len(contest.places) * len(calls[warm][0]))
        total = len(contest.places) * len(calls[real][0])
        before, asked = _spent(contest), contest.stats()
        reset_statements()
        began = time.monotonic()
        worker = start(real)
        stored_s, gone_s = _wait(contest, total)
        seconds = gone_s - began
        memory = rss_mb(worker)
        after, now = _spent(contest), contest.stats()
        number_of = counted_statements()
    spent = {key: after[key] - before[key] for key in after}
    return {
        "contestant": name,
        "records": total,
        "records_per_s": round(total / seconds, 1),
        "seconds_to_transcripts": round(stored_s - began, 2),
        "seconds": round(seconds, 2),
        "cpu_s_per_1000": round(1000 * (spent["workers"] + spent["postgres"] + spent["broker"]) / total, 2),
        "worker_cpu_s_per_1000": round(1000 * spent["workers"] / total, 2),
        "postgres_cpu_s_per_1000": round(1000 * spent["postgres"] / total, 2),
        "provider_cpu_s_per_1000": round(1000 * spent["provider"] / total, 2),
        "statements_per_record": round(number_of / total, 2),
        "requests_per_record": round(sum(now[key] - asked.get(key, 0) for key in now if key != "live") / total, 2),
        "rss_mb": round(memory),
    }


def _wait(contest: Contest, number: int) -> tuple[float, float]:
    """Until ``number`` more transcripts are stored and nothing is left at the provider: both moments."""
    contest.uploads += number
    done = Record.objects.exclude(state=Record.State.IN_PROGRESS)
    if not wait_until(lambda: done.count() >= contest.uploads, LIMIT_S, poll_s=0.05):
        raise RuntimeError(f"{done.count()} of {contest.uploads} records ended")
    stored = time.monotonic()
    if not wait_until(lambda: contest.stats()["live"] == 0, LIMIT_S, poll_s=0.05):
        raise RuntimeError("jobs are left at the provider")
    gone = time.monotonic()
    completed = Record.objects.filter(state=Record.State.COMPLETED).count()
    assert completed == contest.uploads == sum(_transcripts(place) for place in contest.places)
    return stored, gone


def _transcripts(place: Place) -> int:
    with enter(place.tenant):
        return int(Transcript.objects.count())


@contextmanager
def running_product(contest: Contest) -> Iterator[int]:
    """The product's worker of three processes and its beat; yields the worker's process id."""
    JobDefinition.objects.update(enabled=True)
    beat = [*CELERY, "beat", "--schedule", str(contest.folder / "beat"), "--pidfile=", "--loglevel", "WARNING"]
    log = contest.folder / "ours.log"
    with child(WORKER, log) as worker, child(beat, log) as clock:
        _SPENDERS[:] = [worker.pid, clock.pid]
        yield worker.pid


def publish_calls(place: Place, calls: list[Any]) -> None:
    """The event of the product."""
    with enter(place.tenant), transaction.atomic():
        publish(tenant=place.tenant, event=Event.CALL_RECORDING_FINISHED, record_ids=calls)


def _ours(contest: Contest, calls: dict[str, dict[int, list[Any]]]) -> Iterator[Callable[[str], int]]:
    """The product as it is."""
    with running_product(contest) as worker:

        def start(label: str) -> int:
            for index, ids in calls[label].items():
                publish_calls(contest.places[index], ids)
            return worker

        yield start


def _per_step(contest: Contest, calls: dict[str, dict[int, list[Any]]]) -> Iterator[Callable[[str], int]]:
    """A Celery worker of two processes that knows the peer's tasks."""
    from benchmarks.pipeline.per_step import start as begin

    with child([*WORKER, "-I", "benchmarks.pipeline.per_step"], contest.folder / "per_step.log") as worker:
        _SPENDERS[:] = [worker.pid]

        def start(label: str) -> int:
            for index, ids in calls[label].items():
                for call in ids:
                    begin.delay(str(contest.places[index].tenant.pk), str(call))
            return worker.pid

        yield start


def _bare(contest: Contest, calls: dict[str, dict[int, list[Any]]]) -> Iterator[Callable[[str], int]]:
    """The script, one process for each set of calls: imports and connections are not timed."""
    scripts = {label: _script(contest, label) for label in calls}

    def start(label: str) -> int:
        script = scripts[label]
        _SPENDERS[:] = [script.pid]
        release(script)
        return script.pid

    yield start
    for script in scripts.values():
        script.communicate(timeout=60)


def _script(contest: Contest, label: str) -> subprocess.Popen[bytes]:
    spec = {
        "database": os.environ["DATABASE_URL"],
        "provider": contest.provider,
        "media": default_storage.path(""),
        "job": contest.job.pk,
        "label": label,
        "tenants": [
            {
                "id": str(place.tenant.pk),
                "schema": place.tenant.schema_name,
                "key": data_key(place.tenant).hex(),
            }
            for place in contest.places
        ],
    }
    return prepared("benchmarks.pipeline.bare", spec)


# The processes of the contestant at work.
_SPENDERS: list[int] = []


def _spent(contest: Contest) -> dict[str, float]:
    return {
        "workers": sum(cpu_s(pid) for pid in _SPENDERS),
        "postgres": cpu_s(contest.postgres_pid),
        "broker": cpu_s(contest.broker_pid),
        "provider": cpu_s(contest.provider_pid),
    }


def reset_statements() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_statements_reset()")


def counted_statements() -> int:
    """Statements since the reset, without those of this process that only looks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements"
            " WHERE toplevel AND query NOT LIKE '%%pg_stat_statements%%' AND query NOT LIKE 'SELECT COUNT(*)%%'"
        )
        return int(cursor.fetchone()[0])


def postmaster() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        return int((Path(cursor.fetchone()[0]) / "postmaster.pid").read_text().split("\n", 1)[0])


def broker_pid() -> int:
    with current_app.connection_for_read() as broker:
        return int(broker.default_channel.client.info("server")["process_id"])
