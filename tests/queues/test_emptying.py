"""Purging and deleting queues with much in them: in slices by a task, with progress and abort, and what comes in stays."""

import threading
import uuid

import pytest
from django.db import connection, transaction
from django.urls import reverse

from audit.models import AuditEntry
from core.errors import Conflict
from jobs.models import JobDefinition
from queues import emptying
from queues.emptying import delete_queue, purge, purges_at_work, work_on, work_slice
from queues.events import Event, RecordType
from queues.flow import fold
from queues.models import ProcessingQueue, QueueFlow, QueueItem, QueuePurge
from queues.selectors import pending_in
from queues.services import publish, put, set_enabled
from tenants.models import Tenant
from tests.databases import somebody_waits
from tests.polling import until
from tests.queues.filling import fill


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.fixture
def queue(db):
    return ProcessingQueue.objects.create(name="Calls", events=["call.recording_finished"])


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Ten items are many, and a slice has four."""
    monkeypatch.setattr(emptying, "IMMEDIATE", 9)
    monkeypatch.setattr(emptying, "SLICE", 4)


def address(queue, name="queue"):
    return reverse(f"queues:{name}", args=[queue.pk])


def actions():
    return list(AuditEntry.objects.filter(target_type="queue").order_by("pk").values_list("action", flat=True))


def publish_one(tenant, record=None):
    with transaction.atomic():
        publish(tenant=tenant, event=Event.CALL_RECORDING_FINISHED, record_ids=[record or uuid.uuid4()])


def test_many_items_are_purged_by_a_task_with_progress_and_an_audit_row_at_begin_and_end(root, queue, acme, globex):
    fill(queue, acme, 6)
    fill(queue, globex, 5)
    other = ProcessingQueue.objects.create(name="Other", events=["call.created"])
    fill(other, acme, 3)
    answer = root.post(address(queue, "purge"), {"confirm_name": "Calls"}, follow=True)
    assert "in the background" in answer.content.decode()
    assert QueueItem.objects.filter(queue=queue).count() == 11
    asked = QueuePurge.objects.get()
    assert (asked.total, purges_at_work()) == (11, [asked.pk])
    QueuePurge.objects.update(fence=1)
    assert work_slice(asked.pk, 1)
    text = root.get(address(queue)).content.decode()
    for shown in ("Being purged", "4 / 11", "Abort: keep the rest"):
        assert shown in text, shown
    assert "Being purged" in root.get(reverse("queues:queues")).content.decode()
    QueuePurge.objects.update(lease_until=None)
    work_on(asked.pk)
    asked.refresh_from_db()
    assert (asked.state, asked.removed, purges_at_work()) == ("finished", 11, [])
    assert not QueueItem.objects.filter(queue=queue).exists()
    assert pending_in(other) == 3
    assert actions() == ["queue.purge_started", "queue.purged"]
    assert AuditEntry.objects.get(action="queue.purged").details == {"name": "Calls", "removed": 11}
    assert "Last emptied" in root.get(address(queue)).content.decode()


def test_what_is_published_after_the_purge_was_asked_for_stays_also_when_it_was_pending(queue, acme, system):
    old = fill(queue, acme, 10, minutes_ago=5)
    asked = purge(queue=queue, actor="test", audit_tenant=system)
    again, new = old[9].record_id, uuid.uuid4()
    for record in (again, new):
        publish_one(acme, record)
    work_on(asked.pk)
    asked.refresh_from_db()
    assert asked.removed == 9
    assert set(QueueItem.objects.values_list("record_id", flat=True)) == {again, new}
    assert pending_in(queue) == 2


def test_an_aborted_purge_keeps_the_rest_and_a_second_abort_or_purge_is_refused(root, queue, acme, system):
    fill(queue, acme, 12)
    asked = purge(queue=queue, actor="test", audit_tenant=system)
    for again in (purge, delete_queue):
        with pytest.raises(Conflict, match="being emptied already"), transaction.atomic():
            again(queue=queue, actor="test", audit_tenant=system)
    QueuePurge.objects.update(fence=3)
    assert work_slice(asked.pk, 3)
    assert not work_slice(asked.pk, 2), "a worker whose lease was taken over does nothing more"
    assert "4 records were removed" in root.post(address(queue, "keep"), follow=True).content.decode()
    assert not work_slice(asked.pk, 3)
    work_on(asked.pk)
    assert pending_in(queue) == 8
    assert "not being emptied any more" in root.post(address(queue, "keep"), follow=True).content.decode()
    assert actions() == ["queue.purge_started", "queue.purge_aborted"]


def test_a_queue_with_many_items_is_emptied_before_it_is_deleted_and_takes_nothing_meanwhile(root, queue, acme, system):
    fill(queue, acme, 10)
    answer = root.post(address(queue, "delete"), {"confirm_name": "Calls"}, follow=True)
    assert "emptied in the background and deleted then" in answer.content.decode()
    assert "Being deleted" in answer.content.decode()
    publish_one(acme)
    assert pending_in(queue) == 10
    assert set_enabled(queues=[queue], enabled=True, actor="test", audit_tenant=system) == 0
    form = {"name": "Calls", "enabled": "on", "scope": "global", "record_type": "call", "events": ["call.created"]}
    assert root.post(address(queue, "edit"), {**form, "version": 2}).status_code == 409
    with transaction.atomic():
        late = [uuid.uuid4()]
        put(tenant=acme, queue_ids=[queue.pk], record_type=RecordType.CALL, record_ids=late, event="published")
    work_on(purges_at_work()[0])
    assert not ProcessingQueue.objects.exists()
    assert not QueueFlow.objects.filter(queue_id=queue.pk).exists()
    assert AuditEntry.objects.get(action="queue.deleted").details == {"name": "Calls", "pending": 11}
    assert actions() == ["queue.deletion_started", "queue.deleted"]


def test_a_job_that_begins_to_read_a_queue_being_deleted_keeps_it(root, queue, acme, system):
    fill(queue, acme, 10)
    asked = delete_queue(queue=queue, actor="test", audit_tenant=system)
    JobDefinition.objects.create(name="Late", kind="transcription", source_queue=queue)
    work_on(asked.pk)
    asked.refresh_from_db()
    assert asked.state == "aborted"
    assert "The job “Late” reads this queue." in root.get(address(queue)).content.decode()
    assert actions() == ["queue.deletion_started", "queue.purge_aborted"]


def test_what_goes_away_with_a_deleted_queue_is_counted_in_its_audit_row(queue, acme, system):
    fill(queue, acme, 3)
    delete_queue(queue=queue, actor="test", audit_tenant=system)
    assert AuditEntry.objects.get(action="queue.deleted").details == {"name": "Calls", "pending": 3}
    with pytest.raises(Conflict, match="deleted meanwhile"), transaction.atomic():
        delete_queue(queue=queue, actor="test", audit_tenant=system)
    with transaction.atomic():
        put(tenant=acme, queue_ids=[queue.pk], record_type=RecordType.CALL, record_ids=[uuid.uuid4()], event="x")
    assert not QueueItem.objects.exists()


@pytest.fixture
def committed(django_db_setup, django_db_blocker):
    """A queue that threads see, and a chain of its own for what they do; both are taken away at the end."""
    with django_db_blocker.unblock():
        queue = ProcessingQueue.objects.create(name="Committed", events=["call.recording_finished"])
        yield queue, Tenant.objects.get(slug="acme"), Tenant(pk=uuid.uuid4())
        ProcessingQueue.objects.filter(pk=queue.pk).delete()
        fold()
        connection.close()


def in_a_thread(work):
    """Start ``work``; what it returns is in the list when the thread has ended."""
    results = []

    def run():
        try:
            results.append(work())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def test_a_deletion_waits_for_who_publishes_at_this_moment_and_counts_those_items(committed):
    queue, acme, chain = committed
    with transaction.atomic():
        put(tenant=acme, queue_ids=[queue.pk], record_type=RecordType.CALL, record_ids=[uuid.uuid4()], event="x")
        thread, results = in_a_thread(lambda: delete_queue(queue=queue, actor="test", audit_tenant=chain))
        until(somebody_waits)
    thread.join(30)
    assert [(asked.state, asked.removed) for asked in results] == [("finished", 1)]
    assert AuditEntry.objects.get(tenant_id=chain.pk).details == {"name": "Committed", "pending": 1}


def test_who_publishes_while_a_queue_is_deleted_waits_and_loses_nothing_else(committed):
    queue, acme, chain = committed

    def change():
        with transaction.atomic():
            ids = [uuid.uuid4()]
            put(tenant=acme, queue_ids=[queue.pk], record_type=RecordType.CALL, record_ids=ids, event="x")
            return "committed"

    with transaction.atomic():
        delete_queue(queue=queue, actor="test", audit_tenant=chain)
        thread, results = in_a_thread(change)
        until(somebody_waits)
    thread.join(30)
    assert results == ["committed"]
    assert not QueueItem.objects.filter(queue_id=queue.pk).exists()
