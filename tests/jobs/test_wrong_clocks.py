"""A worker whose clock is wrong holds up nobody: what others wait for is told by the clock of the database (security §2)."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from core.circuits import Window
from jobs.circuits.breakers import add_counts, circuit_of, end_probe, probe_now, take_probe
from jobs.models import Cleanup, Pass
from jobs.passes.runs import beat, begin_pass, current_run
from jobs.selectors import cleanups_due, jobs_with_work
from jobs.upkeep.cleanups import run_cleanups
from tests.jobs.conftest import Pipeline

OFF = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=40)]
LEASE_S = 5
right = timezone.now


@pytest.fixture(params=OFF, ids=str)
def wrong(request, monkeypatch):
    """The clock of this process is off; the parameter's amount."""
    monkeypatch.setattr(timezone, "now", lambda: right() + request.param)


def in_seconds(moment) -> float:
    """How far ahead a moment is, by the clock of the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM %s - statement_timestamp())", [moment])
        return float(cursor.fetchone()[0])


def test_a_pass_is_alive_for_its_lease_whatever_its_worker_takes_for_the_time(wrong, job):
    run = current_run(job)
    sweep = begin_pass(job, run, LEASE_S)
    assert 0 < in_seconds(sweep.heartbeat_until) <= LEASE_S
    assert begin_pass(job, run, LEASE_S) is None, "the first one lives"
    assert beat(sweep, LEASE_S)
    sweep.refresh_from_db()
    assert 0 < in_seconds(sweep.heartbeat_until) <= LEASE_S


def test_a_pass_that_died_is_found_whatever_the_finder_takes_for_the_time(wrong, job):
    run = current_run(job)
    dead = begin_pass(job, run, LEASE_S)
    Pass.objects.filter(pk=dead.pk).update(heartbeat_until=right() - timedelta(seconds=1))
    assert begin_pass(job, run, LEASE_S) is not None
    dead.refresh_from_db()
    assert dead.state == Pass.State.CRASHED


def test_work_and_clean_ups_that_are_due_are_seen_and_done(wrong, pipeline: Pipeline):
    call = pipeline.call()
    assert jobs_with_work() == [pipeline.job.pk]
    (record,) = pipeline.finish(call)
    assert record.state == "completed"
    assert cleanups_due()
    assert run_cleanups() == 1


def test_a_clean_up_that_failed_is_tried_again_in_seconds(wrong, pipeline: Pipeline):
    pipeline.finish(pipeline.call())
    pipeline.server.control("POST", "/_emu/faults", {"match": {"method": "DELETE"}, "status": 500})
    run_cleanups()
    assert 0 < in_seconds(Cleanup.objects.get().due_at) <= 5


def test_an_engine_that_fails_is_probed_after_its_pause(wrong, job):
    _circuit, opened = add_counts(key="transcription:1", window=Window(timezone.now(), 5, 5), reason="it fails")
    assert opened
    assert 0 < in_seconds(circuit_of("transcription:1").probe_at) <= 10
    probe_now("transcription:1")
    probe = take_probe(circuit_of("transcription:1"), LEASE_S)
    assert 0 < in_seconds(probe.probe_until) <= LEASE_S
    assert 0 < in_seconds(end_probe(probe, answered=False, reason="still").probe_at) <= 20
