"""Doing what was previewed: to the calls that are still what they were, in one transaction with one audit row."""

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import append
from conversations.bulk.choosing import Choice, begin, keep, stamp_of, unbegin
from conversations.bulk.deeds import DEEDS, TEXT_EVENTS
from conversations.executions import erase_texts
from conversations.fields.editing import erase_values
from conversations.metadata import MAX_TAGS, check_tag
from conversations.models import Call, Recording, TranscriptionState
from conversations.selectors import visible_calls
from conversations.services import retag_calls, set_transcription_states
from conversations.tasks import ask_to_remove
from conversations.trials import erase_trials
from core.errors import Conflict
from queues.events import Event, RecordType
from queues.services import publish, put_again
from tenants.doors import current_tenant

# Jobs leave alone what was aborted.
TAKEN_ANEW = (TranscriptionState.FAILED, TranscriptionState.SKIPPED)
CHANGED, GONE, AS_IT_WAS = "changed", "gone", "as_it_was"


def carry_out(*, choice: Choice, user: User, tag: str = "") -> Choice:
    """Do it; return the choice with what came of it. Calls that changed since the preview are left alone and named.

    Raises InvalidInput for a tag that cannot be one; Conflict when it was begun already, when nothing is chosen, or
    when no queue would take the calls.
    """
    deed = DEEDS[choice.deed]
    if deed.tagged:
        check_tag("tag", tag)
        choice.value = tag.strip()
    if not choice.calls:
        raise Conflict(_("No conversation is left that this action can change."))
    if not begin(choice):
        raise Conflict(_("This action was started already."))
    try:
        with transaction.atomic():
            _do(choice, user)
    except BaseException:
        unbegin(choice)
        raise
    choice.done = True
    keep(choice)
    return choice


def _do(choice: Choice, user: User) -> None:
    fit = _still_fit(choice, user)
    changed = ACTS[choice.deed](fit, choice.value) if fit else []
    untouched = {call.pk for call in fit} - {call.pk for call in changed}
    choice.left += [(str(pk), AS_IT_WAS) for pk in sorted(untouched)]
    choice.changed = len(changed)
    chosen = "ticked" if choice.ticked else "all matching"
    details: dict[str, Any] = {"count": len(changed), "skipped": len(choice.left), "chosen": chosen}
    # The names of the filters, not what was looked for in them: that may have been said by somebody.
    details |= {"filters": choice.filters} if choice.filters else {}
    details |= {"tag": choice.value} if choice.value else {}
    if choice.deed == "delete":
        details["external_ids"] = [call.external_id for call in changed]
    append(
        tenant_id=current_tenant().pk,
        actor=user.actor,
        action=DEEDS[choice.deed].audited,
        target_type="calls",
        target_id=choice.id,
        details=details,
    )


def _still_fit(choice: Choice, user: User) -> list[Call]:
    """The chosen calls, locked, that are what they were; the others are noted with the cause.

    Who may not see or change one any more finds it gone.
    """
    stamps = dict(choice.calls)
    mine = visible_calls(user).filter(DEEDS[choice.deed].open_to(user), pk__in=stamps)
    locked = {str(call.pk): call for call in mine.select_for_update(of=("self",)).order_by("pk")}
    fit = []
    for pk, stamp in choice.calls:
        if pk in locked and stamp_of(locked[pk]) == stamp:
            fit.append(locked[pk])
        else:
            there = pk in locked or visible_calls(user).filter(pk=pk).exists()
            choice.left.append((pk, CHANGED if there else GONE))
    return fit


def _tag(calls: list[Call], tag: str) -> list[Call]:
    return _retag([call for call in calls if tag not in call.tags and len(call.tags) < MAX_TAGS], assign=tag)


def _untag(calls: list[Call], tag: str) -> list[Call]:
    return _retag([call for call in calls if tag in call.tags], clear=tag)


def _retag(calls: list[Call], *, clear: str = "", assign: str = "") -> list[Call]:
    ids = [call.pk for call in calls]
    retag_calls(tenant=current_tenant(), call_ids=ids, clear=clear, assign=assign)
    Call.objects.filter(pk__in=ids).update(changed_at=Now())
    return calls


def _process(calls: list[Call], _tag: str) -> list[Call]:
    ids = [call.pk for call in calls]
    if not put_again(tenant=current_tenant(), event=Event.CALL_RECORDING_FINISHED, record_ids=ids):
        raise Conflict(_("No enabled queue collects finished recordings of this organisation."))
    # What jobs take up anew waits from now on, and not from when they come to it.
    again = [call.pk for call in calls if call.transcription_state in TAKEN_ANEW]
    set_transcription_states(states=dict.fromkeys(again, (TranscriptionState.NONE, "")))
    return calls


def _analyse(calls: list[Call], _tag: str) -> list[Call]:
    tenant, reached = current_tenant(), []
    for written, event in TEXT_EVENTS.items():
        group = [call for call in calls if call.is_written == written]
        if group and put_again(tenant=tenant, event=event, record_ids=[call.pk for call in group]):
            reached += group
    if not reached:
        raise Conflict(_("No enabled queue collects transcripts and threads of this organisation."))
    # A person has asked: what the sender wanted is over.
    Call.objects.filter(pk__in=[call.pk for call in reached], ai_on_request=True).update(ai_on_request=False)
    return reached


def _delete(calls: list[Call], _tag: str) -> list[Call]:
    tenant, ids = current_tenant(), [call.pk for call in calls]
    keys = list(Recording.objects.filter(call__in=ids).values_list("storage_key", flat=True))
    spoken = sorted(call.pk for call in calls if not call.is_written)
    written = sorted(call.pk for call in calls if call.is_written)
    erase_values(RecordType.CALL, spoken)
    erase_values(RecordType.CONVERSATION, written)
    erase_texts(ids)
    erase_trials(ids)
    Call.objects.filter(pk__in=ids).delete()
    publish(tenant=tenant, event=Event.CALL_DELETED, record_ids=spoken)
    publish(tenant=tenant, event=Event.CONVERSATION_DELETED, record_ids=written)
    transaction.on_commit(partial(ask_to_remove, str(tenant.pk), keys))
    return calls


ACTS = {"tag": _tag, "untag": _untag, "process": _process, "analyse": _analyse, "delete": _delete}
