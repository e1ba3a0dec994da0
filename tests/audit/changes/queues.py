"""Queues and their dead letters."""

from django.utils import timezone

from queues.models import ProcessingQueue, QueuePurge
from tests.audit.changes.world import QUEUE, Change, World, row


@row("queues:add")
def _(world: World) -> Change:
    return Change(world.root, QUEUE, {**QUEUE, "events": ["integration_event.created"]})


@row("queues:edit")
def _(world: World) -> Change:
    return Change(world.root, {**QUEUE, "version": 1}, {**QUEUE, "version": 7}, (world.queue.pk,))


@row("queues:bulk")
def _(world: World) -> Change:
    more = ProcessingQueue.objects.create(name="More", events=["call.created"])
    return Change(
        world.root,
        {"action": "disable", "selection": [world.queue.pk, more.pk]},
        {"action": "nonsense", "selection": [world.queue.pk]},
    )


@row("queues:purge")
def _(world: World) -> Change:
    return Change(world.root, {"confirm_name": "Calls"}, {"confirm_name": "calls"}, (world.queue.pk,))


@row("queues:keep")
def _(world: World) -> Change:
    QueuePurge.objects.create(
        queue=world.queue, until=1, total=10, actor="test", audit_tenant=world.system, asked_at=timezone.now()
    )
    return Change(world.root, args=(world.queue.pk,))


@row("queues:pause")
def _(world: World) -> Change:
    return Change(world.root, args=(world.queue.pk,))


@row("queues:resume")
def _(world: World) -> Change:
    ProcessingQueue.objects.filter(pk=world.queue.pk).update(paused=True)
    return Change(world.root, args=(world.queue.pk,))


@row("queues:enable")
def _(world: World) -> Change:
    ProcessingQueue.objects.filter(pk=world.queue.pk).update(enabled=False)
    return Change(world.root, args=(world.queue.pk,))


@row("queues:drain")
def _(world: World) -> Change:
    return Change(world.root, args=(world.queue.pk,))


@row("dead_letters:bulk")
def _(world: World) -> Change:
    record = world.record("failed")
    good = {"action": "requeue", "selection": [record.pk], "confirmed": "1"}
    return Change(world.root, good, {**good, "action": "nonsense"}, (world.queue.pk,))
