"""The pairing server and conflicts of queues."""

from queues.replication.models import QueueCopy
from tests.audit.changes.world import Change, World, row


@row("pairing:edit")
def _(world: World) -> Change:
    good = {"own_name": "Home", "address": "https://93.184.216.34", "version": 0}
    good["public_key"] = "ed25519:a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
    return Change(world.root, good, {**good, "public_key": "ed25519:AAAA"})


@row("pairing:confirm")
def _(world: World) -> Change:
    world.pairing(confirmed_at=None)
    return Change(world.root, {"version": 1, "same": "on"}, {"version": 2, "same": "on"})


@row("pairing:test")
def _(world: World) -> Change:
    world.pairing()
    return Change(world.root)


@row("pairing:try_now")
def _(world: World) -> Change:
    world.pairing()
    return Change(world.root)


@row("pairing:unpair")
def _(world: World) -> Change:
    world.pairing()
    return Change(world.root)


@row("queues:detach")
def _(world: World) -> Change:
    world.conflict()
    QueueCopy.objects.update(queue=world.queue, state="attached")
    return Change(world.root, args=(world.queue.pk,))


@row("pairing:take")
def _(world: World) -> Change:
    return Change(world.root, args=(world.conflict().pk,))


@row("pairing:keep")
def _(world: World) -> Change:
    return Change(world.root, args=(world.conflict().pk,))


@row("pairing:rename")
def _(world: World) -> Change:
    return Change(world.root, {"name": "Free"}, {"name": "calls"}, args=(world.conflict().pk,))


@row("pairing:conflicts_bulk")
def _(world: World) -> Change:
    good = {"action": "keep", "selection": [world.conflict().pk], "confirmed": "1"}
    return Change(world.root, good, {**good, "action": "nonsense"})


@row("pairing:conflicts_bulk / take")
def _(world: World) -> Change:
    return Change(world.root, {"action": "take", "selection": [world.conflict().pk], "confirmed": "1"})


@row("queues:delete")
def _(world: World) -> Change:
    return Change(world.root, {"confirm_name": "Calls"}, {"confirm_name": "calls"}, (world.queue.pk,))
