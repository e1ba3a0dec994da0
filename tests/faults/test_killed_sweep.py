"""``kill -9`` in the middle of a sweep: every conversation has one record, was seen once and is charged once."""

import pytest
from django.db.models import Count
from django.db.models.functions import Now

from jobs.models import Continuation, JobDefinition, Record
from jobs.passes.running import run_pass
from licensing.models import Entry
from licensing.reconciling import differences
from queues.models import QueueItem
from tests.databases import db  # noqa: F401 - the child sees only what is committed
from tests.faults.test_charged_once import LEASE_S, die_at
from tests.jobs.conftest import Pipeline, pipeline, speech, speech_server  # noqa: F401
from tests.jobs.sweeps import start, sweep_job
from tests.polling import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120), pytest.mark.xdist_group("charged once")]
CALLS = 5


@pytest.fixture
def sweep(db, pipeline: Pipeline, system) -> Pipeline:  # noqa: F811
    """Five calls that only a full mode finds, two a slice, on a database that others see."""
    for number in range(CALLS):
        pipeline.call(started_at=f"2026-11-0{number + 1}T10:00:00+00:00")
    QueueItem.objects.all().delete()
    pipeline.job = sweep_job(pipeline, system, batch_size=2, lease_seconds=LEASE_S)
    start(pipeline.job, system)
    return pipeline


@pytest.mark.parametrize(
    ("point", "when", "there"),
    [
        ("slice stored", "before", 2),
        ("slice stored", "after", 0),
        ("slice done", "before", 2),
        ("slice done", "after", 2),
    ],
)
def test_a_sweep_goes_on_where_its_worker_died_and_everything_is_charged_once(sweep, db, point, when, there):  # noqa: F811
    die_at(sweep, db, point, when)
    assert Record.objects.count() == there
    assert Continuation.objects.get(job=sweep.job).seen == there

    def finished() -> bool:
        run_pass(sweep.job.pk)
        Record.objects.filter(state="in_progress", lease_until=None).update(next_at=Now())
        at_end = Continuation.objects.filter(job=sweep.job, state="done").exists()
        return at_end and not Record.objects.filter(state="in_progress").exists()

    until(finished, seconds=60, every=0.1)
    assert list(Record.objects.values_list("state", "generation")) == [("completed", 1)] * CALLS
    place = Continuation.objects.get(job=sweep.job)
    assert (place.seen, place.taken, place.again) == (CALLS, CALLS, 0)
    assert JobDefinition.objects.get(pk=sweep.job.pk).start_requested_at is None
    steps = Entry.objects.values("record", "step").annotate(number=Count("pk")).values_list("step", "number")
    assert sorted(steps) == [("reserve", 1)] * CALLS + [("settle", 1)] * CALLS
    assert differences() == []
