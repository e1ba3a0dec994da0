"""Fixing which records an action is about: at its preview, with what each of them was then."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, QuerySet
from django.http import QueryDict
from django.utils import timezone, translation

from accounts.models import User
from core.errors import InvalidInput
from jobs.bulk_actions.models import BulkAction, BulkSlice
from jobs.bulk_actions.registry import ACTIONS, SOURCES, stamp_of
from jobs.models import Record
from tenants.models import Tenant

SLICE = 1000
AT_ONCE = 2000
PER_STEP = 10_000
SAMPLE = 5


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a preview is about: the rows of a list by the query of its address, or ``ticked`` ones among them."""

    source: str
    source_id: int
    query: str = ""
    ticked: Sequence[int] | None = None


def preview_action(*, action: str, chosen: Chosen, user: User, actor: str, audit_tenant: Tenant) -> BulkAction:
    """Freeze the rows that ``action`` would change; up to 2,000 are frozen now, more by the task that goes on.

    Times that the query names by their day are those of the viewer's zone at this moment, also when the task reads
    them. Raises InvalidInput for an action that there is not, or filters that break a rule. No record is changed.
    """
    if action not in ACTIONS:
        raise InvalidInput("action", translation.gettext("There is no such action."))
    bulk = BulkAction(
        action=action,
        source=chosen.source,
        source_id=chosen.source_id,
        query=chosen.query,
        ticked=list(chosen.ticked) if chosen.ticked is not None else None,
        user=user,
        actor=actor,
        audit_tenant=audit_tenant,
        time_zone=timezone.get_current_timezone_name(),
        language=translation.get_language() or "",
    )
    rows = _rows(bulk, user)
    with transaction.atomic():
        bulk.save(force_insert=True)
        _freeze(bulk, rows, AT_ONCE)
    return bulk


def freeze_on(bulk: BulkAction, fence: int) -> bool:
    """Freeze the next ten thousand rows; False when there is nothing more to do or somebody else has taken over.

    Of a person who is gone or may not sign in any more nothing is looked up, and a filter that means nothing any more
    (its tenant is gone) matches nothing: the action ends.
    """
    ours = BulkAction.objects.filter(pk=bulk.pk, fence=fence, state=BulkAction.State.FREEZING)
    try:
        rows = _rows(bulk, bulk.user) if bulk.user is not None and bulk.user.is_active else None
    except InvalidInput:
        rows = None
    if rows is None:
        ours.update(state=BulkAction.State.ABORTED, ended_at=timezone.now())
        return False
    with transaction.atomic():
        current = ours.select_for_update().first()
        return current is not None and _freeze(current, rows, PER_STEP)


def _rows(bulk: BulkAction, user: User) -> QuerySet[Record]:
    rows = SOURCES[bulk.source].rows(bulk.source_id, user, QueryDict(bulk.query))
    if bulk.ticked is not None:
        rows = rows.filter(pk__in=bulk.ticked)
    return ACTIONS[bulk.action].eligible(rows)


def _freeze(bulk: BulkAction, rows: QuerySet[Record], number: int) -> bool:
    """Store the next ``number`` members, newest first: what comes later is not among them. True when more may follow."""
    if bulk.frozen_to is not None:
        rows = rows.filter(pk__lt=bulk.frozen_to)
    found = list(rows.order_by("-pk").values_list("pk", "state", "generation")[: number + 1])
    more, found = len(found) > number, found[:number]
    first = BulkSlice.objects.filter(action=bulk).count() if bulk.frozen_to is not None else 0
    BulkSlice.objects.bulk_create(
        BulkSlice(
            action=bulk,
            number=first + start // SLICE,
            ids=[pk for pk, _state, _generation in found[start : start + SLICE]],
            stamps=[stamp_of(state, generation) for _pk, state, generation in found[start : start + SLICE]],
        )
        for start in range(0, len(found), SLICE)
    )
    bulk.frozen_to = found[-1][0] if found else bulk.frozen_to
    bulk.total += len(found)
    bulk.state = BulkAction.State.FREEZING if more else BulkAction.State.READY
    bulk.lease_until = None
    changes = {"frozen_to": bulk.frozen_to, "total": F("total") + len(found), "state": bulk.state}
    BulkAction.objects.filter(pk=bulk.pk, state=BulkAction.State.FREEZING).update(**changes)
    return more


def sample_of(bulk: BulkAction) -> list[Record]:
    """Five members at most, for the preview; those that are gone meanwhile are left out."""
    first = BulkSlice.objects.filter(action=bulk).order_by("number").first()
    ids = first.ids[:SAMPLE] if first is not None else []
    return list(Record.objects.filter(pk__in=ids).select_related("job", "tenant").order_by("-pk"))
