"""``kill -9`` of a worker at every step of a recording's way through each provider: one transcript, charged once.

Nothing is left at the provider, and nothing is sent twice, but where the vendor offers nothing to find a lost job by.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db.models.functions import Now

from conversations.models import Transcript
from jobs.models import Cleanup, JobDefinition, Pass, Record
from jobs.upkeep.cleanups import run_cleanups
from licensing.models import Entry
from licensing.reconciling import differences
from tenants.doors import enter
from tenants.services import allow_address
from tests.databases import db  # noqa: F401 - the child sees only what is committed
from tests.engines.standing_in import StandIn
from tests.faults.killed_at import ALL, Killed
from tests.jobs.conftest import Pipeline, pipeline, speech, speech_server  # noqa: F401
from tests.polling import until
from transcription.engines.miaop import tokens
from transcription.services import save_engine

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180), pytest.mark.xdist_group("found again")]
ROOT = Path(__file__).parents[2]
NURSERY = "tests.faults.crash_nursery"
Kill = Callable[..., None]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each provider with each of its steps."""
    cases = [(provider, step) for provider in ALL for step in provider.steps]
    names = [f"{provider.name}: {step}" for provider, step in cases]
    metafunc.parametrize(("provider", "step"), cases, ids=names)


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory) -> Iterator[Callable[[Killed], StandIn]]:
    """The stand-in of a provider, started when it is first asked for; one at a time."""
    running: dict[str, StandIn] = {}

    def started(provider: Killed) -> StandIn:
        if provider.name not in running:
            for name in list(running):
                running.pop(name).stop()
            module = (provider.engine_type or provider.name).partition("_")[0]
            folder = tmp_path_factory.mktemp(provider.name) / "data"
            running[provider.name] = StandIn(module, folder, *provider.arguments)
            running[provider.name].be(**provider.be)
        return running[provider.name]

    yield started
    for server in running.values():
        server.stop()


@pytest.fixture(scope="module")
def nursery(tmp_path_factory) -> Iterator[subprocess.Popen[str]]:
    """The process that forks workers."""
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test", "PYTHONPATH": str(ROOT)}
    errors = tmp_path_factory.mktemp("nursery") / "errors"
    with errors.open("w") as said:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": said}
        process = subprocess.Popen([sys.executable, "-m", NURSERY], cwd=ROOT, env=env, text=True, **pipes)
        yield process
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


@pytest.fixture
def kill(nursery, db) -> Kill:  # noqa: F811
    """Let a worker of the job die in a trap."""

    def die(job: JobDefinition, trap: tuple[str, str, str]) -> None:
        point, when, request = trap
        order = {"database": urlsplit(db).path[1:], "point": point, "when": when, "job": job.pk, "request": request}
        nursery.stdin.write(json.dumps(order) + "\n")
        nursery.stdin.flush()
        assert int(nursery.stdout.readline()) == -signal.SIGKILL

    return die


@pytest.fixture
def server(provider: Killed, pipeline: Pipeline, stand_ins) -> StandIn:  # noqa: F811
    """The provider's server; the reference server is the one of the pipeline."""
    return pipeline.server if provider.name == "native_v2" else stand_ins(provider)


@pytest.fixture
def work(db, pipeline: Pipeline, provider: Killed, server: StandIn, system) -> Iterator[Pipeline]:  # noqa: F811
    """The pipeline of jobs with an engine that is this provider's."""
    by = {"actor": "test", "audit_tenant": system}
    tokens._kept.clear()
    if provider.name != "native_v2":
        allow_address(cidr="127.0.0.1/32", port=int(server.url.rsplit(":", 1)[1]), note="tests", **by)
    engine = save_engine(
        engine=None,
        values={
            "name": "Elsewhere",
            "engine_type": provider.engine_type or provider.name,
            "enabled": True,
            "visibility": "global",
            "tenant": None,
        },
        settings=provider.settings(server),
        secrets=provider.secrets(server),
        **by,
    )
    JobDefinition.objects.filter(pk=pipeline.job.pk).update(settings={"engine": engine.pk})
    yield pipeline
    tokens._kept.clear()


def time_passes() -> None:
    """What the dead worker held is free again, and clean-ups are due."""
    Record.objects.exclude(lease_until=None).update(lease_until=Now())
    Pass.objects.update(heartbeat_until=Now())
    Cleanup.objects.update(due_at=Now())


def test_a_recording_whose_worker_was_killed_is_transcribed_and_charged_once_and_leaves_nothing(
    work, acme, provider, server, kill, step
):
    call = work.call()
    there, before = provider.left(server), provider.counted(server)

    kill(work.job, provider.trap(step))
    time_passes()

    def final() -> bool:
        work.sweep()
        Record.objects.filter(state="in_progress", lease_until=None).update(next_at=Now())
        return Record.objects.filter(record_id=call.pk).exclude(state="in_progress").exists()

    until(final, seconds=20)
    record = work.record_of(call)
    assert (record.state, record.reason) == ("completed", "")
    steps = list(Entry.objects.filter(record=record.pk).order_by("pk").values_list("step", flat=True))
    assert steps == ["reserve", "settle"]
    assert differences() == []
    with enter(acme):
        assert [one.version for one in Transcript.objects.filter(call=call.pk)] == [1]

    def clean() -> bool:
        run_cleanups()
        return not Cleanup.objects.exists()

    until(clean, seconds=20)
    once, counted = provider.requests, provider.counted(server) - before
    if step in provider.twice:
        assert once < counted <= 2 * once
    elif "while" in step:
        # The provider may have had all of the request.
        assert once <= counted <= 2 * once
    else:
        assert counted == once
    assert len(provider.left(server) - there) == (step in provider.stays)
