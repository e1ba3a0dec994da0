"""Three tasks over a thousand conversations through a stand-in for OpenAI's API: the product, and a bare script."""

import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from django.db import connection, transaction

from aiassistant.engines.base import Output
from aiassistant.engines.schemas import strict_schema
from aiassistant.executing.models import Execution
from aiassistant.library.estimating import monthly
from aiassistant.library.selectors import tasks_for
from benchmarks.ai.world import (
    ANSWER_PRICE,
    KEY,
    MODEL,
    PROMPT_PRICE,
    TASKS,
    add_transcribed,
    make_ai_job,
    make_engine,
    switch_on,
    turns_of,
)
from benchmarks.pipeline.contest import CELERY, WORKER, broker_pid, counted_statements, postmaster, reset_statements
from benchmarks.registry import Figures, goal, scaled
from benchmarks.servers import child, cpu_s, prepared, release, rss_mb
from benchmarks.world import Place, analyze, make_places, make_system
from conversations.executions import exchanges_of
from jobs.models import Record
from queues.events import Event
from queues.services import publish
from stack.environment import python_environment
from stack.paths import ROOT
from stack.processes import wait_until
from tenants.doors import enter
from tenants.models import Tenant

CONVERSATIONS, TENANTS, WARM_UP, CONCURRENCY, OFFLINE = 1_000, 10, 60, 16, 200
LIMIT_S = 1_800.0
Calls = list[tuple[Place, list[uuid.UUID]]]
BILLED = ("requests", "prompt_tokens", "completion_tokens")


@dataclass
class House:
    """The stand-in, the tenants and their tasks."""

    url: str
    control: str
    emulator_pid: int
    postgres_pid: int
    broker_pid: int
    system: Tenant
    places: list[Place]
    folder: Path

    def bill(self) -> dict[str, int]:
        """What the stand-in has counted so far."""
        with urllib.request.urlopen(f"{self.control}/_emu/bill", timeout=30) as reply:  # noqa: S310
            told: dict[str, int] = orjson.loads(reply.read())
        return told


