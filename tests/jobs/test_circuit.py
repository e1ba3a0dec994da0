"""The circuit breaker over a real provider that fails: nothing is sent, nobody is blamed, one probe, one alert."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditEntry
from core.circuits import Window
from core.errors import Conflict
from jobs.circuits.breakers import add_counts, circuit_of, close_now, end_probe, probe_now, take_probe
from jobs.circuits.models import Circuit
from jobs.models import LogEntry, Pass, Record
from queues.models import QueueItem
from tests.jobs.pages import failing_circuit
from transcription.models import SpeechEngine
from transcription.selectors import circuit_key
from transcription.services import save_engine

pytestmark = pytest.mark.django_db
BROKEN = {"match": {"path_prefix": "/v2/transcriptions"}, "status": 503, "times": 1000}
NO_POST = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "status": 503, "times": 1000}
CALLS = 24


def requests(pipeline):
    """What the provider has been asked about transcriptions so far."""
    entries = pipeline.server.control("GET", "/_emu/journal")["entries"]
    return sum(entry["path"].startswith("/v2/transcriptions") for entry in entries if entry["method"] != "DELETE")


def circuit(pipeline):
    return circuit_of(circuit_key(pipeline.engine))


def probe_is_due(pipeline):
    Circuit.objects.update(probe_at=timezone.now() - timedelta(seconds=1))
    Record.objects.filter(state="in_progress").update(next_at=timezone.now() - timedelta(seconds=1))


def opening_lines():
    return LogEntry.objects.filter(message__contains="Nothing is sent to it until").count()


@pytest.fixture
def broken(pipeline):
    """An engine that has failed so often that its circuit is open, and the calls that wait for it."""
    pipeline.server.control("POST", "/_emu/faults", NO_POST)
    calls = [pipeline.call() for _n in range(CALLS)]
    pipeline.sweep()
    assert circuit(pipeline).state == "open"
    return calls


def test_a_failing_engine_is_asked_no_more_and_its_records_wait_without_burning_an_attempt(pipeline, broken):
    records = [pipeline.record_of(call) for call in broken]
    assert {(r.state, r.stage, r.lease_until) for r in records} == {("in_progress", "uploading", None)}
    parked = [record for record in records if record.wait == "circuit_open"]
    # Those that failed before the fifth failure could not know.
    assert sum(record.attempts for record in records) == CALLS - len(parked) < 5
    assert {record.attempts for record in parked} == {0}
    assert 5 <= sum(record.errors for record in records) < CALLS
    asked = requests(pipeline)

    later = pipeline.call()
    Record.objects.update(next_at=timezone.now())
    pipeline.sweep()

    assert requests(pipeline) == asked
    assert QueueItem.objects.filter(record_id=later.pk).exists()


def test_an_opening_raises_one_alert_and_writes_one_line_however_many_records_met_it_and_probes_fail(pipeline, broken):
    for _probe in range(3):
        probe_is_due(pipeline)
        pipeline.sweep()
    assert circuit(pipeline).tries == 3
    entry = AuditEntry.objects.get(action="speech_engine.failing")
    assert (entry.actor, entry.target_id) == ("system:pass", str(pipeline.engine.pk))
    assert opening_lines() == 1
    assert sum(Record.objects.values_list("attempts", flat=True)) < 5


def test_one_record_is_the_probe_and_a_failed_one_makes_the_pause_longer(pipeline, broken):
    before, asked = circuit(pipeline), requests(pipeline)
    probe_is_due(pipeline)
    pipeline.sweep()
    after = circuit(pipeline)
    assert requests(pipeline) == asked + 1
    assert (after.state, after.tries, after.opened_at) == ("open", 1, before.opened_at)
    assert after.probe_at > timezone.now() + timedelta(seconds=12)


def test_a_probe_that_succeeds_lets_everything_through_and_nothing_was_lost_or_sent_twice(pipeline, broken):
    pipeline.server.control("DELETE", "/_emu/faults")
    probe_is_due(pipeline)
    for record in pipeline.finish(*broken):
        assert record.state == "completed"
    assert circuit(pipeline).state == "closed"
    assert LogEntry.objects.filter(message__contains="answers again").count() == 1
    for call in broken:
        assert len([line for line in pipeline.uploads(call) if line.get("job")]) == 1


def test_checks_of_uploaded_records_wait_as_well(pipeline):
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    calls = [pipeline.call() for _n in range(9)]
    pipeline.sweep()
    pipeline.server.control("POST", "/_emu/faults", BROKEN)
    Record.objects.update(next_at=timezone.now())
    pipeline.sweep()
    records = [pipeline.record_of(call) for call in calls]
    assert {(r.stage, r.checks) for r in records} == {("checking", 0)}
    assert sum(r.attempts for r in records) < 5
    asked = requests(pipeline)
    Record.objects.update(next_at=timezone.now())
    pipeline.sweep()
    assert requests(pipeline) == asked

    pipeline.server.control("DELETE", "/_emu/faults")
    pipeline.server.control("POST", "/_emu/hold", {"hold": False})
    probe_is_due(pipeline)
    assert {record.state for record in pipeline.finish(*calls)} == {"completed"}
    assert all(len(pipeline.uploads(call)) == 1 for call in calls)


@pytest.mark.parametrize("status", [422, 429])
def test_refusals_and_throttling_are_answers_and_open_nothing(pipeline, status):
    pipeline.server.control("POST", "/_emu/faults", {**NO_POST, "status": status})
    calls = [pipeline.call() for _n in range(7)]
    pipeline.sweep()
    assert all(pipeline.record_of(call).errors == 1 for call in calls)
    assert circuit(pipeline) is None


def test_an_engine_that_works_costs_no_row(pipeline):
    pipeline.finish(pipeline.call())
    assert not Circuit.objects.exists()


def test_a_probe_without_anything_to_do_is_left_to_others(pipeline):
    failing_circuit(circuit_key(pipeline.engine), probe_at=timezone.now())
    pipeline.sweep()
    left = circuit(pipeline)
    assert (left.state, left.tries) == ("open", 0)
    (record,) = pipeline.finish(pipeline.call())
    assert record.state == "completed"
    assert circuit(pipeline).state == "closed"


def test_a_record_that_a_filter_leaves_out_is_no_probe(pipeline):
    failing_circuit(circuit_key(pipeline.engine), probe_at=timezone.now())
    left_out, good = pipeline.call(username="olga"), pipeline.call()
    records = pipeline.finish(left_out, good)
    assert [record.state for record in records] == ["skipped", "completed"]


def test_a_record_over_which_workers_died_can_be_the_probe_too(pipeline):
    failing_circuit(circuit_key(pipeline.engine))
    call = pipeline.call()
    Circuit.objects.update(state="closed")
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    pipeline.sweep()
    Record.objects.update(crashes=2)
    Circuit.objects.update(state="open")
    pipeline.server.control("POST", "/_emu/hold", {"hold": False})
    probe_is_due(pipeline)
    pipeline.finish(call)
    assert circuit(pipeline).state == "closed"


def test_of_two_workers_one_gets_the_probe_and_a_dead_one_loses_it(pipeline):
    seen = failing_circuit("transcription:1", probe_at=timezone.now())
    first = take_probe(seen, 30)
    assert first is not None
    assert take_probe(seen, 30) is None
    assert take_probe(circuit_of("transcription:1"), 30) is None

    Circuit.objects.update(probe_until=timezone.now() - timedelta(seconds=1))
    second = take_probe(circuit_of("transcription:1"), 30)
    assert second is not None
    assert end_probe(first, answered=True) is None
    assert circuit_of("transcription:1").state == "probing"
    assert end_probe(second, answered=False, reason="still").state == "open"


def test_counts_of_several_passes_add_up_and_late_ones_change_nothing():
    three = Window(timezone.now(), calls=3, failures=3)
    assert add_counts(key="k:1", window=three, reason="a")[1] is False
    circuit, opened = add_counts(key="k:1", window=three, reason="b")
    assert (opened, circuit.state, circuit.reason) == (True, "open", "b")
    again, opened = add_counts(key="k:1", window=three, reason="c")
    assert (opened, again.fence, again.reason) == (False, circuit.fence, "b")


def test_no_pass_begins_while_the_engine_rests(pipeline):
    failing_circuit(circuit_key(pipeline.engine))
    pipeline.call()
    pipeline.sweep()
    assert not Pass.objects.exists()


def test_trying_and_closing_by_hand_demand_an_open_circuit():
    for act in (probe_now, close_now):
        with pytest.raises(Conflict):
            act("k:1")
    failing_circuit("k:1")
    assert probe_now("k:1").probe_at <= timezone.now()
    assert close_now("k:1").state == "closed"
    with pytest.raises(Conflict):
        close_now("k:1")


def test_saving_an_engine_gives_it_a_fresh_start(pipeline, system):
    failing_circuit(circuit_key(pipeline.engine))
    engine = SpeechEngine.objects.get(pk=pipeline.engine.pk)
    values = {"name": "Tones", "engine_type": "native_v2", "enabled": True, "visibility": "global", "tenant": None}
    save_engine(engine=engine, values=values, settings=engine.settings, secrets={}, actor="test", audit_tenant=system)
    assert circuit(pipeline) is None
