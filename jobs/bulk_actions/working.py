"""Working an action off: slice by slice, each in a transaction of its own, so that a kill at any point loses nothing."""

import time
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone, translation

from audit.services import append
from core.leases import free, take
from jobs.bulk_actions.freezing import SLICE, freeze_on
from jobs.bulk_actions.models import BulkAction, BulkSlice
from jobs.bulk_actions.registry import ACTIONS, stamp_of
from jobs.models import Record

LEASE_S = 60
TURN_S = 20.0
CHANGED, GONE = "changed", "gone"
AT_WORK = (BulkAction.State.FREEZING, BulkAction.State.RUNNING)


def actions_at_work() -> list[str]:
    """Ids of actions that wait for a worker: new ones, and those whose worker died or gave them back."""
    waiting = BulkAction.objects.filter(free(), state__in=AT_WORK).order_by("created_at")
    return [str(pk) for pk in waiting.values_list("pk", flat=True)[:20]]


def work_on(action_id: str) -> None:
    """Take the action and go on with it for twenty seconds at most; then it is given back for the next turn.

    A worker that dies leaves its lease, which runs out after a minute; slices that were committed stay done.
    """
    bulk = _claim(action_id)
    if bulk is None:
        return
    if bulk.state == BulkAction.State.RUNNING and bulk.per_minute:
        work_portion(bulk, bulk.per_minute)
        return
    step = freeze_on if bulk.state == BulkAction.State.FREEZING else work_slice
    until = time.monotonic() + TURN_S
    with timezone.override(bulk.time_zone), translation.override(bulk.language or None):
        while step(bulk, bulk.fence) and time.monotonic() < until:
            pass
    BulkAction.objects.filter(pk=bulk.pk, fence=bulk.fence).update(lease_until=None)


def _claim(action_id: str) -> BulkAction | None:
    if not take(BulkAction.objects.filter(pk=action_id, state__in=AT_WORK), LEASE_S):
        return None
    return BulkAction.objects.select_related("user").get(pk=action_id)


def work_slice(bulk: BulkAction, fence: int) -> bool:
    """Do the next slice, or end the action; False when it has ended or is not ours any more."""
    with transaction.atomic():
        # The lock makes an abort wait for the slice at hand, and nobody work after an abort.
        mine = BulkAction.objects.select_for_update().filter(pk=bulk.pk, fence=fence, state=BulkAction.State.RUNNING)
        current = mine.first()
        if current is None:
            return False
        piece = BulkSlice.objects.filter(action=current, done=False).order_by("number").first()
        if piece is None:
            finish(current)
            return False
        change_members(current, piece)
        lease = timezone.now() + timedelta(seconds=LEASE_S)
        BulkAction.objects.filter(pk=current.pk).update(lease_until=lease)
    return True


def work_portion(bulk: BulkAction, per_minute: int) -> None:
    """Do as many members as ``per_minute`` allows in ten seconds, at least one, and stay away until others may follow.

    The lease does that: until it is over nobody takes the action. What the tick is late makes it slower, never faster.
    """
    number = max(per_minute // 6, 1)
    with transaction.atomic():
        _cut(bulk, min(number, SLICE))
        if not work_slice(bulk, bulk.fence):
            return
        pause = timedelta(seconds=60 * min(number, SLICE) / per_minute)
        BulkAction.objects.filter(pk=bulk.pk, fence=bulk.fence).update(lease_until=timezone.now() + pause)


def _cut(bulk: BulkAction, number: int) -> None:
    """Make the next slice no longer than ``number``; the rest of it becomes a slice of its own."""
    piece = BulkSlice.objects.filter(action=bulk, done=False).order_by("number").select_for_update().first()
    if piece is None or len(piece.ids) <= number:
        return
    last = BulkSlice.objects.filter(action=bulk).aggregate(last=Max("number"))["last"]
    BulkSlice.objects.create(action=bulk, number=last + 1, ids=piece.ids[number:], stamps=piece.stamps[number:])
    piece.ids, piece.stamps = piece.ids[:number], piece.stamps[:number]
    piece.save(update_fields=["ids", "stamps"])


def change_members(bulk: BulkAction, piece: BulkSlice) -> None:
    """Act on the members that are what they were when they were frozen; the others are noted with the cause.

    Inside the caller's transaction, which holds the lock of ``bulk``.
    """
    action = ACTIONS[bulk.action]
    locked = Record.objects.filter(pk__in=piece.ids).select_related("job", "tenant").order_by("pk")
    if not action.reads_only:
        locked = locked.select_for_update(of=("self",))
    found = {row.pk: row for row in locked}
    fit: list[Record] = []
    left: list[tuple[int, str]] = []
    for pk, stamp in zip(piece.ids, piece.stamps, strict=True):
        row = found.get(pk)
        if row is None:
            left.append((pk, GONE))
        elif action.reads_only or stamp_of(row.state, row.generation) == stamp:
            fit.append(row)
        else:
            left.append((pk, CHANGED))
    output = action.act(fit, bulk.actor) if fit else None
    piece.skipped_ids, piece.skipped_why = [pk for pk, _why in left], [why for _pk, why in left]
    piece.output, piece.done = output, True
    piece.save(update_fields=["skipped_ids", "skipped_why", "output", "done"])
    BulkAction.objects.filter(pk=bulk.pk).update(changed=F("changed") + len(fit), skipped=F("skipped") + len(left))


def finish(bulk: BulkAction) -> None:
    """Running → finished, with the audit row of the end; inside the transaction that holds the lock of ``bulk``."""
    BulkAction.objects.filter(pk=bulk.pk).update(
        state=BulkAction.State.FINISHED, ended_at=timezone.now(), lease_until=None
    )
    append(
        tenant_id=bulk.audit_tenant_id,
        actor=bulk.actor,
        action="bulk_action.finished",
        target_type="bulk_action",
        target_id=str(bulk.pk),
        details={"action": bulk.action, "count": bulk.total, "changed": bulk.changed, "skipped": bulk.skipped},
    )
