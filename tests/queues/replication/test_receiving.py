"""What a snapshot does here: applied, known already, or kept as a conflict; nothing is overwritten or lost."""

import pytest

from audit.models import AuditEntry
from core.errors import Conflict
from queues.emptying import delete_queue
from queues.models import ProcessingQueue, QueueFlow
from queues.replication.copies import detach
from queues.replication.models import QueueCopy, ReplicationConflict
from queues.services import save_queue, set_enabled, set_paused
from tenants.models import Tenant, TenantGroup
from tests.queues.filling import fill
from tests.queues.replication.other import snapshot

pytestmark = pytest.mark.django_db


def the_copy() -> ProcessingQueue:
    return QueueCopy.objects.get().queue


def conflict() -> ReplicationConflict:
    return ReplicationConflict.objects.get(state="open")


def test_a_new_queue_is_created_with_its_settings_and_changed_later(other, acme):
    group = TenantGroup.objects.create(name="North")
    assert other.send(snapshot(scope="one_tenant", tenant="acme", enabled=False)) == "applied"
    queue = the_copy()
    assert (queue.name, queue.scope, queue.tenant, queue.enabled) == ("Theirs", "one_tenant", acme, False)
    settings = {"name": "Renamed", "scope": "tenant_groups", "tenant_groups": ["North"], "events": ["call.created"]}
    assert other.send(snapshot(version=2, **settings)) == "applied"
    queue.refresh_from_db()
    assert (queue.name, queue.scope, queue.tenant, queue.events) == ("Renamed", "tenant_groups", None, ["call.created"])
    assert list(queue.tenant_groups.all()) == [group]
    actions = AuditEntry.objects.filter(action__startswith="queue.").order_by("pk").values_list("action", "actor")
    assert list(actions) == [
        ("queue.replica_created", "pairing server Alpha"),
        ("queue.replica_changed", "pairing server Alpha"),
    ]


def test_the_same_or_a_lower_version_changes_nothing(other):
    other.send(snapshot(version=5, name="Five"))
    for version in (5, 4, 1):
        assert other.send(snapshot(version=version, name="Old")) == "unchanged"
        assert other.send(snapshot("deleted", version=version)) == "unchanged"
    assert the_copy().name == "Five"


def test_the_status_of_a_copy_is_our_own(other, by):
    other.send(snapshot())
    queue = the_copy()
    set_enabled(queues=[queue], enabled=False, **by)
    set_paused(queues=[queue], paused=True, **by)
    other.send(snapshot(version=2, name="New name"))
    queue.refresh_from_db()
    assert (queue.name, queue.enabled, queue.paused) == ("New name", False, True)


def test_settings_of_a_copy_cannot_be_changed_here_until_it_is_detached(other, by):
    other.send(snapshot())
    queue = the_copy()
    values = {"name": "Theirs", "enabled": False, "scope": "global", "tenant": None, "record_type": "call"}
    values |= {"events": ["call.recording_finished"], "replicate": False}
    queue = save_queue(queue=queue, values=values, tenant_groups=[], **by)
    assert not queue.enabled
    with pytest.raises(Conflict, match="replicated from “Alpha”"):
        save_queue(queue=queue, values={**values, "events": ["call.created"]}, tenant_groups=[], **by)
    detach(queue=queue, **by)
    assert save_queue(queue=queue, values={**values, "name": "Ours"}, tenant_groups=[], **by).name == "Ours"
    with pytest.raises(Conflict, match="not replicated from anywhere"):
        detach(queue=queue, **by)


def test_a_queue_of_the_same_name_is_left_alone_whatever_the_case(other):
    ours = ProcessingQueue.objects.create(name="THEIRS", events=["call.created"])
    assert other.send(snapshot()) == "conflict name"
    ours.refresh_from_db()
    assert ours.events == ["call.created"]
    assert ProcessingQueue.objects.count() == 1
    assert (conflict().queue, conflict().ours["name"], conflict().theirs["name"]) == (ours, "THEIRS", "Theirs")
    assert other.send(snapshot()) == "unchanged"


