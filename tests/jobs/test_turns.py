"""Taking in turns: weights, bounded portions, and windows of tenants that go round."""

import uuid
from collections import Counter

import pytest
from django.db import connection

from jobs.models import Record
from jobs.passes.claiming import CLAIM, TAKE, claim_due, take_from_queue
from jobs.passes.runs import current_run
from jobs.passes.turns import Turns, portions, weights_of
from tenants.models import Tenant
from tests.jobs.pages import make_records

pytestmark = pytest.mark.django_db
LONG_AGO = "2020-01-01T00:00Z"


@pytest.fixture
def crowd(db):
    """Tenants without a place for data: claims need none."""
    made = [Tenant(slug=f"many-{n:03}", name=f"Many {n}", wrapped_data_key=b"") for n in range(12)]
    Tenant.objects.bulk_create(made)
    return made


def waiting(job, tenant, number):
    return make_records(job, tenant, number, state="in_progress", stage="new", next_at=LONG_AGO)


def claimed(job, count, turns=None):
    return Counter(record.tenant_id for record in claim_due(job, current_run(job), count=count, turns=turns))


def test_a_claim_takes_as_many_of_each_tenant_as_its_weight_says(job, crowd):
    heavy, light = crowd[:2]
    waiting(job, heavy, 30)
    waiting(job, light, 30)
    assert claimed(job, 8) == {heavy.pk: 4, light.pk: 4}
    turns = Turns(weights_of({heavy.slug: 3}))
    assert claimed(job, 8, turns) == {heavy.pk: 6, light.pk: 2}


def test_a_heavy_tenant_with_little_to_do_leaves_the_rest_to_the_others(job, crowd):
    heavy, light = crowd[:2]
    waiting(job, heavy, 2)
    waiting(job, light, 30)
    assert claimed(job, 20, Turns({heavy.pk: 100})) == {heavy.pk: 2, light.pk: 18}


def test_one_tenant_with_much_fills_the_batch_when_the_others_have_nothing_due(job, crowd):
    for tenant in crowd:
        make_records(job, tenant, 1, state="in_progress", stage="checking", next_at="2999-01-01T00:00Z")
    waiting(job, crowd[5], 40)
    assert claimed(job, 40) == {crowd[5].pk: 40}


def test_windows_of_tenants_go_round_until_everybody_had_a_turn(job, crowd):
    for tenant in crowd:
        waiting(job, tenant, 2)
    turns = Turns(window=5)
    first = claimed(job, 5, turns)
    second = claimed(job, 5, turns)
    assert len(first) == len(second) == 5
    assert not first.keys() & second.keys()
    third = claimed(job, 5, turns)
    assert len({*first, *second, *third}) == 12


def test_a_window_with_nothing_due_does_not_hide_what_is_due_behind_it(job, crowd):
    ordered = sorted(crowd, key=lambda tenant: tenant.pk)
    for tenant in ordered[:-1]:
        make_records(job, tenant, 1, state="in_progress", stage="checking", next_at="2999-01-01T00:00Z")
    waiting(job, ordered[-1], 3)
    assert claimed(job, 10, Turns(window=2)) == {ordered[-1].pk: 3}


def test_nothing_is_claimed_when_nothing_is_due_whatever_the_windows(job, crowd):
    for tenant in crowd:
        make_records(job, tenant, 1, state="in_progress", stage="checking", next_at="2999-01-01T00:00Z")
    assert claimed(job, 10, Turns(window=5)) == {}


def test_portions_together_are_bounded_by_the_batch():
    tenants = [uuid.uuid4() for _n in range(1000)]
    assert sum(portions(tenants, {tenants[0]: 100}, 500)) <= 2 * 500 + len(tenants)
    assert portions(tenants[:1], {}, 500) == [500]


def test_items_of_a_queue_are_taken_by_weight_and_none_of_a_tenant_that_is_shut(job, crowd, queue):
    from queues.models import QueueItem

    for tenant in crowd[:3]:
        QueueItem.objects.bulk_create(
            QueueItem(
                queue=queue,
                tenant=tenant,
                record_type="call",
                record_id=uuid.uuid4(),
                event="e",
                published_at=LONG_AGO,
                refreshed_at=LONG_AGO,
            )
            for _n in range(20)
        )
    heavy, light, shut = crowd[:3]
    turns = Turns({heavy.pk: 3})
    taken, stored = take_from_queue(
        job, current_run(job), until="2999-01-01T00:00Z", count=8, turns=turns, shut=[shut.pk]
    )
    assert (taken, stored) == (8, 8)
    tenants = Counter(Record.objects.values_list("tenant", flat=True))
    assert tenants == {heavy.pk: 6, light.pk: 2}


@pytest.mark.parametrize("statement", [CLAIM, TAKE])
def test_rows_are_found_and_locked_by_key_never_by_reading_the_table(job, queue, acme, statement):
    values = {
        "job": job.pk,
        "queue": queue.pk,
        "run": current_run(job).pk,
        "until": "2999-01-01T00:00Z",
        "again": False,
        "lease": 5,
        "count": 100,
        "tenants": [acme.pk],
        "portions": [100],
        "weights": [1.0],
        "at": 0,
        "first": 0,
        "last": 0,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {statement}", values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan on jobs_record" not in plan
    assert "Seq Scan on queues_queueitem" not in plan
    assert "= ANY" in plan
