"""Jobs, backfills, tokens, records and workers."""

from typing import Any

from django.urls import reverse
from django.utils import timezone

from jobs.bulk_actions.freezing import Chosen, preview_action
from jobs.bulk_actions.models import BulkAction
from jobs.bulk_actions.services import IMMEDIATE
from jobs.models import Continuation, JobDefinition, LogEntry
from jobs.sweeps.tokens import token_of
from jobs.tasks import estimate
from tests.audit.changes.world import Change, World, row
from tests.jobs import pages


def job_form(world: World, **changes: Any) -> dict[str, Any]:
    """What the job form posts."""
    return pages.job_form(world.queue, world.engine, **changes)


@row("jobs:add")
def _(world: World) -> Change:
    return Change(world.root, job_form(world), job_form(world, engine=""))


@row("jobs:add / save and start")
def _(world: World) -> Change:
    return Change(world.root, job_form(world, action="save_and_start"), job_form(world, name=""))


@row("jobs:edit")
def _(world: World) -> Change:
    return Change(world.root, job_form(world, version=1), job_form(world, version=5), (world.job.pk,))


@row("jobs:delete")
def _(world: World) -> Change:
    return Change(world.root, {"confirm_name": "Transcribe"}, {"confirm_name": "no"}, (world.job.pk,))


@row("jobs:start")
def _(world: World) -> Change:
    return Change(world.root, args=(world.job.pk,))


@row("jobs:pause")
def _(world: World) -> Change:
    return Change(world.root, args=(world.job.pk,))


@row("jobs:start / after a pause")
def _(world: World) -> Change:
    JobDefinition.objects.filter(pk=world.job.pk).update(paused_at=timezone.now())
    return Change(world.root, args=(world.job.pk,))


@row("jobs:clone")
def _(world: World) -> Change:
    return Change(world.root, {"name": "Twin"}, {"name": "Transcribe"}, (world.job.pk,))


@row("jobs:jobs_bulk")
def _(world: World) -> Change:
    good = {"action": "pause", "selection": [world.job.pk], "confirmed": "1"}
    return Change(world.root, good, {**good, "action": "nonsense"})


@row("jobs:stop")
def _(world: World) -> Change:
    return Change(world.root, args=(world.job.pk,))


@row("jobs:enable")
def _(world: World) -> Change:
    JobDefinition.objects.filter(pk=world.job.pk).update(enabled=False)
    return Change(world.root, args=(world.job.pk,))


@row("jobs:backfill")
def _(world: World) -> Change:
    good = pages.backfill_form(world.engine)
    estimate(world.root.post(reverse("jobs:backfill"), {**good, "action": "preview"}).context["estimate_key"])
    return Change(world.root, good, {**good, "first_day": "2027-01-01"})


@row("jobs:token")
def _(world: World) -> Change:
    token = token_of(Continuation.objects.get(job=world.sweeping_job))
    return Change(world.root, {"token": token}, {"token": token[:-20]}, (world.sweeping_job.pk,))


@row("jobs:token_reset")
def _(world: World) -> Change:
    return Change(world.root, args=(world.sweeping_job.pk,))


@row("jobs:records_bulk / export")
def _(world: World) -> Change:
    good = {"action": "export", "selection": [world.record().pk]}
    return Change(world.root, good, {"action": ""}, (world.job.pk,), good_status=200)


def preview(world: World, number: int = 1) -> BulkAction:
    """A bulk action that waits for its start."""
    ticked = [world.record().pk for _n in range(number)]
    chosen = Chosen("records", world.job.pk, ticked=ticked)
    root = world.people.platform_admin
    return preview_action(action="retry", chosen=chosen, user=root, actor=root.actor, audit_tenant=world.system)


@row("jobs:bulk_start")
def _(world: World) -> Change:
    return Change(world.root, args=(preview(world, 2).pk,))


@row("jobs:bulk_start / in the background")
def _(world: World) -> Change:
    return Change(world.root, args=(preview(world, IMMEDIATE + 1).pk,), good={"reason": "why not"})


@row("jobs:bulk_abort")
def _(world: World) -> Change:
    return Change(world.root, args=(preview(world).pk,))


@row("jobs:logs_bulk")
def _(world: World) -> Change:
    entry = LogEntry.objects.create(job=world.job, at=timezone.now(), severity="error", message="m")
    good = {"action": "delete", "selection": [entry.pk], "confirmed": "1"}
    return Change(world.root, good, {"action": "nonsense"}, (world.job.pk,))


@row("jobs:record_retry")
def _(world: World) -> Change:
    return Change(world.root, args=(world.job.pk, world.record().pk))


@row("jobs:record_abort")
def _(world: World) -> Change:
    return Change(world.root, args=(world.job.pk, world.record("in_progress").pk))


@row("workers:stop")
def _(world: World) -> Change:
    return Change(world.root, args=(pages.make_worker().pk,))


@row("workers:bulk")
def _(world: World) -> Change:
    good = {"action": "stop", "selection": [str(pages.make_worker().pk)], "confirmed": "1"}
    return Change(world.root, good, {**good, "action": "nonsense"})