def test_unknown_tenants_and_groups_are_not_guessed(other, acme):
    assert other.send(snapshot(scope="one_tenant", tenant="acm")) == "conflict unknown_tenant"
    assert other.send(snapshot(queue=8, scope="one_tenant", tenant="")) == "conflict unknown_tenant"
    TenantGroup.objects.create(name="North")
    groups = {"scope": "tenant_groups", "tenant_groups": ["North", "south"]}
    assert other.send(snapshot(queue=9, **groups)) == "conflict unknown_groups"
    assert other.send(snapshot(queue=10, scope="tenant_groups")) == "conflict unknown_groups"
    Tenant.objects.filter(pk=acme.pk).update(state="deleted")
    assert other.send(snapshot(queue=11, scope="one_tenant", tenant="acme")) == "conflict unknown_tenant"
    assert not ProcessingQueue.objects.exists()


def test_a_detached_or_deleted_copy_is_not_brought_back(other, by):
    other.send(snapshot())
    detach(queue=the_copy(), **by)
    assert other.send(snapshot(version=2, events=["call.created"])) == "conflict detached"
    assert the_copy().events == ["call.recording_finished"]
    other.send(snapshot(queue=8, name="Second"))
    delete_queue(queue=ProcessingQueue.objects.get(name="Second"), **by)
    assert other.send(snapshot(queue=8, version=2, name="Second")) == "conflict deleted_here"
    assert not ProcessingQueue.objects.filter(name="Second").exists()


def test_a_deleted_queue_goes_unless_it_is_in_use_here(other, acme):
    other.send(snapshot())
    queue = the_copy()
    fill(queue, acme, 1)
    assert other.send(snapshot("deleted", version=2)) == "conflict in_use"
    queue.items.all().delete()
    assert other.send(snapshot("deleted", version=3)) == "applied"
    assert not ProcessingQueue.objects.exists()
    assert not QueueFlow.objects.filter(queue_id=queue.pk).exists()
    assert list(ReplicationConflict.objects.values_list("state", flat=True)) == ["superseded"]


def test_a_queue_that_a_job_reads_or_feeds_is_not_deleted(other):
    from jobs.models import JobDefinition

    other.send(snapshot())
    other.send(snapshot(queue=8, name="Next"))
    first, second = ProcessingQueue.objects.order_by("pk")
    job = JobDefinition.objects.create(name="Job", kind="transcription", source_queue=first)
    job.publish_to.add(second)
    assert other.send(snapshot("deleted", version=2)) == "conflict in_use"
    assert other.send(snapshot("deleted", queue=8, version=2, name="Next")) == "conflict in_use"
    assert ProcessingQueue.objects.count() == 2


def test_a_deletion_of_what_is_not_here_or_was_detached_changes_no_queue(other, by):
    assert other.send(snapshot("deleted", version=3)) == "applied"
    other.send(snapshot(queue=8))
    detach(queue=ProcessingQueue.objects.get(), **by)
    assert other.send(snapshot("deleted", queue=8, version=2)) == "applied"
    assert ProcessingQueue.objects.get().name == "Theirs"


def test_what_the_origin_no_longer_replicates_becomes_our_own(other):
    other.send(snapshot())
    assert other.send(snapshot("released", version=2)) == "applied"
    assert QueueCopy.objects.get().state == "detached"
    assert the_copy().name == "Theirs"
    assert other.send(snapshot(version=3)) == "conflict detached"


def test_renaming_onto_a_queue_of_ours_is_a_conflict_and_the_old_name_stays(other):
    other.send(snapshot())
    ProcessingQueue.objects.create(name="Ours", events=["call.created"])
    assert other.send(snapshot(version=2, name="Ours")) == "conflict name"
    assert the_copy().name == "Theirs"
    assert other.send(snapshot(version=3, name="Free")) == "applied"
    assert ReplicationConflict.objects.get().state == "superseded"
    assert the_copy().name == "Free"
