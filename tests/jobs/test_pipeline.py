"""The life of a record through a real speech server: how each kind of call ends, and why."""

from datetime import timedelta

import pytest
from django.utils import timezone

from conversations.codec import unpack
from conversations.models import Call, Transcript
from jobs.actions import abort_records, retry_records
from jobs.models import Cleanup, LogEntry, Pass, Record, Run
from jobs.passes.running import run_pass
from jobs.upkeep.cleanups import run_cleanups
from jobs.upkeep.marks import show_marks
from jobs.upkeep.pruning import prune
from licensing.models import Bundle
from licensing.services import grant
from queues.models import QueueItem
from tenants.doors import enter
from tests.jobs.conftest import AGENT_WORDS, CUSTOMER_WORDS
from tests.licensing.conftest import revoke

pytestmark = pytest.mark.django_db


def test_a_licensed_call_becomes_a_transcript_with_both_channels_and_others_end_with_their_reason(pipeline, acme):
    good = pipeline.call()
    unlicensed = pipeline.call(username="olga")
    short = pipeline.call(seconds=1, audio=short_call())
    silent = pipeline.call(audio=False)
    broken = pipeline.call(audio=broken_wav())

    records = pipeline.finish(good, unlicensed, short, silent, broken)

    assert [(r.state, r.reason) for r in records] == [
        ("completed", ""),
        ("skipped", "no_license"),
        ("skipped", "filtered:call.duration"),
        ("skipped", "no_audio"),
        ("failed", "unsupported_audio"),
    ]
    with enter(acme):
        shown = {c.external_id: (c.transcription_state, c.transcription_reason) for c in Call.objects.all()}
        transcript = Transcript.objects.get(call_id=good.pk)
        segments = unpack(bytes(transcript.body), transcript.text).segments
    # Judged against the picture of the recording, whose two channels have sound where the words are.
    assert transcript.health_score is not None
    assert transcript.health_score >= 80
    assert transcript.health_flags == []
    assert shown[good.external_id] == ("completed", "")
    assert shown[unlicensed.external_id] == ("skipped", "no_license")
    said = {channel: " ".join(s.text.lower() for s in segments if s.channel == channel) for channel in (0, 1)}
    assert all(word in said[0] for word in AGENT_WORDS)
    assert all(word in said[1] for word in CUSTOMER_WORDS)
    run = Run.objects.get(job=pipeline.job)
    assert (run.taken, run.uploaded, run.completed, run.skipped, run.failed) == (5, 1, 1, 3, 1)
    assert QueueItem.objects.count() == 0


def test_the_remote_job_is_deleted_after_its_result_was_stored(pipeline):
    call = pipeline.call()
    pipeline.finish(call)
    (cleanup,) = Cleanup.objects.all()
    assert pipeline.server.call("GET", f"/v2/transcriptions/{cleanup.remote['id']}").status == 200

    assert run_cleanups() == 1

    assert pipeline.server.call("GET", f"/v2/transcriptions/{cleanup.remote['id']}").status == 404
    assert not Cleanup.objects.exists()


def test_entitlement_is_judged_once_so_a_licence_taken_away_later_does_not_orphan_the_paid_job(pipeline, people):
    call = pipeline.call()
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    pipeline.sweep()
    assert pipeline.record_of(call).stage == Record.Stage.CHECKING
    revoke(people.agent, editor=people.platform_admin)
    pipeline.server.control("POST", "/_emu/hold", {"hold": False})

    (record,) = pipeline.finish(call)

    assert record.state == Record.State.COMPLETED
    assert len(pipeline.uploads(call)) == 1
    assert record.uploads == 1
    assert record.retries == record.checks + 1
    assert record.max_retries == 51


def test_no_result_within_the_checks_fails_the_record_and_deletes_the_remote_job(pipeline):
    pipeline.job.max_checks = 1
    pipeline.job.save()
    call = pipeline.call()
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})

    (record,) = pipeline.finish(call)

    assert (record.state, record.reason, record.checks) == ("failed", "checks_exhausted", 1)
    assert Cleanup.objects.count() == 1


def test_a_server_error_is_tried_again_and_the_recovery_is_counted(pipeline):
    call = pipeline.call()
    fault = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "status": 503, "times": 1}
    pipeline.server.control("POST", "/_emu/faults", fault)

    (record,) = pipeline.finish(call)

    assert (record.state, record.attempts, record.errors) == ("completed", 1, 1)
    run = Run.objects.get(job=pipeline.job)
    assert (run.recovered, run.recovered_by_guide) == (1, 1)
    assert len(record.check_times) == record.checks
    assert LogEntry.objects.filter(record=record, severity="warning", message__contains="503").exists()