def ai(scale: float) -> Figures:
    """Executions a second, processor time, statements and rows; the estimate beside the bill; the built-in engine."""
    share = max(scaled(CONVERSATIONS, scale, 20) // TENANTS, 2)
    with _house() as house:
        warm = _planted(house, "warm", WARM_UP // TENANTS, 0)
        real = _planted(house, "real", share, 1_000_000)
        ours, estimate = _ours(house, warm, real)
        bare = _bare(house, real)
        tenant = house.places[0].tenant
        outputs = [task.outputs for task in tasks_for([tenant])[tenant.pk]]
    ratio = round(ours["executions_per_s"] / bare["executions_per_s"], 2)
    return {
        "contestants": [ours, bare],
        "estimate": estimate,
        "built_in_engine": _offline(max(round(OFFLINE * min(scale, 1)), 5), outputs),
        "goals": [
            goal("executions/s over the bare script", ratio, at_least=0.5),
            goal("per cent between the estimated tokens and the bill", estimate["tokens_off_pct"], at_most=10),
            goal("executions lost or made twice", estimate["lost_or_twice"], at_most=0),
        ],
        "conversations": share * TENANTS,
        "tasks": len(TASKS),
        "concurrency": CONCURRENCY,
    }


@contextmanager
def _house() -> Iterator[House]:
    with TemporaryDirectory(prefix="parlance-bench-") as name:
        folder = Path(name)
        log = folder / "emulator.log"
        arguments = ["-m", "emulators.openai", "--data", str(folder / "emulator"), "--key", KEY, "--lifetime-s", "7200"]
        with child(arguments, log) as emulator:
            if not wait_until(lambda: b"control_url" in log.read_bytes(), 60):
                raise RuntimeError(log.read_text()[-2000:])
            ready = json.loads(log.read_text().splitlines()[0])
            system, places = make_system(), make_places(TENANTS)
            make_engine(system, ready["url"], CONCURRENCY)
            switch_on(places)
            urls = ready["url"], ready["control_url"]
            yield House(*urls, emulator.pid, postmaster(), broker_pid(), system, places, folder)


def _planted(house: House, label: str, share: int, seed: int) -> Calls:
    """Conversations of all tenants; nobody listens to their events yet."""
    return [
        (place, add_transcribed(place, share, label, seed + 10_000 * number))
        for number, place in enumerate(house.places)
    ]


def _ours(house: House, warm: Calls, real: Calls) -> tuple[Figures, Figures]:
    """The product with a worker of three processes and its beat, from the event to the last value."""
    make_ai_job(house.system)
    log = house.folder / "ours.log"
    beat = [*CELERY, "beat", "--schedule", str(house.folder / "beat"), "--pidfile=", "--loglevel", "WARNING"]
    analyze()
    with child(WORKER, log) as worker, child(beat, log) as clock:
        _run(warm, 0)
        expected = _expected(house)
        pids = [worker.pid, clock.pid]
        before, billed, rows = _spent(house, pids), house.bill(), _rows()
        reset_statements()
        began = time.monotonic()
        number = _run(real, sum(len(ids) for _place, ids in warm))
        seconds = time.monotonic() - began
        memory, statements = rss_mb(worker.pid), counted_statements()
        spent = {name: value - before[name] for name, value in _spent(house, pids).items()}
        # The statistics of the last transactions arrive within a second.
        time.sleep(1.5)
        rows = _rows() - rows
    total = house.bill()
    bill = {name: total[name] - billed[name] for name in BILLED}
    executions = number * len(TASKS)
    figures = _figures("Parlance", executions, seconds, spent) | {
        "requests_per_execution": round(bill["requests"] / executions, 2),
        "tokens_per_conversation": round((bill["prompt_tokens"] + bill["completion_tokens"]) / number),
        "statements_per_execution": round(statements / executions, 2),
        "rows_written_per_execution": round(rows / executions, 2),
        "rss_mb": round(memory),
    }
    done = Execution.objects.filter(state=Execution.State.COMPLETED)
    wanted = Record.objects.count() * len(TASKS)
    unlike = abs(done.count() - wanted) + abs(Execution.objects.count() - wanted)
    return figures, _compared(expected, total) | {"lost_or_twice": unlike}


def _run(calls: Calls, ended: int) -> int:
    """Tell of the conversations and wait for the end of all; ``ended`` have ended before. Returns how many there were."""
    for place, ids in calls:
        with enter(place.tenant), transaction.atomic():
            publish(tenant=place.tenant, event=Event.CALL_TRANSCRIPTION_COMPLETED, record_ids=ids)
    number = sum(len(ids) for _place, ids in calls)
    done = Record.objects.exclude(state=Record.State.IN_PROGRESS)
    if not wait_until(lambda: done.count() >= ended + number, LIMIT_S, poll_s=0.05):
        raise RuntimeError(f"{done.count()} of {ended + number} records ended")
    return number


def _expected(house: House) -> dict[str, int]:
    """What the page of a task says that a month costs, for all tenants and tasks: what was done and what is still due."""
    counted = [
        monthly(place.tenant, task) for place in house.places for task in tasks_for([place.tenant])[place.tenant.pk]
    ]
    return {
        "prompt_tokens": sum(each.prompt for each in counted),
        "completion_tokens": sum(each.completion for each in counted),
        "cost_micros": sum(each.cost_micros or 0 for each in counted),
    }


def _compared(expected: dict[str, int], bill: dict[str, int]) -> Figures:
    """The estimate beside what the stand-in counted, by tokens and by money at the prices of the engine."""
    cost = bill["prompt_tokens"] * PROMPT_PRICE + bill["completion_tokens"] * ANSWER_PRICE
    tokens = bill["prompt_tokens"] + bill["completion_tokens"]
    guessed = expected["prompt_tokens"] + expected["completion_tokens"]
    return {
        "estimated_prompt_tokens": expected["prompt_tokens"],
        "billed_prompt_tokens": bill["prompt_tokens"],
        "estimated_completion_tokens": expected["completion_tokens"],
        "billed_completion_tokens": bill["completion_tokens"],
        "tokens_off_pct": round(100 * abs(guessed - tokens) / tokens, 1),
        "cost_off_pct": round(100 * abs(expected["cost_micros"] - cost) / cost, 1),
    }


def _bare(house: House, real: Calls) -> Figures:
    """The same requests as those of the product, taken from what it kept of them."""
    bodies = house.folder / "bodies.jsonl"
    number = _write_bodies(bodies, real)
    spec = {"base_url": f"{house.url}/v1", "key": KEY, "concurrency": CONCURRENCY, "bodies": str(bodies)}
    script = prepared("benchmarks.ai.bare", spec)
    assert script.stdout is not None
    before = _spent(house, [script.pid])
    began = time.monotonic()
    release(script)
    # Its processor time is read while it still runs: it waits for nobody.
    answered = int(script.stdout.readline())
    seconds = time.monotonic() - began
    spent = {name: value - before[name] for name, value in _spent(house, [script.pid]).items()}
    script.communicate(timeout=60)
    assert answered == number
    return _figures("bare script", number, seconds, spent)


def _write_bodies(path: Path, calls: Calls) -> int:
    """Every first request of every execution about these conversations, as the vendor's interface takes it."""
    tasks = {task.key: task for place, _ids in calls[:1] for task in tasks_for([place.tenant])[place.tenant.pk]}
    number = 0
    with path.open("wb") as out:
        for place, ids in calls:
            rows = list(Execution.objects.filter(record_id__in=ids).values_list("pk", "task_key"))
            with enter(place.tenant):
                for pk, key in rows:
                    messages = [{"role": role, "content": text} for role, text in exchanges_of(pk)[0].request]
                    form = {"name": key, "strict": True, "schema": strict_schema(tasks[key].outputs)}
                    body = {
                        "model": MODEL,
                        "messages": messages,
                        "response_format": {"type": "json_schema", "json_schema": form},
                        "max_completion_tokens": 2048,
                        "temperature": 0,
                    }
                    out.write(orjson.dumps(body) + b"\n")
                    number += 1
    return number


def _offline(number: int, outputs: Sequence[Sequence[Output]]) -> Figures:
    """The built-in engine in a process of its own."""
    kept = ("name", "type", "description", "choices", "minimum", "maximum", "max_length", "nullable")
    names = (*kept, "explanation", "evidence", "rule")
    spec = {
        "conversations": [turns_of(2_000_000 + seed) for seed in range(number)],
        "tasks": [[{name: getattr(output, name) for name in names} for output in task] for task in outputs],
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ai.offline"],
        cwd=ROOT,
        env=python_environment() | dict(os.environ),
        input=orjson.dumps(spec) + b"\n",
        capture_output=True,
        check=True,
    )
    figures: Figures = orjson.loads(done.stdout.splitlines()[-1])
    return figures


def _figures(name: str, executions: int, seconds: float, spent: dict[str, float]) -> Figures:
    def a_thousand(*names: str) -> float:
        return round(1000 * sum(spent[name] for name in names) / executions, 2)

    return {
        "contestant": name,
        "executions": executions,
        "executions_per_s": round(executions / seconds, 1),
        "seconds": round(seconds, 2),
        "own_cpu_s_per_1000": a_thousand("own"),
        "postgres_cpu_s_per_1000": a_thousand("postgres", "broker"),
        "emulator_cpu_s_per_1000": a_thousand("emulator"),
    }


def _spent(house: House, pids: list[int]) -> dict[str, float]:
    own = sum(cpu_s(pid) for pid in pids)
    servers = {"postgres": cpu_s(house.postgres_pid), "broker": cpu_s(house.broker_pid)}
    return {"own": own, "emulator": cpu_s(house.emulator_pid), **servers}


def _rows() -> int:
    """Rows that were inserted, updated and deleted in this database so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tup_inserted + tup_updated + tup_deleted FROM pg_stat_database WHERE datname = current_database()"
        )
        return int(cursor.fetchone()[0])
