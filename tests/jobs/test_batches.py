"""What a pass does for many records at once, and what it must not forget thereby."""

from dataclasses import replace
from unittest import mock

import pytest
from django.utils import timezone

from jobs.circuits.of_pass import Breaker
from jobs.kinds import kind_of
from jobs.models import Cleanup, LogEntry, Record
from jobs.passes import applying
from jobs.passes.changes import Limits, after
from jobs.passes.claiming import claim_due, take_from_queue
from jobs.passes.running import PassRunner
from jobs.passes.runs import begin_pass, current_run
from jobs.upkeep import cleanups
from jobs.upkeep.cleanups import run_cleanups
from jobs.verdicts import Go, StillPending

pytestmark = pytest.mark.django_db
LIMITS = Limits(max_checks=50, max_attempts=5)


@pytest.fixture
def at_the_provider(pipeline, globex, people):
    """Two claimed records of two tenants that were uploaded, with the runner of their pass."""
    calls = [pipeline.call(), pipeline.call(tenant=globex, username="stan")]
    run = current_run(pipeline.job)
    take_from_queue(pipeline.job, run, until=timezone.now(), count=10)
    Record.objects.update(stage=Record.Stage.CHECKING, remote={"id": "tr_1"}, uploads=1)
    records = claim_due(pipeline.job, run, count=10)
    assert len(records) == len(calls)
    session = kind_of(pipeline.job).session(pipeline.job.settings, pipeline.job.filters)
    return records, PassRunner(
        pipeline.job, run, begin_pass(pipeline.job, run, 15), session, Breaker(pipeline.job, session)
    )


def pending(record):
    return after(record, StillPending(1.0), limits=LIMITS, weight_s=5, jitter=0)


def test_checks_that_find_nothing_are_written_for_all_tenants_without_entering_one(at_the_provider):
    records, runner = at_the_provider
    with mock.patch.object(applying, "enter", side_effect=AssertionError):
        written = runner.writer.apply([pending(record) for record in records])

    assert len(written) == 2
    assert set(Record.objects.values_list("checks", "wait", "lease_until")) == {(1, "polling", None)}


def test_such_a_check_with_a_stale_fence_changes_nothing_and_the_others_are_written(at_the_provider):
    (first, second), runner = at_the_provider

    written = runner.writer.apply([pending(replace(first, fence=first.fence - 1)), pending(second)])

    assert [change.record.id for change in written] == [second.id]
    assert Record.objects.get(pk=first.id).checks == 0


def test_what_the_call_does_not_show_yet_is_still_due_to_be_shown_after_such_a_check(at_the_provider):
    records, runner = at_the_provider
    Record.objects.update(mark_due=True)

    runner.writer.apply([pending(record) for record in records])

    assert Record.objects.filter(mark_due=True).count() == 2


def test_a_pass_asks_again_by_the_facts_it_has_only_for_the_same_upload(at_the_provider):
    (record, other), runner = at_the_provider
    facts = Go("payload", 5.0)
    runner.judging.remember(record, facts)

    assert runner.judging.recall(record) is facts
    assert runner.judging.recall(other) is None
    assert runner.judging.recall(replace(record, generation=record.generation + 1)) is None
    assert runner.judging.recall(replace(record, stage=Record.Stage.UPLOADING)) is None
    assert runner.judging.recall(replace(record, crashes=1)) is None


def test_facts_are_forgotten_when_a_record_has_ended(at_the_provider):
    (record, _other), runner = at_the_provider
    runner.judging.remember(record, Go("payload", 5.0))
    last = replace(record, checks=LIMITS.max_checks - 1)

    runner._apply([pending(last)])

    assert Record.objects.get(pk=record.id).state == Record.State.FAILED
    assert runner.judging.known == {}


def test_clean_ups_go_on_until_nothing_is_due_and_a_failing_one_waits(pipeline, acme):
    gone = [{"id": f"tr_{number}"} for number in range(3)]
    Cleanup.objects.bulk_create(
        Cleanup(
            kind="transcription",
            settings={"engine": pipeline.engine.pk},
            tenant_id=acme.pk,
            remote=remote,
            due_at=timezone.now(),
        )
        for remote in [*gone, {"id": "bad id"}]
    )
    with mock.patch.object(cleanups, "BATCH", 1):
        removed = run_cleanups()

    assert removed + Cleanup.objects.count() == 4
    assert removed >= 3
    assert all(cleanup.due_at > timezone.now() for cleanup in Cleanup.objects.all())


def test_when_an_engine_refuses_our_settings_those_that_wait_for_their_turn_are_not_sent(pipeline):
    pipeline.engine.settings["concurrency"] = 2
    pipeline.engine.save()
    calls = [pipeline.call() for _number in range(6)]
    fault = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "status": 401, "times": 20}
    pipeline.server.control("POST", "/_emu/faults", fault)
    pipeline.sweep()
    records = [pipeline.record_of(call) for call in calls]
    assert {(r.state, r.wait, r.attempts) for r in records} == {("in_progress", "engine_paused", 0)}
    assert sum(r.errors for r in records) == 2
    assert LogEntry.objects.filter(job=pipeline.job, record__isnull=False).count() == 2
    pipeline.engine.refresh_from_db()
    assert pipeline.engine.pause_reason
