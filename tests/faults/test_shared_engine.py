"""Two jobs in two processes on one engine: together they never make more calls at once than the engine allows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.models import JobDefinition, Record
from jobs.policy.models import EngineSlots
from jobs.services import save_job
from tests.databases import db  # noqa: F401 - the children see only what is committed
from tests.jobs.conftest import Pipeline, job_values, pipeline, queue_of_recordings, speech, speech_server  # noqa: F401
from transcription.models import SpeechEngine

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180), pytest.mark.xdist_group("shared engine")]
CHILD = Path(__file__).with_name("pass_child.py")
ROOT = CHILD.parents[2]
CALLS, ALLOWED = 16, 4
SLOW = {"match": {"path_prefix": "/v2/transcriptions"}, "delay_ms": 150, "times": 5000}


@pytest.fixture
def work(db, pipeline: Pipeline) -> Pipeline:  # noqa: F811
    """The pipeline on a database that others see, with an engine that allows few calls."""
    engine = SpeechEngine.objects.get(pk=pipeline.engine.pk)
    SpeechEngine.objects.update(settings={**engine.settings, "concurrency": ALLOWED})
    return pipeline


def second_job(work: Pipeline, system) -> JobDefinition:
    """Another reader of the same calls, from a queue of its own."""
    queue = queue_of_recordings("Second", system)
    values = job_values(work.engine, queue, name="Second", priority=3)
    return save_job(job=None, values=values, tenant_groups=[], publish_to=[], actor="test", audit_tenant=system)


def test_two_jobs_in_two_processes_never_exceed_the_concurrency_of_their_engine(work, db, system):  # noqa: F811
    other = second_job(work, system)
    for _n in range(CALLS):
        work.call()
    work.server.control("POST", "/_emu/faults", SLOW)
    before = len(work.server.control("GET", "/_emu/journal")["entries"])
    env = {**os.environ, "DATABASE_URL": db, "DJANGO_SETTINGS_MODULE": "config.settings.test", "PYTHONPATH": str(ROOT)}
    children = [
        subprocess.Popen([sys.executable, str(CHILD), str(job.pk)], cwd=ROOT, env=env) for job in (work.job, other)
    ]
    try:
        assert [child.wait(100) for child in children] == [0, 0]
    finally:
        for child in children:
            child.kill()
    lines = [
        line
        for line in work.server.control("GET", "/_emu/journal")["entries"][before:]
        if line["path"].startswith("/v2/transcriptions")
    ]
    assert Record.objects.filter(state="completed").count() == 2 * CALLS
    assert max(line["inFlight"] for line in lines) == ALLOWED
    # Both are at an end: nobody holds anything.
    assert EngineSlots.objects.get().claims == []
