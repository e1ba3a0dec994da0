"""What a person decides about a conflict, on its pages."""

import pytest
from django.urls import reverse

from audit.models import AuditEntry
from queues.models import ProcessingQueue
from queues.replication.models import QueueCopy, ReplicationConflict
from tenants.models import TenantGroup
from tests.queues.filling import fill
from tests.queues.replication.other import snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def ours(db):
    return ProcessingQueue.objects.create(name="Theirs", events=["call.created"], enabled=False)


def decide(root, action, values=None, number=None):
    conflict = ReplicationConflict.objects.get(state="open") if number is None else number
    return root.post(reverse(f"pairing:{action}", args=[getattr(conflict, "pk", conflict)]), values or {}, follow=True)


def last_action():
    return AuditEntry.objects.order_by("-pk").first().action


def test_both_sides_are_shown_side_by_side(other, root, ours):
    other.send(snapshot())
    conflict = ReplicationConflict.objects.get()
    page = root.get(reverse("pairing:conflict", args=[conflict.pk])).content.decode()
    for shown in ("Call - Created", "Call - Recording finished", "Alpha", "A queue of this name is here", "Differs"):
        assert shown in page, shown
    listed = root.get(reverse("pairing:conflicts")).content.decode()
    assert "Theirs" in listed
    assert "1 conflict with a replicated queue" in root.get(reverse("queues:queues")).content.decode()
    export = b"".join(root.get(reverse("pairing:conflicts"), {"format": "csv"}).streaming_content).decode()
    assert "A queue of this name is here already" in export


def test_take_theirs_gives_ours_their_settings_and_keeps_status_and_pending_records(other, root, ours, acme):
    other.send(snapshot())
    fill(ours, acme, 2)
    decide(root, "take")
    ours.refresh_from_db()
    assert (ours.events, ours.enabled, ours.items.count()) == (["call.recording_finished"], False, 2)
    assert QueueCopy.objects.get().queue == ours
    assert last_action() == "queue.conflict_taken"
    assert ReplicationConflict.objects.get().ours["events"] == ["call.created"]
    assert other.send(snapshot(version=2, name="Next")) == "applied"
    page = decide(root, "take", number=ReplicationConflict.objects.get())
    assert "decided already" in page.content.decode()


def test_keep_ours_leaves_it_and_the_next_change_comes_anew(other, root, ours):
    other.send(snapshot())
    decide(root, "keep")
    ours.refresh_from_db()
    assert ours.events == ["call.created"]
    assert last_action() == "queue.conflict_kept"
    assert other.send(snapshot(version=2)) == "conflict name"


def test_rename_theirs_puts_it_beside_ours_and_keeps_the_name_later(other, root, ours):
    other.send(snapshot())
    for name, problem in [("", "required"), ("tHEIRS", "There is a queue"), ("a" * 121, "at most 120")]:
        page = decide(root, "rename", {"name": name})
        assert page.status_code == 422
        assert problem in page.content.decode()
    decide(root, "rename", {"name": "From Alpha"})
    copy = QueueCopy.objects.get().queue
    assert (copy.name, copy.events) == ("From Alpha", ["call.recording_finished"])
    other.send(snapshot(version=2, name="Elsewhere", events=["call.updated"]))
    copy.refresh_from_db()
    assert (copy.name, copy.events) == ("From Alpha", ["call.updated"])
    ours.refresh_from_db()
    assert ours.events == ["call.created"]


def test_an_unknown_group_can_be_added_and_theirs_taken(other, root):
    other.send(snapshot(scope="tenant_groups", tenant_groups=["North"]))
    page = decide(root, "take")
    assert page.status_code == 409
    assert "Not known here: North" in page.content.decode()
    assert ReplicationConflict.objects.get().state == "open"
    TenantGroup.objects.create(name="North")
    decide(root, "take")
    assert [group.name for group in QueueCopy.objects.get().queue.tenant_groups.all()] == ["North"]


def test_a_detached_copy_follows_again_or_gets_a_twin(other, root):
    other.send(snapshot())
    first = ProcessingQueue.objects.get()
    root.post(reverse("queues:detach", args=[first.pk]))
    other.send(snapshot(version=2, events=["call.updated"]))
    decide(root, "take")
    first.refresh_from_db()
    assert first.events == ["call.updated"]
    root.post(reverse("queues:detach", args=[first.pk]))
    other.send(snapshot(version=3, events=["call.deleted"]))
    decide(root, "rename", {"name": "Twin"})
    assert QueueCopy.objects.get().queue.name == "Twin"
    first.refresh_from_db()
    assert first.events == ["call.updated"]


def test_a_deletion_is_taken_with_what_is_pending_but_not_from_a_job(other, root, acme):
    from jobs.models import JobDefinition

    other.send(snapshot())
    queue = ProcessingQueue.objects.get()
    fill(queue, acme, 1)
    job = JobDefinition.objects.create(name="Job", kind="transcription", source_queue=queue)
    other.send(snapshot("deleted", version=2))
    assert "A job reads this queue" in decide(root, "take").content.decode()
    assert "does not solve" in decide(root, "rename", {"name": "x"}).content.decode()
    assert ReplicationConflict.objects.get().state == "open"
    job.delete()
    decide(root, "take")
    assert not ProcessingQueue.objects.exists()


def test_a_deletion_that_is_not_taken_leaves_a_queue_of_our_own(other, root, acme):
    other.send(snapshot())
    queue = ProcessingQueue.objects.get()
    fill(queue, acme, 1)
    other.send(snapshot("deleted", version=2))
    decide(root, "keep")
    assert QueueCopy.objects.get().state == "detached"
    assert queue.items.count() == 1


def test_what_follows_one_origin_is_not_taken_over_by_another(other, root):
    other.send(snapshot())
    other.send(snapshot(queue=8))
    page = decide(root, "take")
    assert page.status_code == 409
    assert "follows an origin already" in page.content.decode()


def test_a_replicated_queue_that_is_taken_over_is_released_by_us(other, root):
    from queues.replication.models import Outgoing

    ProcessingQueue.objects.create(name="Theirs", events=["call.created"], replicate=True)
    other.send(snapshot())
    decide(root, "take")
    assert ProcessingQueue.objects.get().replicate is False
    assert Outgoing.objects.get().kind == "released"


def test_many_are_decided_by_filter_and_those_that_do_not_fit_stay_open(other, root):
    for number, name in enumerate(["One", "Two"], start=1):
        ProcessingQueue.objects.create(name=name, events=["call.created"])
        other.send(snapshot(queue=number, name=name))
    other.send(snapshot(queue=3, name="Three", scope="one_tenant", tenant="nobody"))
    url = reverse("pairing:conflicts_bulk")
    asked = root.post(f"{url}?reason=name", {"action": "take", "all_matching": "1"})
    assert "2 rows" in asked.content.decode()
    page = root.post(url, {"action": "take", "all_matching": "1", "confirmed": "1"}, follow=True)
    assert "2 conflicts decided" in page.content.decode()
    assert "Three: Not known here: nobody" in page.content.decode()
    assert ReplicationConflict.objects.filter(state="open").count() == 1
    root.post(f"{url}?reason=unknown_tenant", {"action": "keep", "all_matching": "1", "confirmed": "1"})
    assert not ReplicationConflict.objects.filter(state="open").exists()
    assert root.post(url, {"action": "burn"}).status_code == 400
