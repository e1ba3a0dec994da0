"""A pulled plug in the middle of the demo loses nothing and doubles nothing (security R1, R4, R7, S1)."""

import signal
import time

import pytest

from tests.machine import Machine
from tests.polling import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240), pytest.mark.xdist_group("faults")]

# The demo's other job asks AI tasks: these are about transcription.
RECORDS = "(SELECT * FROM jobs_record WHERE job_id IN (SELECT id FROM jobs_jobdefinition WHERE kind = 'transcription'))"
SPOKEN = f"FROM {RECORDS} AS record"
IN_PROGRESS = f"SELECT count(*) {SPOKEN} WHERE state = 'in_progress'"
HANDLES = f"SELECT reference {SPOKEN} WHERE state = 'in_progress' AND remote IS NOT NULL"
CALLS = 24


def middle(machine: Machine) -> set[str]:
    """Wait until some handles are saved while other records are still on their way; return the saved references."""
    until(lambda: len(machine.ask(HANDLES)) >= 3, seconds=60, every=0.02)
    return {reference for (reference,) in machine.ask(HANDLES)}


def caught_in_the_act(machine: Machine) -> bool:
    """Freeze the worker; keep it frozen, and say yes, if it holds records at this moment."""
    machine.signal("worker", signal.SIGSTOP)
    if machine.ask(f"SELECT 1 {SPOKEN} WHERE state = 'in_progress' AND lease_until > now() LIMIT 1"):
        return True
    machine.signal("worker", signal.SIGCONT)
    return False


def finish(machine: Machine) -> None:
    """Let the results out and wait until every record is final."""
    machine.hold(False)
    until(lambda: total(machine) == CALLS and machine.ask(IN_PROGRESS)[0][0] == 0, seconds=120, every=0.2)


def total(machine: Machine) -> int:
    return machine.ask(f"SELECT count(*) {SPOKEN}")[0][0]


def everything_ended_exactly_once(machine: Machine, saved: set[str]) -> None:
    """Each call has one record in a final state, each completed one one transcript, no saved handle a second upload."""
    states = dict(machine.ask(f"SELECT state, count(*) {SPOKEN} GROUP BY state"))
    assert states == {"completed": 20, "skipped": 3, "failed": 1}
    endings = machine.ask(
        f"SELECT record_id FROM jobs_recordevent WHERE record_id IN (SELECT id {SPOKEN}) "
        "AND step IN ('completed', 'skipped', 'failed') GROUP BY record_id HAVING count(*) <> 1"
    )
    assert endings == []
    transcripts = 0
    for (schema,) in machine.ask("SELECT schema_name FROM tenants_tenant WHERE NOT is_system"):
        transcripts += machine.ask(f'SELECT count(*) FROM "{schema}".conversations_transcript')[0][0]
        assert machine.ask(f'SELECT 1 FROM "{schema}".conversations_transcript WHERE version > 1') == []
    assert transcripts == 20
    references = {r for (r,) in machine.ask(f"SELECT reference {SPOKEN} WHERE reference <> ''")}
    uploads = [entry for entry in machine.uploads() if entry["ref"] in references]
    for reference in references:
        jobs = {entry["job"] for entry in uploads if entry["ref"] == reference and entry.get("job")}
        assert len(jobs) == 1, f"{reference} became {len(jobs)} jobs at the provider"
    for reference in saved:
        assert sum(entry["ref"] == reference for entry in uploads) == 1, f"{reference} was uploaded again"


def test_kill_9_of_the_worker_in_mid_upload(demo):
    saved = middle(demo)
    until(lambda: caught_in_the_act(demo), seconds=60, every=0.05)
    demo.kill("worker")
    saved |= {reference for (reference,) in demo.ask(HANDLES)}
    leased = demo.ask(f"SELECT id, extract(epoch FROM lease_until) {SPOKEN} WHERE lease_until IS NOT NULL")
    fences = dict(demo.ask(f"SELECT id, fence {SPOKEN}"))
    demo.spawn("worker")
    assert leased, "the worker died with records in its hands"
    for record, lease_until in leased:
        taken_over = f"SELECT 1 FROM jobs_record WHERE id = {record} AND fence > {fences[record]}"
        until(lambda query=taken_over: demo.ask(query), seconds=40, every=0.1)
        assert time.time() - float(lease_until) <= 15
    finish(demo)
    everything_ended_exactly_once(demo, saved)


def test_a_worker_that_sleeps_past_its_lease_and_wakes_up_writes_nothing_twice(demo):
    saved = middle(demo)
    demo.signal("worker", signal.SIGSTOP)
    demo.spawn("second worker")
    taken = f"SELECT count(*) {SPOKEN} WHERE state = 'in_progress' AND lease_until < now()"
    until(lambda: demo.ask(taken)[0][0] == 0, seconds=60, every=0.2)
    demo.signal("worker", signal.SIGCONT)
    finish(demo)
    demo.kill("second worker")
    everything_ended_exactly_once(demo, saved)


def test_kill_9_of_valkey_and_all_it_held_in_memory(demo):
    saved = middle(demo)
    demo.valkey.kill()
    demo.valkey.start()
    finish(demo)
    everything_ended_exactly_once(demo, saved)


def test_an_immediate_restart_of_postgresql(demo):
    saved = middle(demo)
    demo.postgres.restart_immediate()
    finish(demo)
    everything_ended_exactly_once(demo, saved)
