"""What happens when two hands reach for one record, and when one record of a batch is bad."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.utils import timezone

from conversations.models import Transcript
from conversations.preparing import prepare_transcript
from core.errors import Conflict, InvalidInput
from core.transcripts import TranscriptData
from jobs.actions import abort_records, delete_records, retry_records
from jobs.kinds import kind_of
from jobs.models import Cleanup, JobDefinition, Pass, Record
from jobs.passes.applying import ChangeWriter
from jobs.passes.changes import Limits, after
from jobs.passes.claiming import claim_due, take_from_queue
from jobs.passes.running import run_pass
from jobs.passes.runs import current_run
from jobs.services import delete_job, save_job, set_enabled
from jobs.upkeep.cleanups import run_cleanups
from jobs.upkeep.holding import wake_resumed
from jobs.upkeep.marks import show_marks
from jobs.verdicts import Finished, Submitted
from queues.services import save_queue
from tenants.doors import enter
from tenants.models import Tenant
from tests.jobs.conftest import job_values
from transcription.models import SpeechEngine
from transcription.services import save_engine

pytestmark = pytest.mark.django_db
LIMITS = Limits(max_checks=50, max_attempts=5)


@pytest.fixture
def claimed(pipeline):
    """A record that a pass has claimed, with the writer of that pass."""
    from django.utils import timezone

    call = pipeline.call()
    run = current_run(pipeline.job)
    take_from_queue(pipeline.job, run, until=timezone.now(), count=10)
    (record,) = claim_due(pipeline.job, run, count=10)
    session = kind_of(pipeline.job).session(pipeline.job.settings, pipeline.job.filters)
    return call, record, ChangeWriter(pipeline.job, run, session)


def outcome(record, result):
    return after(record, result, limits=LIMITS, weight_s=5, jitter=0)


def a_transcript() -> Finished:
    return Finished(prepare_transcript(TranscriptData("en-US", 5000, "m", ()), 5000))


def test_a_result_with_a_stale_fence_changes_nothing_and_one_with_the_right_fence_is_stored(claimed, acme):
    call, record, writer = claimed
    stale = replace(record, fence=record.fence - 1)

    assert writer.apply([outcome(stale, a_transcript())]) == []
    with enter(acme):
        assert not Transcript.objects.exists()
    assert Record.objects.get(pk=record.id).state == Record.State.IN_PROGRESS

    assert len(writer.apply([outcome(record, a_transcript())])) == 1
    with enter(acme):
        assert Transcript.objects.get().call_id == call.pk
    assert writer.apply([outcome(record, a_transcript())]) == []


@pytest.mark.parametrize("what", ["abort", "abort and retry", "abort and delete"])
def test_an_upload_that_nobody_waits_for_any_more_is_deleted_at_the_provider(claimed, system, what):
    _call, record, writer = claimed
    rows = Record.objects.filter(pk=record.id)
    abort_records(records=rows, actor="test", audit_tenant=system)
    if what == "abort and retry":
        retry_records(records=rows, actor="test", audit_tenant=system)
    if what == "abort and delete":
        delete_records(records=rows, actor="test", audit_tenant=system)

    writer.apply([outcome(record, Submitted({"id": "tr_late", "engine": 1}))])

    assert [cleanup.remote["id"] for cleanup in Cleanup.objects.all()] == ["tr_late"]


def test_an_upload_whose_record_was_taken_over_under_the_same_reference_is_left_to_the_new_holder(claimed):
    _call, record, writer = claimed
    Record.objects.filter(pk=record.id).update(fence=record.fence + 1, reference="parlance-1")

    writer.apply([outcome(replace(record, reference="parlance-1"), Submitted({"id": "tr_same", "engine": 1}))])

    assert not Cleanup.objects.exists()


def test_a_paid_result_of_a_suspended_tenant_is_kept_until_the_tenant_is_back(pipeline, acme):
    call = pipeline.call()
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    pipeline.sweep()
    Tenant.objects.filter(pk=acme.pk).update(state="suspended")
    pipeline.server.control("POST", "/_emu/hold", {"hold": False})
    Record.objects.update(next_at="2020-01-01T00:00Z")
    pipeline.sweep()
    record = pipeline.record_of(call)
    assert (record.state, record.wait) == ("in_progress", "tenant")
    assert record.remote is not None
    assert not Cleanup.objects.exists()

    assert record.next_at > timezone.now() + timedelta(minutes=1)
    assert wake_resumed() == 0
    Tenant.objects.filter(pk=acme.pk).update(state="ready")
    assert wake_resumed() == 1
    assert pipeline.record_of(call).next_at <= timezone.now()
    (record,) = pipeline.finish(call)

    assert record.state == Record.State.COMPLETED
    assert len(pipeline.uploads(call)) == 1


@pytest.mark.parametrize("state", ["closed", "deleted"])
def test_what_is_at_the_provider_for_a_tenant_that_never_comes_back_ends_and_is_deleted_there(pipeline, acme, state):
    call = pipeline.call()
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    pipeline.sweep()
    remote = pipeline.record_of(call).remote
    assert remote is not None
    Tenant.objects.filter(pk=acme.pk).update(state=state)
    Record.objects.update(next_at="2020-01-01T00:00Z")

    pipeline.sweep()

    record = pipeline.record_of(call)
    assert (record.state, record.reason, record.remote) == ("skipped", "tenant_disabled", None)
    assert Cleanup.objects.get().remote == remote


def test_one_record_that_cannot_be_loaded_spares_the_others_of_its_batch(pipeline, acme, globex, people):
    from licensing.models import Bundle
    from licensing.services import grant

    grant(user=people.stranger, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    healthy, poisoned = pipeline.call(), pipeline.call(tenant=globex, username="stan")
    Tenant.objects.filter(pk=globex.pk).update(wrapped_data_key=b"not a key at all")

    (record,) = pipeline.finish(healthy)

    assert record.state == Record.State.COMPLETED
    bad = pipeline.record_of(poisoned)
    assert (bad.state, bad.wait, bad.attempts >= 1) == ("in_progress", "backoff", True)
    assert "could not be loaded" in bad.last_error
    assert not Pass.objects.filter(state="crashed").exists()


def test_one_result_that_cannot_be_stored_spares_the_others_of_its_batch(pipeline, claimed, acme):
    _call, record, writer = claimed
    broken = Finished(object())
    other = pipeline.call()
    from django.utils import timezone

    take_from_queue(pipeline.job, writer.run, until=timezone.now(), count=10)
    (second,) = claim_due(pipeline.job, writer.run, count=10)

    written = writer.apply([outcome(record, broken), outcome(second, a_transcript())])

    assert len(written) == 2
    assert pipeline.record_of(other).state == Record.State.COMPLETED
    bad = Record.objects.get(pk=record.id)
    assert (bad.state, bad.attempts) == ("in_progress", 1)


def test_a_record_at_hand_at_two_deaths_is_claimed_alone(pipeline):
    from django.utils import timezone

    calls = [pipeline.call() for _number in range(3)]
    run = current_run(pipeline.job)
    take_from_queue(pipeline.job, run, until=timezone.now(), count=10)
    Record.objects.filter(record_id=calls[0].pk).update(crashes=1, lease_until="2020-01-01T00:00Z")

    assert {r.record_id for r in claim_due(pipeline.job, run, count=10)} == {calls[1].pk, calls[2].pk}
    (suspect,) = claim_due(pipeline.job, run, count=10, suspects=True)
    assert (suspect.record_id, suspect.crashes) == (calls[0].pk, 2)


def test_a_jobs_new_engine_does_not_meet_the_handles_of_the_old_one(pipeline, system):
    call = pipeline.call()
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    pipeline.sweep()
    old = pipeline.record_of(call).remote
    other = save_engine(
        engine=None,
        values={"name": "Other", "engine_type": "native_v2", "enabled": True, "visibility": "global", "tenant": None},
        settings={"server_address": pipeline.server.url},
        secrets={"token": "test-token-not-secret"},
        actor="test",
        audit_tenant=system,
    )
    JobDefinition.objects.filter(pk=pipeline.job.pk).update(settings={"engine": other.pk})
    pipeline.server.control("POST", "/_emu/hold", {"hold": False})

    (record,) = pipeline.finish(call, seconds=40)

    assert record.state == Record.State.COMPLETED
    cleanups = {(cleanup.settings["engine"], cleanup.remote["id"]) for cleanup in Cleanup.objects.all()}
    assert (pipeline.engine.pk, old["id"]) in cleanups
    assert len(cleanups) == 2


def test_after_refused_credentials_nothing_more_is_taken_in(pipeline):
    pipeline.job.batch_size = 1
    pipeline.job.save()
    calls = [pipeline.call() for _number in range(4)]
    fault = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "status": 401, "times": 20}
    pipeline.server.control("POST", "/_emu/faults", fault)
    before = len(pipeline.server.control("GET", "/_emu/journal")["entries"])
    pipeline.sweep()
    assert len(pipeline.server.control("GET", "/_emu/journal")["entries"]) == before + 1
    assert SpeechEngine.objects.get(pk=pipeline.engine.pk).paused_at is not None
    assert run_pass(pipeline.job.pk) is False
    assert len(calls) == 4


def test_remote_jobs_of_a_paused_engine_are_still_deleted(pipeline):
    call = pipeline.call()
    pipeline.finish(call)
    SpeechEngine.objects.update(paused_at="2020-01-01T00:00Z", enabled=False)
    assert run_cleanups() == 1


def test_stopping_a_job_aborts_its_records_and_only_then_can_it_be_deleted(pipeline, system):
    call = pipeline.call()
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    pipeline.sweep()
    arguments = {"job": pipeline.job, "actor": "test", "audit_tenant": system}
    with pytest.raises(Conflict):
        delete_job(**arguments)
    set_enabled(**arguments, enabled=False)
    assert pipeline.record_of(call).state == Record.State.ABORTED
    with pytest.raises(Conflict):
        set_enabled(**arguments, enabled=False)
    with pytest.raises(Conflict, match="do not show yet"):
        delete_job(**arguments)
    show_marks()
    delete_job(**arguments)
    assert not JobDefinition.objects.exists()
    assert Cleanup.objects.count() == 1


def test_a_queue_has_one_reader(pipeline, system):
    values = job_values(pipeline.engine, pipeline.queue, name="Second")
    arguments = {"tenant_groups": [], "publish_to": [], "actor": "test", "audit_tenant": system}
    with pytest.raises(InvalidInput) as refused:
        save_job(job=None, values=values, **arguments)
    assert refused.value.field == "source_queue"
    own = save_queue(
        queue=None,
        values={
            "name": "Own",
            "enabled": True,
            "scope": "global",
            "tenant": None,
            "record_type": "call",
            "events": ["call.created"],
            "replicate": False,
        },
        tenant_groups=[],
        actor="test",
        audit_tenant=system,
    )
    assert save_job(job=None, values={**values, "source_queue": own}, **arguments).pk


def test_deleting_by_a_filter_on_the_state_deletes_what_matched(pipeline, system):
    calls = [pipeline.call(username="olga") for _number in range(2)]
    pipeline.finish(*calls)
    matching = Record.objects.filter(job=pipeline.job, state="skipped")
    assert delete_records(records=matching, actor="test", audit_tenant=system) == 2
    assert not Record.objects.exists()


def test_the_database_refuses_a_move_out_of_a_final_state_without_a_new_generation(pipeline):
    call = pipeline.call(username="olga")
    (record,) = pipeline.finish(call)
    with pytest.raises(DatabaseError):
        Record.objects.filter(pk=record.pk).update(state="completed")
