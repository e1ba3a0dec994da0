"""The data sources that sweep: each takes what it must and nothing twice, killed or not, and says when it stops."""

import pytest
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from conversations.models import Call
from core.errors import Conflict, InvalidInput
from jobs.models import Continuation, JobDefinition, LogEntry, Record
from jobs.passes.running import run_pass
from jobs.passes.runs import current_run
from jobs.selectors import jobs_with_work
from jobs.services import clone_job, pause_job, request_due_starts, resume_job, save_job, set_enabled, start_job
from jobs.sweeps import sweeping
from tenants.doors import enter
from tenants.models import Tenant
from tests.jobs.conftest import job_values
from tests.jobs.sweeps import claimed_by, end_all, place_of, slices, start, sweep_job, taken_by
from tests.polling import until

pytestmark = pytest.mark.django_db


@pytest.fixture
def calls(pipeline, acme, globex):
    """Five calls of acme and two of globex, stored in another order than they began."""
    days = [3, 1, 2, 2, 5]
    mine = [pipeline.call(started_at=f"2026-11-0{day}T10:00:00+00:00", seconds=5) for day in days]
    return mine + [pipeline.call(tenant=globex, username="", started_at="2026-11-04T10:00:00+00:00") for _n in range(2)]


def at(job, state):
    assert place_of(job).state == state
    return True


@pytest.mark.parametrize("count", [1, 2, 100])
def test_full_mode_takes_every_conversation_of_the_scope_once_in_slices_of_any_size(pipeline, calls, system, count):
    job = sweep_job(pipeline, system)
    start(job, system)
    assert slices(job, count=count) == 7
    assert sorted(taken_by(job)) == sorted(call.pk for call in calls)
    assert at(job, "done")
    place = place_of(job)
    assert (place.seen, place.taken, place.again) == (7, 7, 0)
    assert place.tenants == Tenant.objects.count()
    assert set(Record.objects.filter(job=job).values_list("lane", flat=True)) == {Record.Lane.BACKFILL}
    job.refresh_from_db()
    assert job.start_requested_at is None
    assert slices(job) == 0


def test_a_sweep_goes_through_a_pass_to_the_transcript(pipeline, calls, system):
    JobDefinition.objects.filter(pk=pipeline.job.pk).update(enabled=False)
    job = sweep_job(pipeline, system)
    start(job, system)

    def ended():
        run_pass(job.pk)
        return at(job, "done") if place_of(job).state == "done" and not open_records(job) else False

    until(ended, seconds=40, every=0.2)
    states = dict(Record.objects.filter(job=job).values_list("record_id", "state"))
    assert [states[call.pk] for call in calls[:5]] == ["completed"] * 5


def open_records(job):
    return Record.objects.filter(job=job, state="in_progress").exists()


def test_a_sweep_keeps_to_the_scope_and_to_the_days_of_its_filter(pipeline, calls, system, acme):
    days = {"field": "call.start_day", "op": "between", "value": ["2026-11-02", "2026-11-03"]}
    job = sweep_job(pipeline, system, access_scope="one_tenant", tenant=acme, filters=[days])
    start(job, system)
    assert slices(job) == 3
    assert set(taken_by(job)) == {calls[0].pk, calls[2].pk, calls[3].pk}


def test_what_is_stored_after_the_start_belongs_to_the_next_sweep(pipeline, calls, system):
    job = sweep_job(pipeline, system)
    start(job, system)
    assert sweeping.take_slice(job, current_run(job), count=1) == 1
    late = pipeline.call(started_at="2026-11-09T10:00:00+00:00")
    with enter(Tenant.objects.get(slug="acme")):
        Call.objects.filter(pk=late.pk).update(created_at="2030-01-01T00:00Z")
    assert slices(job) == 6
    assert late.pk not in taken_by(job)


