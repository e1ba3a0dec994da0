"""Several passes of one job: when another one joins, how tenants are shared out, and who leaves first."""

import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.models import Pass, Record
from jobs.passes.claiming import claim_due
from jobs.passes.crew import Share, share_of, slots_for, worth_staying
from jobs.passes.runs import begin_pass, current_run, end_pass
from jobs.passes.turns import Turns
from jobs.workers.models import Worker
from queues.models import QueueItem
from tenants.models import Tenant
from tests.jobs.pages import make_records, make_worker

pytestmark = pytest.mark.django_db
LONG_AGO = "2020-01-01T00:00Z"


@pytest.fixture
def worker(db):
    """A living worker of three processes."""
    return make_worker(processes=3)


def begun(job):
    return begin_pass(job, current_run(job), 60, slots=slots_for(job))


def items(queue, tenant, number):
    moment = timezone.now() - timedelta(seconds=30)
    QueueItem.objects.bulk_create(
        QueueItem(
            queue=queue,
            tenant=tenant,
            record_type="call",
            record_id=uuid.uuid4(),
            event="e",
            published_at=moment,
            refreshed_at=moment,
        )
        for _n in range(number)
    )


def test_another_pass_joins_only_while_work_waits_and_a_process_would_stay_free(job, acme, worker):
    first = begun(job)
    assert (first.slot, begun(job)) == (0, None), "nothing waits"
    make_records(job, acme, 3, state="in_progress", stage="new", next_at=LONG_AGO)
    second = begun(job)
    assert second.slot == 1
    assert begun(job) is None, "of three processes one stays free"
    end_pass(first, Pass.State.FINISHED)
    assert begun(job).slot == 0


def test_without_living_workers_nobody_joins(job, acme, worker):
    make_records(job, acme, 3, state="in_progress", stage="new", next_at=LONG_AGO)
    Worker.objects.update(heartbeat_at=LONG_AGO)
    assert begun(job).slot == 0
    assert begun(job) is None


@pytest.mark.parametrize("held_back_by", [None, {"rate": 5}, {"tenant_rate": 5}, {"schedule": "manual"}])
def test_items_that_a_rate_or_the_schedule_holds_back_call_nobody(job, queue, acme, worker, held_back_by):
    items(queue, acme, 3)
    for name, value in (held_back_by or {}).items():
        setattr(job, name, value)
    job.save()
    assert begun(job).slot == 0
    joined = begun(job)
    assert (joined is not None) == (held_back_by is None)


def test_each_tenant_belongs_to_exactly_one_pass_and_to_the_others_when_that_ends(job, acme, worker):
    make_records(job, acme, 1, state="in_progress", stage="new", next_at=LONG_AGO)
    first, second = begun(job), begun(job)
    tenants = [uuid.uuid4() for _n in range(50)]
    shares = [share_of(first), share_of(second)]
    assert {sum(share.has(tenant) for share in shares) for tenant in tenants} == {1}
    end_pass(first, Pass.State.FINISHED)
    assert all(share_of(second).has(tenant) for tenant in tenants)


def test_a_pass_claims_of_its_own_tenants_and_of_others_only_when_those_have_nothing(job, db):
    made = [Tenant(slug=f"many-{n}", name=f"Many {n}", wrapped_data_key=b"") for n in range(8)]
    Tenant.objects.bulk_create(made)
    for tenant in made:
        make_records(job, tenant, 2, state="in_progress", stage="new", next_at=LONG_AGO)
    ours = Share(0, 2)
    own = {tenant.pk for tenant in made if ours.has(tenant.pk)}
    turns = Turns(share=ours)

    def claimed():
        return Counter(record.tenant_id for record in claim_due(job, current_run(job), count=20, turns=turns))

    assert claimed() == dict.fromkeys(own, 2)
    assert claimed() == dict.fromkeys({tenant.pk for tenant in made} - own, 2)
    assert claimed() == {}


def test_a_pass_stays_for_what_is_due_within_a_second_while_nobody_needs_its_process(job, acme, worker):
    record = make_records(job, acme, 1, state="in_progress", stage="checking")[0]

    def due_in(seconds):
        Record.objects.filter(pk=record.pk).update(next_at=timezone.now() + timedelta(seconds=seconds))

    due_in(0.9)
    assert worth_staying(job)
    due_in(30)
    assert not worth_staying(job)
    due_in(-5)
    assert not worth_staying(job), "what is due and was not claimed is not ours"
    due_in(0.9)
    Worker.objects.update(processes=0)
    assert not worth_staying(job)


def test_who_came_to_help_takes_in_no_more_when_every_process_is_occupied(pipeline, worker):
    from jobs.passes import running

    job = pipeline.job
    make_records(job, Tenant.objects.get(slug="acme"), 1, state="in_progress", stage="new", next_at=LONG_AGO)
    sweeps = [begun(job), begun(job)]
    runners = [_runner(running, job, sweep) for sweep in sweeps]
    assert [runner._beat() and runner.taking for runner in runners] == [True, True]
    Worker.objects.update(processes=2)
    assert [runner._beat() and runner.taking for runner in runners] == [True, False]


def _runner(running, job, sweep):
    session = running.kind_of(job).session(job.settings, job.filters, request_timeout_s=job.request_timeout_s)
    return running.PassRunner(job, current_run(job), sweep, session, running.Breaker(job, session))
