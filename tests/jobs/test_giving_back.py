"""Leases given back: a pass that is stopped finishes what it sent, lets go of the rest, and accuses nobody."""

import os
import signal
import threading

import pytest
from django.conf import settings
from django.utils import timezone

import jobs.passes.running
import jobs.workers.stopping
from jobs.models import Pass, Record, RecordEvent
from jobs.passes.claiming import claim_due, give_back, take_from_queue
from jobs.passes.runs import begin_pass, current_run, end_pass, leave_slot

pytestmark = pytest.mark.django_db
SLOW = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "delay_ms": 2000, "times": 40}
CALLS = 9


@pytest.fixture
def calls(pipeline):
    """More calls than the engine takes at once, uploaded slowly, results held back."""
    pipeline.server.control("POST", "/_emu/faults", SLOW)
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    return [pipeline.call() for _n in range(CALLS)]


def stopped_pass(pipeline, monkeypatch, grace):
    """A pass whose worker is asked to stop as soon as the first upload is under way."""
    monkeypatch.setattr(settings, "WORKER_GRACE_S", grace)
    with monkeypatch.context() as asked:
        under_way = Record.objects.filter(stage="uploading")
        asked.setattr(jobs.passes.running, "stopping", under_way.exists)
        pipeline.sweep()


@pytest.mark.parametrize("grace", [8.0, 0.0])
def test_a_stopped_pass_finishes_what_it_sent_within_the_grace_and_gives_back_the_rest(
    pipeline, calls, monkeypatch, grace
):
    stopped_pass(pipeline, monkeypatch, grace)

    records = [pipeline.record_of(call) for call in calls]
    sent = [record for record in records if record.remote is not None]
    back = [record for record in records if record.remote is None]
    assert len(sent) == (pipeline.engine.settings["concurrency"] if grace else 0)
    assert {(r.lease_until, r.crashes, r.stage, r.wait) for r in back} == {(None, 0, "uploading", "")}
    assert all(record.reference and record.next_at <= timezone.now() for record in back)
    told = RecordEvent.objects.filter(step="given back").values_list("record_id", "detail")
    assert dict(told) == {record.pk: "The worker was stopped" for record in back}
    assert [(sweep.state, sweep.in_hand) for sweep in Pass.objects.all()] == [("finished", 0)]

    pipeline.server.control("DELETE", "/_emu/faults")
    pipeline.server.control("POST", "/_emu/hold", {"hold": False})
    pipeline.finish(*calls)
    for call in calls:
        record = pipeline.record_of(call)
        assert (record.state, record.attempts, record.generation) == ("completed", 0, 1)
        jobs_made = {line["job"] for line in pipeline.uploads(call) if line.get("job")}
        assert len(jobs_made) == 1


def test_what_was_given_back_is_void_for_the_one_who_gave_it_and_counts_no_crash(pipeline):
    pipeline.call()
    run = current_run(pipeline.job)
    take_from_queue(pipeline.job, run, until=timezone.now(), count=10)
    (held,) = claim_due(pipeline.job, run, count=10)
    assert give_back([held], "because") == 1
    assert give_back([held], "because") == 0
    (again,) = claim_due(pipeline.job, run, count=10)
    assert (again.id, again.crashes, again.fence) == (held.id, 0, held.fence + 2)


def test_the_slot_of_a_stopping_pass_is_free_for_another_worker_and_both_end(pipeline):
    run = current_run(pipeline.job)
    first = begin_pass(pipeline.job, run, 30)
    assert begin_pass(pipeline.job, run, 30) is None
    leave_slot(first)
    second = begin_pass(pipeline.job, run, 30)
    assert second is not None
    for sweep in (first, second):
        end_pass(sweep, Pass.State.FINISHED)
    assert set(Pass.objects.values_list("state", flat=True)) == {"finished"}


def test_a_worker_that_is_to_stop_begins_no_pass(pipeline, monkeypatch):
    pipeline.call()
    monkeypatch.setattr(jobs.passes.running, "stopping", lambda: True)
    pipeline.sweep()
    assert not Pass.objects.exists()


def test_sigterm_to_a_process_at_work_is_understood_and_not_died_of(monkeypatch):
    monkeypatch.setattr(jobs.workers.stopping, "_told", threading.Event())
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append("after"))
    try:
        with jobs.workers.stopping.heeding_sigterm():
            assert not jobs.workers.stopping.stopping()
            os.kill(os.getpid(), signal.SIGTERM)
            assert jobs.workers.stopping.stopping()
        assert heard == []
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard == ["after"]
    finally:
        signal.signal(signal.SIGTERM, before)