def test_a_reply_that_was_lost_after_the_upload_makes_no_second_job_at_the_provider(pipeline):
    call = pipeline.call()
    lost = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "accept_then_drop": True, "times": 1}
    pipeline.server.control("POST", "/_emu/faults", lost)

    (record,) = pipeline.finish(call)

    assert record.state == Record.State.COMPLETED
    tries = pipeline.uploads(call)
    assert len(tries) == 2
    assert len({line["job"] for line in tries if line.get("job")}) == 1


def test_refused_credentials_pause_the_engine_once_and_the_records_wait(pipeline):
    calls = [pipeline.call() for _ in range(3)]
    fault = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "status": 401, "times": 3}
    pipeline.server.control("POST", "/_emu/faults", fault)
    pipeline.sweep()

    records = [pipeline.record_of(call) for call in calls]
    pipeline.engine.refresh_from_db()

    assert {(r.state, r.wait) for r in records} == {("in_progress", "engine_paused")}
    assert pipeline.engine.paused_at is not None
    assert run_pass(pipeline.job.pk) is False
    assert LogEntry.objects.filter(message__contains="paused").count() == 1


def test_an_aborted_record_stays_aborted_shows_it_on_the_call_and_its_remote_job_is_deleted(pipeline, acme, system):
    call = pipeline.call()
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    pipeline.sweep()
    stale = pipeline.record_of(call)
    assert abort_records(records=Record.objects.filter(pk=stale.pk), actor="test", audit_tenant=system) == 1
    pipeline.server.control("POST", "/_emu/hold", {"hold": False})

    pipeline.sweep()

    record = pipeline.record_of(call)
    assert (record.state, record.reason) == ("aborted", "aborted")
    assert Cleanup.objects.filter(remote__id=stale.remote["id"]).count() == 1
    assert show_marks() == 1
    with enter(acme):
        assert not Transcript.objects.exists()
        assert Call.objects.get(pk=call.pk).transcription_state == "aborted"


def test_only_a_persons_retry_leads_back_and_starts_a_new_generation(pipeline, people, system):
    call = pipeline.call(username="olga")
    (record,) = pipeline.finish(call)
    assert (record.state, record.reason, record.generation) == ("skipped", "no_license", 1)
    grant(user=people.other_agent, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    pipeline.sweep()
    assert pipeline.record_of(call).state == "skipped"

    assert retry_records(records=Record.objects.filter(pk=record.pk), actor="ada@acme", audit_tenant=system) == 1
    (record,) = pipeline.finish(call)

    assert (record.state, record.generation) == ("completed", 2)
    assert list(record.events.order_by("pk").values_list("generation", "step")) == [
        (1, "skipped"),
        (2, "retried"),
        (2, "uploaded"),
        (2, "completed"),
    ]


def test_a_record_whose_workers_died_three_times_is_set_aside_and_the_rest_goes_on(pipeline):
    poison, healthy = pipeline.call(), pipeline.call()
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    pipeline.sweep()
    past = timezone.now() - timedelta(seconds=1)
    Record.objects.filter(record_id=poison.pk).update(crashes=2, lease_until=past, next_at=past)
    Record.objects.filter(record_id=healthy.pk).update(crashes=1, lease_until=past, next_at=past)
    pipeline.server.control("POST", "/_emu/hold", {"hold": False})

    first, second = pipeline.finish(poison, healthy)

    assert (first.state, first.reason) == ("failed", "crashed")
    assert second.state == "completed"


def test_a_pass_whose_worker_died_is_marked_and_does_not_block_the_next(pipeline):
    pipeline.sweep()
    Pass.objects.update(state="running", heartbeat_until=timezone.now() + timedelta(seconds=60), ended_at=None)
    assert run_pass(pipeline.job.pk) is False
    Pass.objects.update(heartbeat_until=timezone.now() - timedelta(seconds=1))

    assert run_pass(pipeline.job.pk) is True

    assert list(Pass.objects.order_by("pk").values_list("state", flat=True)) == ["crashed", "finished"]


def test_old_passes_and_log_lines_are_pruned_and_the_last_pass_of_each_run_stays(pipeline):
    for _pass in range(3):
        pipeline.sweep()
    (run,) = Run.objects.all()
    Pass.objects.update(ended_at=timezone.now() - timedelta(days=3))
    fresh, old = timezone.now(), timezone.now() - timedelta(days=61)
    for at in (fresh, old):
        LogEntry.objects.create(job=pipeline.job, run=run, at=at, severity="info", message="x")
    newest = Pass.objects.latest("pk")

    assert prune() == 3

    assert list(Pass.objects.all()) == [newest]
    assert [entry.at for entry in LogEntry.objects.all()] == [fresh]


def short_call() -> bytes:
    """One second and a bit: shorter than the filter of the job."""
    from speechserver.tones import tone_wav

    return tone_wav([[(100, "yes")], [(600, "no")]], duration_ms=1200)


def broken_wav() -> bytes:
    """A WAV that claims ten seconds and holds a tenth of one."""
    from tests.jobs.conftest import two_channels

    return two_channels(10)[:3000]
