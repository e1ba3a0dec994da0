"""Publishing: in the transaction of the change, to the queues that listen, once while pending."""

import uuid

import pytest
from django.db import transaction

from core.errors import Conflict, InvalidInput
from queues.events import Event
from queues.models import ProcessingQueue, QueueItem
from queues.services import publish, save_queue
from tenants.services import create_group

pytestmark = pytest.mark.django_db


@pytest.fixture
def make_queue(system):
    """Save a queue with some values changed."""

    def make(*, queue=None, groups=(), **changes) -> ProcessingQueue:
        values = {
            "name": "Queue",
            "enabled": True,
            "scope": "global",
            "tenant": None,
            "record_type": "call",
            "events": ["call.recording_finished"],
            "replicate": False,
        } | changes
        return save_queue(queue=queue, values=values, tenant_groups=list(groups), actor="test", audit_tenant=system)

    return make


def test_an_event_reaches_exactly_the_enabled_queues_that_listen_to_it_for_this_tenant(
    make_queue, acme, globex, system
):
    group = create_group(name="East", tenants=[acme], actor="test", audit_tenant=system)
    wanted = {
        make_queue(name="all").pk,
        make_queue(name="one", scope="one_tenant", tenant=acme).pk,
        make_queue(name="group", scope="tenant_groups", groups=[group]).pk,
    }
    make_queue(name="off", enabled=False)
    make_queue(name="other event", events=["call.created"])
    make_queue(name="other tenant", scope="one_tenant", tenant=globex)
    with transaction.atomic():
        reached = publish(tenant=acme, event=Event.CALL_RECORDING_FINISHED, record_ids=[uuid.uuid4()])
    assert set(reached) == wanted
    assert set(QueueItem.objects.values_list("queue_id", flat=True)) == wanted


def test_publishing_again_refreshes_the_pending_item_instead_of_doubling_it(make_queue, acme):
    queue, call = make_queue(), uuid.uuid4()
    for _time in range(2):
        with transaction.atomic():
            publish(tenant=acme, event=Event.CALL_RECORDING_FINISHED, record_ids=[call])
    (item,) = QueueItem.objects.filter(queue=queue)
    assert item.refreshed_at > item.published_at


def test_what_is_rolled_back_was_never_published(make_queue, acme):
    make_queue()
    with transaction.atomic():
        publish(tenant=acme, event=Event.CALL_RECORDING_FINISHED, record_ids=[uuid.uuid4()])
        transaction.set_rollback(True)
    assert not QueueItem.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"events": ["integration_event.created"]}, "events"),
        ({"scope": "one_tenant", "tenant": None}, "tenant"),
        ({"scope": "tenant_groups"}, "tenant_groups"),
    ],
)
def test_a_queue_with_events_of_another_type_or_no_scope_is_refused_and_nothing_is_stored(make_queue, changes, field):
    with pytest.raises(InvalidInput) as refused:
        make_queue(**changes)
    assert refused.value.field == field
    assert not ProcessingQueue.objects.exists()
    assert make_queue().pk


def test_the_second_of_two_admins_who_save_one_form_is_told(make_queue):
    opened_by_both = make_queue()
    make_queue(queue=opened_by_both, name="first")
    with pytest.raises(Conflict):
        make_queue(queue=opened_by_both, name="second")
    assert ProcessingQueue.objects.get().name == "first"
