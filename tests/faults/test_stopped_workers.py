"""A worker that is asked to stop gives back what it holds: nothing waits for a lease, nothing is uploaded twice (R4, R7)."""

import signal
from collections.abc import Iterator

import pytest

from tests.faults.conftest import load_demo
from tests.faults.test_pulled_plugs import SPOKEN, everything_ended_exactly_once, finish, middle
from tests.machine import Machine
from tests.polling import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240), pytest.mark.xdist_group("faults")]

WORKERS = "SELECT pid FROM jobs_worker WHERE state = 'running' AND heartbeat_at > now() - interval '10 seconds'"
BUSY = """
SELECT w.pid FROM jobs_pass p JOIN jobs_worker w ON w.id = p.worker_id JOIN jobs_jobdefinition j ON j.id = p.job_id
WHERE j.kind = 'transcription' AND p.state = 'running'
    AND (SELECT count(*) FROM jobs_record WHERE lease_until > now() AND stage = 'uploading') > 5
"""
GIVEN_BACK = "SELECT DISTINCT record_id FROM jobs_recordevent WHERE step = 'given back'"
# The set-up kills a worker, and so do tests before it: only passes of workers that live since then count.
CRASHED = """
SELECT p.id FROM jobs_pass p JOIN jobs_worker w ON w.id = p.worker_id
WHERE p.state = 'crashed' AND w.pid = ANY(%s)
"""
UNTOUCHED = f"""
SELECT id {SPOKEN} WHERE id IN ({GIVEN_BACK}) AND lease_until IS NULL AND remote IS NULL
    AND state = 'in_progress' AND wait = ''
"""


def pids_of(machine: Machine) -> list[int]:
    return [machine.children[name].pid for name in ("worker", "second worker")]


@pytest.fixture
def two_workers(machine, request) -> Iterator[Machine]:
    """Two workers with the grace of the test, both known by their heartbeats, and all demo calls at once for them."""
    machine.kill("worker")
    load_demo(machine)
    machine.ask("UPDATE queues_processingqueue SET paused = true RETURNING id")
    machine.env["PARLANCE_WORKER_GRACE_S"] = request.param
    for name in ("worker", "second worker"):
        machine.spawn(name)
    until(lambda: {pid for (pid,) in machine.ask(WORKERS)} >= set(pids_of(machine)), seconds=60, every=0.2)
    machine.ask("UPDATE queues_processingqueue SET paused = false RETURNING id")
    yield machine
    machine.env.pop("PARLANCE_WORKER_GRACE_S")
    for name in ("worker", "second worker"):
        if machine.children[name].poll() is None:
            machine.kill(name)
    machine.spawn("worker")


@pytest.mark.parametrize("two_workers", ["8", "0"], indirect=True, ids=["finishes uploads", "cancels uploads"])
def test_sigterm_in_mid_upload_hands_the_work_to_another_worker_at_once(two_workers):
    machine = two_workers
    saved = middle(machine)
    until(lambda: machine.ask(BUSY), seconds=60, every=0.02)
    pid = machine.ask(BUSY)[0][0]
    worker = next(child for child in machine.children.values() if child.pid == pid)
    worker.send_signal(signal.SIGTERM)

    assert worker.wait(20) == 0
    assert machine.ask("SELECT state FROM jobs_worker WHERE pid = %s", pid) == [("stopped",)]
    # With time to finish, all that was in hand may have been sent.
    if machine.env["PARLANCE_WORKER_GRACE_S"] == "0":
        assert machine.ask(GIVEN_BACK), "something was in hand that had not been sent"
    # Sooner than any lease would end.
    until(lambda: not machine.ask(UNTOUCHED), seconds=6, every=0.1)

    assert machine.ask(f"SELECT id {SPOKEN} WHERE crashes > 0") == []
    finish(machine)
    assert machine.ask(CRASHED, pids_of(machine)) == []
    everything_ended_exactly_once(machine, saved)


@pytest.mark.parametrize("two_workers", ["8"], indirect=True)
def test_a_worker_that_is_asked_to_stop_in_the_database_gives_back_and_ends(two_workers):
    machine = two_workers
    saved = middle(machine)
    pid = machine.children["worker"].pid
    machine.ask("UPDATE jobs_worker SET stop_requested_at = now() WHERE pid = %s RETURNING id", pid)
    assert machine.children["worker"].wait(30) == 0
    assert machine.ask("SELECT state FROM jobs_worker WHERE pid = %s", pid) == [("stopped",)]
    finish(machine)
    assert machine.ask(CRASHED, pids_of(machine)) == []
    everything_ended_exactly_once(machine, saved)
