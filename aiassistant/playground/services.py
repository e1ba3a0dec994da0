"""Starting, holding and ending runs of the playground: guarded updates, so that whoever is late changes nothing."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from aiassistant.library.audit import record
from aiassistant.library.checking import CONTENT, checked_content
from aiassistant.library.models import AITask, AITaskVersion, TaskActivation
from aiassistant.library.selectors import definition_for, production_of
from aiassistant.playground.asking import Asked
from aiassistant.playground.models import PlaygroundRun
from aiassistant.playground.reach import may_try, readable_among
from aiassistant.registry import engine_types
from conversations.trials import KEPT_DAYS
from core.errors import Conflict, InvalidInput
from core.moves import move
from core.outcomes import Reason
from engines.selectors import EngineUnusable
from tenants.models import Tenant

MOST = 20
# Of one person within a minute, and of one tenant at the same time.
MOST_STARTED, MOST_RUNNING = 5, 3
LEASE_S = 30
MOST_CRASHES = 3
UNREADABLE = gettext_lazy("One of these conversations does not exist, or you may not read it.")
State = PlaygroundRun.State
UNFINISHED = (State.WAITING, State.RUNNING)


@transaction.atomic
def start_run(
    *,
    task: AITask,
    tenant: Tenant,
    content: Mapping[str, Any],
    number: int | None,
    newest: int | None,
    wanted: Sequence[uuid.UUID],
    editor: User,
) -> PlaygroundRun:
    """Have a draft tried on the ``newest`` conversations of ``tenant`` that pass its filters, or on the ``wanted`` ones.

    ``content`` is what it asks (``checking.CONTENT``), ``number`` the version that it is stored as, None for unsaved edits.
    A worker does the rest. Raises InvalidInput naming the field: a draft that could not be saved, an engine that cannot
    be asked, more than 20 conversations or none. Raises Conflict out of reach, and when too many runs are under way.
    """
    if not may_try(editor, task, tenant):
        raise Conflict(_("You may not try this task on conversations of this tenant."))
    if newest is not None and not 1 <= newest <= MOST:
        raise InvalidInput("newest", _("A whole number between %(low)s and %(high)s.") % {"low": 1, "high": MOST})
    chosen = list(dict.fromkeys(wanted))
    if len(chosen) > MOST:
        raise InvalidInput(
            "conversations", _("At most %(most)s conversations; these are %(n)s.") % {"most": MOST, "n": len(chosen)}
        )
    if newest is None and not chosen:
        raise InvalidInput("conversations", _("Choose how many, or which conversations."))
    if chosen and editor.stands_in == tenant.pk and len(readable_among(editor, chosen)) < len(chosen):
        raise InvalidInput("conversations", str(UNREADABLE))
    stored = checked_content(content, key=task.key, tenant=task.tenant)
    _demand_engine(task, tenant, stored)
    _demand_room(tenant, editor)
    running = running_version(task, tenant)
    same = running is not None and _asks_the_same(running, stored, number)
    run = PlaygroundRun.objects.create(
        task=task,
        tenant=tenant,
        content=stored,
        number=number,
        current=None if running is None or same else running.pk,
        newest=None if chosen else newest,
        wanted=chosen,
        requested_by=editor,
    )
    details = {"version": number, "conversations": len(chosen) or newest, "run": str(run.pk)}
    record(task, editor, "ai_task.tried", tenant=tenant, details=details)
    return run


def running_version(task: AITask, tenant: Tenant) -> AITaskVersion | None:
    """What runs, or would run, for the tenant: its override, or else the version in production."""
    chosen = TaskActivation.objects.filter(tenant=tenant, task=task).select_related("override").first()
    return (chosen.override if chosen is not None else None) or production_of(task)


def _asks_the_same(running: AITaskVersion, stored: Mapping[str, Any], number: int | None) -> bool:
    """Whether the draft is the version that runs, or differs from it in nothing."""
    if running.tenant_id is None and number == running.number:
        return True
    return all(getattr(running, name) == stored[name] for name in CONTENT)


def draft_of(task: AITask, content: Mapping[str, Any], number: int | None) -> AITaskVersion:
    """The draft as a version that is not stored."""
    return AITaskVersion(pk=0, task=task, number=number or 0, **content)


def _demand_engine(task: AITask, tenant: Tenant, stored: Mapping[str, Any]) -> None:
    definition = definition_for(task, draft_of(task, stored, None))
    try:
        engine, target = Asked().target_of(definition, tenant)
    except EngineUnusable as error:
        raise InvalidInput("engine", _("Nothing can be asked: %(why)s.") % {"why": str(error).rstrip(".")}) from None
    kind = engine_types().get(engine.engine_type)
    refusals = {} if kind is None else kind.unanswerable(definition.outputs)
    for name, why in refusals.items():
        raise InvalidInput("outputs", f"{target.name}: {name}: {why}")


def _demand_room(tenant: Tenant, editor: User) -> None:
    minute_ago = timezone.now() - timedelta(minutes=1)
    if PlaygroundRun.objects.filter(requested_by=editor, created_at__gt=minute_ago).count() >= MOST_STARTED:
        raise Conflict(_("That were %(n)s tries within a minute. Wait a moment.") % {"n": MOST_STARTED})
    if PlaygroundRun.objects.filter(tenant=tenant, state__in=UNFINISHED).count() >= MOST_RUNNING:
        raise Conflict(_("%(n)s tries are under way for this tenant. Wait for one to end.") % {"n": MOST_RUNNING})


@transaction.atomic
def cancel_run(*, run: PlaygroundRun, editor: User) -> None:
    """End a run: at once when nobody works on it, else as soon as its worker looks. Raises Conflict when it has ended."""
    if not may_try(editor, run.task, run.tenant):
        raise Conflict(_("You may not try this task on conversations of this tenant."))
    rows = PlaygroundRun.objects.filter(pk=run.pk)
    waited = rows.filter(state=State.WAITING).update(state=State.CANCELLED, ended_at=timezone.now())
    if not waited:
        text = _("The try has ended already.")
        move(rows.filter(state=State.RUNNING, stopping=False), conflict=text, stopping=True)
    record(run.task, editor, "ai_task.try_cancelled", tenant=run.tenant, details={"run": str(run.pk)})


def claim_run(run_id: str) -> PlaygroundRun | None:
    """Take a run that waits, or whose worker died; None when somebody else has it, it has ended, or it killed three."""
    now = timezone.now()
    rows = PlaygroundRun.objects.filter(pk=run_id)
    taken = {"state": State.RUNNING, "fence": F("fence") + 1, "lease_until": now + timedelta(seconds=LEASE_S)}
    dead = rows.filter(state=State.RUNNING, lease_until__lt=now)
    claimed = rows.filter(state=State.WAITING, next_at__lte=now).update(**taken)
    if not claimed and not dead.update(**taken, crashes=F("crashes") + 1):
        return None
    run = PlaygroundRun.objects.select_related("task", "tenant", "requested_by__tenant").get(pk=run_id)
    if run.crashes >= MOST_CRASHES:
        text = ngettext("%(n)s worker died with it", "%(n)s workers died with it", run.crashes) % {"n": run.crashes}
        end_run(run, State.FAILED, reason=Reason.CRASHED, detail=text)
        return None
    return run


def held(run: PlaygroundRun) -> Any:
    """The row of a run while this worker holds it."""
    return PlaygroundRun.objects.filter(pk=run.pk, state=State.RUNNING, fence=run.fence)


def keep_hold(run: PlaygroundRun) -> bool:
    """Hold the run longer; whether it is to be stopped. Raises Conflict when another worker has it."""
    move(held(run), lease_until=timezone.now() + timedelta(seconds=LEASE_S))
    return PlaygroundRun.objects.filter(pk=run.pk, stopping=True).exists()


def begin_run(run: PlaygroundRun, records: Sequence[uuid.UUID]) -> None:
    """Keep which conversations are asked about. Raises Conflict."""
    move(held(run), records=list(records))
    run.records = list(records)


def put_off(run: PlaygroundRun, delay_s: float) -> None:
    """Let the run wait for the tenant's rate. Raises Conflict."""
    move(held(run), state=State.WAITING, lease_until=None, next_at=timezone.now() + timedelta(seconds=delay_s))


def end_run(run: PlaygroundRun, state: State, *, reason: str = "", detail: str = "") -> None:
    """End a run that this worker holds. Raises Conflict when another one has it."""
    told, now = detail[:500], timezone.now()
    move(held(run), state=state, reason=str(reason), detail=told, figures=run.figures, ended_at=now, lease_until=None)


def left_behind() -> list[uuid.UUID]:
    """Ids of runs that are due and of those whose worker died."""
    now = timezone.now()
    due = Q(state=State.WAITING, next_at__lt=now - timedelta(seconds=2)) | Q(state=State.RUNNING, lease_until__lt=now)
    return list(PlaygroundRun.objects.filter(due).order_by("next_at").values_list("pk", flat=True)[:100])


def prune_runs() -> int:
    """Delete runs that are older than what is kept of their answers; return how many."""
    old = timezone.now() - timedelta(days=KEPT_DAYS)
    return int(PlaygroundRun.objects.filter(created_at__lt=old).delete()[0])
