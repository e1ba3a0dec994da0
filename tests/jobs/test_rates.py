"""Rates: at most so many new records a minute of a job and of a tenant; what waits burns nothing and says why."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.models import JobDefinition, Record
from jobs.passes.running import run_pass
from jobs.policy.lanes import held_back
from jobs.policy.models import RateWindow
from jobs.policy.rates import Rates, comes_back, free, in_turn
from jobs.services import save_job
from jobs.verdicts import Claimed
from licensing.models import Bundle
from licensing.services import grant
from queues.models import QueueItem
from tests.jobs.conftest import job_values
from tests.jobs.pages import shown, url
from tests.jobs.sweeps import start, sweep_job

pytestmark = pytest.mark.django_db
WAITS = ("rate_job", "rate_tenant")


def record(number, tenant):
    return Claimed(number, 1, tenant, uuid.uuid4(), 1, "new", 0, 0, 0, 0, 0, "", None)


def test_a_token_comes_back_a_minute_after_it_was_spent():
    spent = [[100.0, 2], [130.0, 1]]
    assert (free(spent, 3, 130.0), free(spent, 3, 159.9), free(spent, 3, 160.0), free(spent, 3, 190.0)) == (0, 0, 2, 3)


def test_whoever_waits_is_told_when_the_own_token_comes_back():
    spent = [[100.0, 2], [130.0, 1]]
    assert [comes_back(spent, 3, 140.0, place) for place in range(5)] == [20, 20, 50, 80, 80]


def test_after_the_rate_was_lowered_the_surplus_comes_back_for_nobody():
    spent = [[100.0, 2], [130.0, 1]]
    assert free(spent, 1, 140.0) == 0
    assert comes_back(spent, 1, 140.0, 0) == 50


def test_records_take_turns_over_tenants_by_weight():
    a, b = uuid.UUID(int=1), uuid.UUID(int=2)
    records = [record(number, a) for number in range(4)] + [record(number, b) for number in range(10, 14)]
    assert [r.id for r in in_turn(records, {})] == [0, 10, 1, 11, 2, 12, 3, 13]
    assert [r.id for r in in_turn(records, {b: 3})] == [10, 11, 0, 12, 13, 1, 2, 3]


@pytest.fixture
def rated(pipeline, people):
    """A job that may begin so many; what is sent is held at the provider."""
    grant(user=people.stranger, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})

    def limit(**rates):
        JobDefinition.objects.filter(pk=pipeline.job.pk).update(**rates)
        pipeline.job.refresh_from_db()
        return pipeline.job

    return limit


def begun():
    return Record.objects.exclude(stage="new")


def a_minute_later():
    for window in RateWindow.objects.all():
        window.spent = [[at - 60, number] for at, number in window.spent]
        window.over_at -= 60
        window.save()
    Record.objects.filter(wait__in=WAITS).update(next_at=timezone.now())


def test_a_job_begins_no_more_than_its_rate_and_the_rest_stays_in_the_queue(pipeline, rated):
    rated(rate=3)
    calls = [pipeline.call() for _n in range(7)]
    for _sweep in range(3):
        pipeline.sweep()
    assert begun().count() == 3
    assert QueueItem.objects.count() == 4
    a_minute_later()
    pipeline.sweep()
    assert begun().count() == 6
    rated(rate=None)
    pipeline.sweep()
    assert begun().count() == len(calls)


def test_without_a_rate_all_begin_and_nothing_is_counted(pipeline, rated):
    [pipeline.call() for _n in range(7)]
    pipeline.sweep()
    assert begun().count() == 7
    assert not RateWindow.objects.exists()


def test_a_tenant_that_has_its_rate_waits_and_the_others_go_on(pipeline, rated, globex):
    rated(tenant_rate=2)
    [pipeline.call() for _n in range(5)]
    [pipeline.call(tenant=globex, username="stan") for _n in range(2)]
    for _sweep in range(2):
        pipeline.sweep()
    assert begun().filter(tenant=globex).count() == 2
    assert begun().exclude(tenant=globex).count() == 2
    a_minute_later()
    pipeline.sweep()
    assert begun().exclude(tenant=globex).count() == 4


@pytest.mark.parametrize(("rates", "wait"), [({"rate": 2}, "rate_job"), ({"tenant_rate": 2}, "rate_tenant")])
def test_a_record_held_by_a_rate_burns_nothing_and_says_so(pipeline, rated, root, rates, wait):
    calls = [pipeline.call() for _n in range(5)]
    # Taken in before somebody set the rate.
    JobDefinition.objects.filter(pk=pipeline.job.pk).update(batch_size=5)
    Record.objects.bulk_create(
        Record(
            job=pipeline.job,
            tenant_id=item.tenant_id,
            record_type="call",
            record_id=item.record_id,
            next_at=timezone.now(),
            created_at=timezone.now(),
        )
        for item in QueueItem.objects.all()
    )
    QueueItem.objects.all().delete()
    rated(**rates)
    pipeline.sweep()
    held = Record.objects.filter(wait=wait)
    assert held.count() == 3
    assert {(r.state, r.stage, r.attempts, r.checks, r.errors, r.lease_until) for r in held} == {
        ("in_progress", "new", 0, 0, 0, None)
    }
    soon, late = timezone.now() + timedelta(seconds=50), timezone.now() + timedelta(seconds=121)
    assert held.filter(next_at__gt=soon, next_at__lt=late).count() == 3
    first = held.order_by("pk").first()
    page = shown(root, url("record", pipeline.job.pk, first.pk))
    assert str(Record.Wait(wait).label) in page
    assert len(calls) == 5


def test_what_a_gate_refuses_gives_its_token_back(pipeline, rated):
    rated(rate=2, tenant_rate=2)
    refused = [pipeline.call(username="olga") for _n in range(4)]
    good = [pipeline.call() for _n in range(2)]
    pipeline.sweep()
    assert {pipeline.record_of(call).state for call in refused} == {"skipped"}
    assert {pipeline.record_of(call).stage for call in good} == {"checking"}
    assert sorted(sum(n for _at, n in window.spent) for window in RateWindow.objects.all()) == [2, 2]


def test_two_passes_share_one_rate(pipeline, rated, acme):
    job = rated(rate=5)
    first, second = (Rates(JobDefinition.objects.get(pk=job.pk), {}) for _n in range(2))
    one = first.spend([record(number, acme.pk) for number in range(4)])
    two = second.spend([record(number, acme.pk) for number in range(10, 14)])
    assert (len(one.now), len(two.now), len(two.later)) == (4, 1, 3)
    assert {later.wait for later in two.later} == {"rate_job"}


def test_a_changed_rate_counts_at_once(pipeline, rated, system):
    job = rated(rate=1)
    Record.objects.create(
        job=job,
        tenant=system,
        record_type="call",
        record_id=uuid.uuid4(),
        wait="rate_job",
        next_at=timezone.now() + timedelta(hours=1),
        created_at=timezone.now(),
    )
    values = job_values(pipeline.engine, pipeline.queue, rate=100)
    save_job(job=job, values=values, tenant_groups=[], publish_to=[], actor="test", audit_tenant=system)
    assert Record.objects.get(wait="rate_job").next_at <= timezone.now()


def test_a_sweep_takes_in_no_more_while_a_batch_waits_for_the_rate_of_a_tenant(pipeline, rated, system):
    for _n in range(9):
        pipeline.call(started_at="2026-11-01T10:00:00+00:00")
    QueueItem.objects.all().delete()
    job = sweep_job(pipeline, system, tenant_rate=1, batch_size=2)
    start(job, system)
    for _sweep in range(4):
        run_pass(job.pk)
    assert begun().filter(job=job).count() == 1
    assert Record.objects.filter(job=job).count() <= 4


@pytest.mark.parametrize("rates", [{"rate": 1}, {"tenant_rate": 1}])
def test_a_backfill_does_not_wait_for_live_work_that_a_rate_holds(pipeline, rated, system, acme, rates):
    backfill = sweep_job(pipeline, system)
    [pipeline.call() for _n in range(3)]
    QueueItem.objects.update(published_at=timezone.now() - timedelta(seconds=30))
    assert held_back(backfill)
    rated(**rates)
    assert held_back(backfill)
    pipeline.sweep()
    assert QueueItem.objects.count() == 2
    assert not held_back(backfill)