@pytest.mark.parametrize("where", ["before the records", "after the records", "before the position"])
def test_a_sweep_that_is_killed_between_two_statements_loses_and_doubles_nothing(
    pipeline, calls, system, monkeypatch, where
):
    job = sweep_job(pipeline, system, ended_records="again")
    start(job, system)
    assert sweeping.take_slice(job, current_run(job), count=2) == 2
    end_all(job)
    seen, records = place_of(job).seen, set(taken_by(job))
    name = {"before the records": "_store", "after the records": "_of_job", "before the position": "_moved"}[where]

    def killed(*args, **kwargs):
        raise DatabaseError("the worker is gone")

    with monkeypatch.context() as patch:
        patch.setattr(sweeping, name, killed)
        with pytest.raises(DatabaseError):
            sweeping.take_slice(job, current_run(job), count=3)
    assert place_of(job).seen == seen
    assert set(taken_by(job)) == records
    assert slices(job, count=2) == 5
    assert sorted(taken_by(job)) == sorted(call.pk for call in calls)
    assert set(Record.objects.filter(job=job).values_list("generation", flat=True)) == {1}


def test_a_slice_that_another_one_overtakes_leaves_no_trace(pipeline, calls, system, monkeypatch):
    job = sweep_job(pipeline, system)
    start(job, system)
    look = sweeping._look

    def slow(*args):
        found = look(*args)
        monkeypatch.setattr(sweeping, "_look", look)
        assert sweeping.take_slice(job, current_run(job), count=2) == 2
        return found

    sweeping.take_slice(job, current_run(job), count=1)
    monkeypatch.setattr(sweeping, "_look", slow)
    assert sweeping.take_slice(job, current_run(job), count=2) == 0
    assert len(taken_by(job)) == 3
    assert slices(job) == 4
    assert place_of(job).seen == 7


def test_a_job_that_is_stopped_during_a_slice_gets_no_more_records(pipeline, calls, system):
    job = sweep_job(pipeline, system)
    start(job, system)
    running = JobDefinition.objects.get(pk=job.pk)
    set_enabled(job=job, enabled=False, actor="test", audit_tenant=system)
    assert sweeping.take_slice(running, current_run(job), count=100) == 0
    assert taken_by(job) == []


def test_records_that_have_ended_are_left_or_processed_again_as_the_job_says(pipeline, calls, system):
    for choice, generation in (("leave", 1), ("again", 2)):
        job = sweep_job(pipeline, system, name=choice, ended_records=choice)
        start(job, system)
        slices(job)
        end_all(job)
        running = Record.objects.filter(job=job).order_by("pk").first()
        Record.objects.filter(pk=running.pk).update(state="in_progress", generation=2, stage="new")
        Continuation.objects.filter(job=job).update(state="ready", at_tenant=None, after_time=None, after_id=None)
        assert slices(job) == (0 if choice == "leave" else 6)
        generations = Record.objects.filter(job=job).exclude(pk=running.pk).values_list("generation", flat=True)
        assert set(generations) == {generation}
        assert Record.objects.get(pk=running.pk).generation == 2


def test_full_mode_on_each_run_begins_anew_with_each_start_and_finishes_one_that_is_under_way(pipeline, calls, system):
    job = sweep_job(pipeline, system, "full")
    assert slices(job, count=1) == 7
    end_all(job)
    start(job, system)
    assert sweeping.take_slice(job, current_run(job), count=3) == 3
    start(job, system)
    assert slices(job) == 4
    assert set(Record.objects.filter(job=job).values_list("generation", flat=True)) == {2}
    assert place_of(job).number == 2


def test_stopping_full_mode_on_each_run_ends_its_sweep_and_pausing_does_not(pipeline, calls, system):
    job = sweep_job(pipeline, system, "full")
    start(job, system)
    assert sweeping.take_slice(job, current_run(job), count=3) == 3
    pause_job(job=job, actor="test", audit_tenant=system)
    resume_job(job=job, actor="test", audit_tenant=system)
    job.refresh_from_db()
    assert at(job, "running")
    set_enabled(job=job, enabled=False, actor="test", audit_tenant=system)
    assert at(job, "done")
    set_enabled(job=job, enabled=True, actor="test", audit_tenant=system)
    assert job.pk not in jobs_with_work()


def test_full_mode_on_each_run_may_not_be_continuous(pipeline, system):
    with pytest.raises(InvalidInput) as refused:
        sweep_job(pipeline, system, "full", schedule="continuous")
    assert refused.value.field == "schedule"
    assert sweep_job(pipeline, system, "full", schedule="daily", cron="0 3 * * *").pk


