"""``kill -9`` at every named point between reserve and settle: charged once or never, nothing stays reserved (R11, R13)."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db.models.functions import Now

from jobs.actions import abort_records
from jobs.models import JobDefinition, Record
from jobs.passes.claiming import claim_due, take_from_queue
from jobs.passes.runs import current_run
from jobs.upkeep.reserved import release_orphans
from licensing.ledger import Granted, Request, reserve
from licensing.models import Account, Entry, Meter, Reservation
from licensing.reconciling import differences
from tests.databases import db  # noqa: F401 - the child sees only what is committed
from tests.jobs.conftest import Pipeline, pipeline, speech, speech_server  # noqa: F401
from tests.polling import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120), pytest.mark.xdist_group("charged once")]
CHILD = Path(__file__).with_name("crash_child.py")
ROOT = CHILD.parents[2]
LEASE_S = 2
POINTS = ["reserve", "intent", "upload", "handle saved", "check", "end saved"]
ENGINE_REFUSES = {"match": {"method": "GET", "path_prefix": "/v2/transcriptions"}, "status": 422, "times": 50}


@pytest.fixture
def work(db, pipeline: Pipeline) -> Pipeline:  # noqa: F811
    """The pipeline with a short lease, on a database that others see."""
    JobDefinition.objects.filter(pk=pipeline.job.pk).update(lease_seconds=LEASE_S)
    return pipeline


def die_at(work: Pipeline, address: str, point: str, when: str) -> None:
    """Let a worker run into its trap."""
    env = {**os.environ, "DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    env["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, str(CHILD), point, when, str(work.job.pk)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]


def go_on(work: Pipeline, call) -> Record:
    """Other workers take over; returns the record in its final state."""

    def final() -> bool:
        work.sweep()
        # What has no lease only waits for the engine; that need not be waited for here.
        Record.objects.filter(state="in_progress", lease_until=None).update(next_at=Now())
        return Record.objects.filter(record_id=call.pk).exclude(state="in_progress").exists()

    until(final, seconds=30, every=0.1)
    return work.record_of(call)


def steps_of(record: Record) -> list[str]:
    return list(Entry.objects.filter(record=record.pk).order_by("pk").values_list("step", flat=True))


def nothing_is_reserved(acme) -> bool:
    return not Account.objects.filter(tenant=acme).exclude(month_reserved=0, life_reserved=0).exists()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", [*POINTS, "settle"])
def test_a_call_that_is_transcribed_is_charged_once_wherever_the_worker_dies(work, db, acme, point, when):  # noqa: F811
    call = work.call()
    die_at(work, db, point, when)
    died = time.monotonic()
    record = go_on(work, call)
    assert record.state == "completed"
    assert steps_of(record) == ["reserve", "settle"]
    assert nothing_is_reserved(acme)
    assert time.monotonic() - died < LEASE_S + 15
    assert release_orphans() == 0
    assert differences() == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", [*POINTS, "release"])
def test_a_call_that_the_engine_refuses_is_never_charged_wherever_the_worker_dies(work, db, acme, point, when):  # noqa: F811
    work.server.control("POST", "/_emu/faults", ENGINE_REFUSES)
    call = work.call()
    die_at(work, db, point, when)
    died = time.monotonic()
    record = go_on(work, call)
    assert (record.state, record.reason) == ("failed", "engine_input")
    assert steps_of(record) == ["reserve", "release"]
    assert nothing_is_reserved(acme)
    assert time.monotonic() - died < LEASE_S + 15
    assert release_orphans() == 0
    assert differences() == []


@pytest.mark.parametrize("point", ["reserve", "upload"])
def test_a_record_that_is_aborted_after_the_worker_died_is_never_charged(work, db, acme, system, point):  # noqa: F811
    call = work.call()
    die_at(work, db, point, "after")
    assert not nothing_is_reserved(acme)
    abort_records(records=Record.objects.filter(record_id=call.pk), actor="test", audit_tenant=system)
    assert steps_of(work.record_of(call)) == ["reserve", "release"]
    assert nothing_is_reserved(acme)
    assert differences() == []


@pytest.mark.parametrize("ending", ["aborted", "deleted", "retried"])
def test_what_a_worker_reserves_for_a_record_that_was_taken_from_it_is_given_back(work, acme, people, system, ending):
    """Claimed, then aborted by somebody, and only then reserved: no end of the record will release that."""
    from jobs.actions import delete_records, retry_records

    work.call()
    run = current_run(work.job)
    take_from_queue(work.job, run, until="2999-01-01T00:00Z", count=10)
    (claimed,) = claim_due(work.job, run, count=10)
    everything = {"records": Record.objects.all(), "actor": "test", "audit_tenant": system}
    abort_records(**everything)
    if ending == "deleted":
        delete_records(**everything)
    elif ending == "retried":
        retry_records(**everything)
    wish = Request(claimed.id, claimed.generation, claimed.record_id, people.agent.pk, 60)
    outcome = reserve(tenant_id=acme.pk, meter=Meter.TRANSCRIPTION_SECONDS, requests=[wish])
    assert outcome[wish.key] == Granted()
    in_hand = None
    if ending == "retried":
        (again,) = claim_due(work.job, run, count=10)
        in_hand = Request(again.id, again.generation, again.record_id, people.agent.pk, 60)
        reserve(tenant_id=acme.pk, meter=Meter.TRANSCRIPTION_SECONDS, requests=[in_hand])

    assert release_orphans() == 1

    still_open = Reservation.objects.filter(state="open").values_list("record", "generation")
    assert list(still_open) == ([in_hand.key] if in_hand else [])
    assert release_orphans() == 0
    assert differences() == []
