"""Live work goes before backfill: a backfill yields, waits while the live lag is high, and goes on by itself."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.circuits.models import Circuit
from jobs.models import JobDefinition, LogEntry, Pass, Record
from jobs.passes.running import run_pass
from jobs.policy.lanes import held_back, live_lag
from queues.models import QueueItem
from tests.jobs.pages import failing_circuit, make_records, shown, url
from tests.jobs.sweeps import place_of, start, sweep_job, taken_by
from transcription.models import SpeechEngine

pytestmark = pytest.mark.django_db


def ago(seconds):
    return timezone.now() - timedelta(seconds=seconds)


def fresh(job, tenant, seconds, **changes):
    """A live record that is due since so many seconds."""
    return make_records(job, tenant, 1, state="in_progress", stage="new", next_at=ago(seconds), **changes)[0]


@pytest.fixture
def backfill(pipeline, system, acme):
    """A backfill of acme with one call to take in; the pipeline's job has nothing to do."""
    pipeline.call(started_at="2026-11-01T10:00:00+00:00")
    QueueItem.objects.all().delete()
    job = sweep_job(pipeline, system, access_scope="one_tenant", tenant=acme, lag_target_s=60)
    start(job, system)
    return job


def test_the_lag_is_that_of_the_oldest_due_live_record_or_pending_item_in_the_scope(pipeline, backfill, acme, globex):
    assert live_lag(backfill) == timedelta()
    fresh(pipeline.job, globex, 900)
    assert live_lag(backfill) == timedelta()
    fresh(pipeline.job, acme, 500, lane=Record.Lane.BACKFILL)
    assert live_lag(backfill) == timedelta()
    fresh(pipeline.job, acme, 100)
    fresh(pipeline.job, acme, 50)
    assert 100 <= live_lag(backfill).total_seconds() < 110
    now = timezone.now()
    QueueItem.objects.create(
        queue=pipeline.queue, tenant=acme, record_type="call", event="e", published_at=ago(300), refreshed_at=now
    )
    assert 300 <= live_lag(backfill).total_seconds() < 310
    JobDefinition.objects.filter(pk=pipeline.job.pk).update(paused_at=now)
    assert live_lag(backfill) == timedelta()


def test_above_the_target_a_backfill_waits_says_so_once_and_goes_on_by_itself(pipeline, backfill, acme, root):
    late = fresh(pipeline.job, acme, 600)
    for _number in range(3):
        assert run_pass(backfill.pk) is False
    assert taken_by(backfill) == []
    assert not Pass.objects.filter(job=backfill).exists()
    assert place_of(backfill).held_since is not None
    said = LogEntry.objects.filter(job=backfill, message__startswith="The backfill waits")
    assert said.count() == 1
    assert "10:0" in said.get().message
    page = shown(root, url("latest_run", backfill.pk))
    assert "Waiting by itself: the live lag is 10:0" in page
    assert "above its target of 1:00" in page
    Record.objects.filter(pk=late.pk).update(state="completed", stage="done")
    assert run_pass(backfill.pk) is True
    assert len(taken_by(backfill)) == 1
    assert place_of(backfill).held_since is None
    assert "Waiting by itself" not in shown(root, url("latest_run", backfill.pk))
    assert LogEntry.objects.filter(job=backfill, message__startswith="The backfill goes on").count() == 1


def test_below_the_target_it_still_yields_to_live_work_that_nobody_has_taken_up(pipeline, backfill, acme):
    waiting = fresh(pipeline.job, acme, 20)
    assert held_back(backfill)
    assert run_pass(backfill.pk) is False
    assert not LogEntry.objects.filter(job=backfill).exists()
    Record.objects.filter(pk=waiting.pk).update(next_at=timezone.now() + timedelta(seconds=30))
    assert not held_back(backfill)
    assert run_pass(backfill.pk) is True


def test_live_work_that_cannot_be_done_now_is_not_waited_for(pipeline, backfill, acme):
    fresh(pipeline.job, acme, 20)
    assert held_back(backfill)
    pipeline.job.settings = {**pipeline.job.settings, "engine": 0}
    pipeline.job.save()
    assert not held_back(backfill)


def test_live_work_at_a_paused_engine_is_waited_for_only_as_far_as_another_one_takes_it(pipeline, backfill, acme):
    paused = SpeechEngine.objects.create(name="Paused", engine_type="native_v2", paused_at=timezone.now())
    pipeline.job.settings = {"engine": pipeline.engine.pk, "fallbacks": [paused.pk]}
    pipeline.job.save()
    passed = fresh(pipeline.job, acme, 20, place=1)
    assert not held_back(backfill)
    own = fresh(pipeline.job, acme, 10)
    assert held_back(backfill)
    own.delete()
    Record.objects.filter(pk=passed.pk).update(place=0)
    pipeline.job.settings = {"engine": paused.pk, "fallbacks": [pipeline.engine.pk], "stand_in": "paused"}
    pipeline.job.save()
    assert held_back(backfill)
    Record.objects.filter(pk=passed.pk).update(stage="checking")
    assert not held_back(backfill), "the other one cannot have it"


def test_live_work_at_an_engine_whose_circuit_is_open_is_not_waited_for(pipeline, backfill, acme):
    fresh(pipeline.job, acme, 20)
    assert held_back(backfill)
    circuit = failing_circuit(f"transcription:{pipeline.engine.pk}")
    assert not held_back(backfill)
    Circuit.objects.filter(pk=circuit.pk).update(probe_at=ago(1))
    assert held_back(backfill), "a probe is due"


def test_what_is_under_way_at_the_engine_is_finished_while_a_backfill_waits(pipeline, backfill, acme):
    run_pass(backfill.pk)
    Record.objects.filter(job=backfill, state="in_progress").update(next_at=ago(1))
    begun = Record.objects.filter(job=backfill).get()
    pipeline.call(started_at="2026-11-02T10:00:00+00:00")
    QueueItem.objects.all().delete()
    fresh(pipeline.job, acme, 600)
    assert held_back(backfill)
    if begun.state == "in_progress":
        assert run_pass(backfill.pk) is True
    assert len(taken_by(backfill)) == 1


def test_a_live_job_never_waits_for_a_backfill(pipeline, backfill, acme):
    fresh(backfill, acme, 600, lane=Record.Lane.BACKFILL)
    assert not held_back(pipeline.job)