def test_a_timed_start_lets_a_sweep_begin_and_leaves_a_token_at_its_end_alone(pipeline, calls, system):
    timed = {"schedule": "daily", "cron": "0 3 * * *"}
    for source, generation in (("full", 2), ("token", 1)):
        job = sweep_job(pipeline, system, source, **timed)
        slices(job)
        end_all(job)
        JobDefinition.objects.filter(pk=job.pk).update(next_start_at="2020-01-01T00:00Z")
        request_due_starts()
        job.refresh_from_db()
        slices(job)
        assert set(Record.objects.filter(job=job).values_list("generation", flat=True)) == {generation}
        assert job.start_requested_at is None


@pytest.fixture
def allowed(settings):
    settings.ALLOW_STORAGE_SOURCE = True


def a_round(job):
    Continuation.objects.filter(job=job).update(next_at="2020-01-01T00:00Z")
    return slices(job)


def test_the_deprecated_source_takes_what_is_stored_or_changed_after_the_job_was_made(
    pipeline, calls, system, allowed, acme
):
    job = sweep_job(pipeline, system, "storage", schedule="continuous", ended_records="again")
    assert a_round(job) == 0
    new = pipeline.call()
    assert a_round(job) == 1
    assert taken_by(job) == [new.pk]
    assert Record.objects.get(job=job).lane == Record.Lane.LIVE
    end_all(job)
    assert a_round(job) == 0
    with enter(acme):
        Call.objects.filter(pk=calls[0].pk).update(changed_at=Now())
        Call.objects.filter(pk=new.pk).update(changed_at=Now())
    assert a_round(job) == 2
    assert set(taken_by(job)) == {new.pk, calls[0].pk}
    assert Record.objects.get(job=job, record_id=new.pk).generation == 2


def test_rounds_of_the_deprecated_source_keep_a_distance(pipeline, system, allowed):
    job = sweep_job(pipeline, system, "storage", schedule="continuous")
    assert job.pk in jobs_with_work()
    slices(job)
    assert job.pk not in jobs_with_work()
    Continuation.objects.filter(job=job).update(next_at="2020-01-01T00:00Z")
    assert job.pk in jobs_with_work()


def test_the_watermark_does_not_pass_a_transaction_that_is_still_open(system):
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT transaction_timestamp()")
            begun = cursor.fetchone()[0]
            assert sweeping.settled_until() <= begun
            cursor.execute("ROLLBACK")
            # Within a transaction, as in a test, what other sessions do is looked up once.
            cursor.execute("SELECT statement_timestamp()")
            ended = cursor.fetchone()[0]
        with connection.cursor() as mine:
            mine.execute("SELECT pg_stat_clear_snapshot()")
        assert sweeping.settled_until() >= ended
    finally:
        other.close()


def test_a_new_job_of_the_deprecated_source_is_refused_and_a_clone_of_an_old_one_goes_on(
    pipeline, system, settings, calls
):
    with pytest.raises(InvalidInput) as refused:
        sweep_job(pipeline, system, "storage")
    assert refused.value.field == "data_source"
    settings.ALLOW_STORAGE_SOURCE = True
    old = sweep_job(pipeline, system, "storage", schedule="continuous")
    settings.ALLOW_STORAGE_SOURCE = False
    twin = clone_job(job=old, name="Twin", actor="test", audit_tenant=system)
    set_enabled(job=twin, enabled=True, actor="test", audit_tenant=system)
    values = job_values(pipeline.engine, None, name="Twin, changed", data_source="storage")
    twin.refresh_from_db()
    arguments = {"tenant_groups": [], "publish_to": [], "actor": "test", "audit_tenant": system}
    twin = save_job(job=twin, values=values, **arguments)
    new = pipeline.call()
    assert a_round(twin) == 1
    assert taken_by(twin) == [new.pk]
    pipeline.job.refresh_from_db()
    with pytest.raises(InvalidInput):
        save_job(job=pipeline.job, values={**values, "name": "Other"}, **arguments)


def test_the_queue_source_needs_a_queue_and_the_others_drop_it(pipeline, system):
    with pytest.raises(InvalidInput) as refused:
        sweep_job(pipeline, system, "queue")
    assert refused.value.field == "source_queue"
    assert sweep_job(pipeline, system, source_queue=pipeline.queue).source_queue is None


