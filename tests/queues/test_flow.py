"""The account of what comes and goes: always what a count would say, and short."""

import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from queues.emptying import purge
from queues.events import Event, RecordType
from queues.flow import fold
from queues.models import ProcessingQueue, QueueFlow, QueueItem
from queues.selectors import pending_in, queue_pages
from queues.services import publish, put
from tests.queues.filling import fill

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(db):
    return ProcessingQueue.objects.create(name="Calls", events=["call.created"])


def agreed(queue):
    """Pending by the account; fails when a count says something else."""
    pending = pending_in(queue)
    assert pending == QueueItem.objects.filter(queue=queue).count()
    assert queue_pages().get(pk=queue.pk).pending == pending
    return pending


def test_pending_is_what_a_count_says_after_publishing_refreshing_taking_and_purging(queue, acme, system):
    assert agreed(queue) == 0
    calls = [uuid.uuid4() for _n in range(3)]
    for _time in range(2):
        with transaction.atomic():
            publish(tenant=acme, event=Event.CALL_CREATED, record_ids=calls)
    assert agreed(queue) == 3
    with transaction.atomic():
        put(tenant=acme, queue_ids=[queue.pk], record_type=RecordType.CALL, record_ids=calls[:1], event="x")
        transaction.set_rollback(True)
    QueueItem.objects.filter(record_id=calls[0]).delete()
    assert agreed(queue) == 2
    assert purge(queue=queue, actor="test", audit_tenant=system).removed == 2
    assert agreed(queue) == 0


def test_folding_keeps_the_sum_and_leaves_one_row_for_all_that_is_older_than_an_hour(queue, acme):
    other = ProcessingQueue.objects.create(name="Other", events=["call.created"])
    for _time in range(5):
        fill(queue, acme, 2)
        fill(other, acme, 1)
    QueueItem.objects.filter(queue=queue).first().delete()
    fold()
    assert agreed(queue) == 9
    assert QueueFlow.objects.filter(queue=queue).count() <= 2
    QueueFlow.objects.update(minute=timezone.now() - timedelta(hours=2))
    fill(queue, acme, 1)
    fold()
    assert agreed(queue) == 10
    assert agreed(other) == 5
    assert list(QueueFlow.objects.filter(queue=other).values_list("came", "went")) == [(5, 0)]


def test_rows_of_a_queue_that_is_gone_are_dropped(queue, acme):
    fill(queue, acme, 2)
    queue.delete()
    fold()
    assert not QueueFlow.objects.exists()


def test_the_rates_are_those_of_the_last_minutes_only(queue, acme):
    fill(queue, acme, 30)
    QueueItem.objects.filter(pk__in=list(QueueItem.objects.values_list("pk", flat=True)[:10])).delete()
    shown = queue_pages().get(pk=queue.pk)
    assert 6 <= shown.came <= 7.5
    assert 2 <= shown.went <= 2.5
    QueueFlow.objects.update(minute=timezone.now() - timedelta(minutes=10))
    shown = queue_pages().get(pk=queue.pk)
    assert (shown.came, shown.went, shown.pending) == (0, 0, 20)
