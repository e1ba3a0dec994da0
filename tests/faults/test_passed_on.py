"""``kill -9`` at the moment a record goes on to the next engine: done once, charged once, nothing left at either provider."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.db.models.functions import Now

from jobs.models import Cleanup, JobDefinition, RecordEvent
from licensing.reconciling import differences
from tests.databases import db  # noqa: F401 - the child sees only what is committed
from tests.jobs.chains import (  # noqa: F401
    POST,
    books,
    chain,
    chained,
    engine_b,
    fault,
    finish,
    left,
    second,
    second_server,
    sweep_first,
)
from tests.jobs.conftest import Pipeline, pipeline, speech, speech_server  # noqa: F401
from tests.polling import until
from transcription.models import SpeechEngine

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120), pytest.mark.xdist_group("passed on")]
CHILD = Path(__file__).with_name("crash_child.py")
ROOT = CHILD.parents[2]
# The first server takes the upload, and we do not hear of it.
TAKEN = {"match": POST, "accept_then_drop": True}


@pytest.fixture
def work(db, chained: Pipeline) -> Pipeline:  # noqa: F811
    """The chain with a short lease, one attempt at each engine, and an upload that the first one has taken unheard."""
    JobDefinition.objects.filter(pk=chained.job.pk).update(lease_seconds=2, max_attempts=1)
    fault(chained, **TAKEN)
    return chained


def die_at(work: Pipeline, address: str, point: str, when: str) -> None:
    """Let a worker run into its trap."""
    env = {**os.environ, "DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    command = [sys.executable, str(CHILD), point, when, str(work.job.pk)]
    env["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]


@pytest.mark.parametrize("when", ["before", "after"])
def test_around_the_write_that_passes_it_on(work, db, second, when):  # noqa: F811
    call = work.call()
    die_at(work, db, "passed on", when)
    record = work.record_of(call)
    # Before it the record is with the first engine under its reference; after it, left to the clean-up of that one.
    assert (record.place, record.stage) == ((0, "uploading") if when == "before" else (1, "new"))
    assert Cleanup.objects.count() == (0 if when == "before" else 1)

    done = finish(work, call, seconds=30)
    assert done.state == "completed"
    assert [step for step, _engine in books(done)] == ["reserve", "settle"]
    assert left(work, second, done) == (0, 0)
    assert differences(done.tenant_id) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_around_the_intent_of_an_engine_that_stands_in(work, db, second, engine_b, when):  # noqa: F811
    JobDefinition.objects.filter(pk=work.job.pk).update(max_attempts=5)
    call = work.call()
    until(lambda: sweep_first(work) or work.record_of(call).errors == 1, every=0.05)
    begun = work.record_of(call)
    assert (begun.stage, begun.remote) == ("uploading", None)
    SpeechEngine.objects.filter(name="Tones").update(paused_at=Now())
    chain(work, engine_b, stand_in="paused")
    die_at(work, db, "stood in", when)
    record = work.record_of(call)
    assert record.place == (0 if when == "before" else 1)
    assert (record.reference == begun.reference) == (when == "before")

    done = finish(work, call, seconds=30)
    assert (done.state, done.place) == ("completed", 1)
    assert books(done) == [("reserve", "Tones"), ("settle", "Other")]
    assert RecordEvent.objects.filter(record=done, step="passed_on").count() == 1
    assert left(work, second, done) == (0, 0)