def test_a_tenant_that_cannot_be_entered_is_left_out_and_named(pipeline, calls, system, globex):
    Tenant.objects.filter(pk=globex.pk).update(state="suspended")
    job = sweep_job(pipeline, system)
    assert slices(job) == 5
    assert at(job, "done")
    assert LogEntry.objects.filter(job=job, message__contains="globex").count() == 1


def test_the_budget_stops_the_sweep_before_it_is_exceeded_and_a_raise_lets_it_go_on(pipeline, calls, system, acme):
    job = sweep_job(pipeline, system, budget_minutes=1, access_scope="one_tenant", tenant=acme)
    Continuation.objects.filter(job=job).update(seconds=47)
    start(job, system)
    slices(job)
    place = place_of(job)
    assert place.state == "stopped"
    assert (place.seconds, place.taken) == (57, 2)
    assert taken_by(job) == [calls[1].pk, min(calls[2].pk, calls[3].pk)]
    assert LogEntry.objects.filter(job=job, message__startswith="Stopped at the budget").count() == 1
    job.refresh_from_db()
    assert job.start_requested_at is None
    assert job.pk not in jobs_with_work() or open_records(job)
    JobDefinition.objects.filter(pk=job.pk).update(budget_minutes=10)
    job.refresh_from_db()
    start_job(job=job, actor="test", audit_tenant=system)
    job.refresh_from_db()
    slices(job)
    assert at(job, "done")
    assert sorted(taken_by(job)) == sorted(call.pk for call in calls[:5])


def test_what_filters_or_licences_refuse_counts_for_no_budget(pipeline, system):
    for _number in range(3):
        pipeline.call(username="olga", seconds=40)
    job = sweep_job(pipeline, system, budget_minutes=1)
    assert slices(job) == 3
    assert at(job, "done")
    assert place_of(job).seconds == 0


def test_the_throttle_lets_so_many_through_and_says_when_it_goes_on(pipeline, calls, system, acme):
    job = sweep_job(pipeline, system, throttle=6, access_scope="one_tenant", tenant=acme)
    start(job, system)
    assert slices(job) == 1
    place = place_of(job)
    assert job.pk not in jobs_with_work() or open_records(job)
    Record.objects.filter(job=job).update(next_at="2099-01-01T00:00Z")
    assert job.pk not in jobs_with_work()
    assert 8 < (place.next_at - place.started_at).total_seconds() < 12
    Continuation.objects.filter(job=job).update(next_at="2020-01-01T00:00Z")
    assert job.pk in jobs_with_work()
    assert sweeping.take_slice(job, current_run(job), count=100) == 1


def test_a_token_at_its_end_refuses_a_start(pipeline, calls, system):
    job = sweep_job(pipeline, system)
    start(job, system)
    slices(job)
    with pytest.raises(Conflict, match="end"):
        start_job(job=job, actor="test", audit_tenant=system)
    job.refresh_from_db()
    assert job.start_requested_at is None


def test_live_records_are_claimed_before_backfill_fair_over_tenants_in_each_lane(pipeline, calls, system, acme):
    job = sweep_job(pipeline, system)
    slices(job)
    live = Record.objects.filter(job=job, tenant=acme).order_by("-pk")[:2]
    Record.objects.filter(pk__in=[record.pk for record in live]).update(lane=Record.Lane.LIVE)
    mine = {record.record_id for record in live}
    assert set(claimed_by(job, count=2)) == mine
    two = claimed_by(job, count=2)
    tenants = Record.objects.filter(job=job, record_id__in=two).values_list("tenant__slug", flat=True)
    assert sorted(tenants) == ["acme", "globex"]
    Record.objects.filter(job=job).update(next_at="2020-01-01T00:00Z", lease_until=None)
    assert set(claimed_by(job, backfill=False)) == mine
    begun = Record.objects.filter(job=job, lane=Record.Lane.BACKFILL).first()
    Record.objects.filter(pk=begun.pk).update(stage="checking", next_at="2020-01-01T00:00Z", lease_until=None)
    assert claimed_by(job, backfill=False) == [begun.record_id]
