"""The page of a bulk action: preview, progress, what was skipped; starting and aborting it (screens §3.3)."""

import tempfile
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.permissions import Permission
from accounts.policy import viewer
from core.exports import csv_response
from core.pages import ActionPage, Crumbs, Page, Text, stamp_of, whole
from jobs.bulk_actions.exporting import file_of
from jobs.bulk_actions.freezing import sample_of
from jobs.bulk_actions.models import BulkAction
from jobs.bulk_actions.registry import ACTIONS, SOURCES
from jobs.bulk_actions.services import IMMEDIATE, abort_action, start_action
from jobs.bulk_actions.working import CHANGED, GONE
from jobs.selectors import bulk_actions_for, left_alone
from jobs.views.definitions import job_crumbs

SHOWN = 500
IN_MEMORY_BYTES = 1024 * 1024


def bulk_of(request: HttpRequest, pk: UUID) -> BulkAction:
    """The action of the address. Raises Http404, also for one of somebody else that the viewer may not see."""
    bulk: BulkAction = get_object_or_404(bulk_actions_for(viewer(request)), pk=pk)
    return bulk


def title_of(bulk: BulkAction) -> str:
    """For example "Retry: 1,725 records"."""
    number = ngettext("%(n)s record", "%(n)s records", bulk.total) % {"n": f"{bulk.total:,}"}
    return f"{ACTIONS[bulk.action].label}: {number}"


def shown_action(bulk: BulkAction) -> dict[str, Any]:
    """A line that leads to the action."""
    return {"bulk": bulk, "title": title_of(bulk), "url": reverse("jobs:bulk_action", args=[bulk.pk])}


def words_of_why(code: str) -> str:
    """Why a member was left alone."""
    return {CHANGED: _("Changed meanwhile: skipped"), GONE: _("Deleted meanwhile: skipped")}.get(code, code)


class BulkPage(Page):
    """Before its start the preview, then the progress, in the end what came of it."""

    template_name = "jobs/bulk_action.html"
    region = "bulk"

    def get_title(self) -> Text:
        """What is done to how many."""
        return title_of(self.bulk)

    def breadcrumbs(self) -> Crumbs:
        """Below the list that it acts on."""
        source = SOURCES[self.bulk.source]
        return [*job_crumbs(), (source.title(self.bulk.source_id), source.url(self.bulk.source_id))]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page, polled while something goes on; or what was skipped as CSV."""
        bulk = self.bulk = bulk_of(request, kwargs["pk"])
        if request.GET.get("format") == "csv":
            rows = [[pk, words_of_why(why)] for pk, why in left_alone(bulk)]
            return csv_response(_("Skipped"), [_("Record"), _("Why")], rows)
        action, user, states = ACTIONS[bulk.action], viewer(request), BulkAction.State
        mine, may_act = bulk.user_id == user.pk, user.has(Permission.RECORDS_EDIT)
        working = bulk.state in {states.FREEZING, states.RUNNING}
        url = SOURCES[bulk.source].url(bulk.source_id)
        context = self.context(
            bulk=bulk,
            action=action,
            list_url=f"{url}?{bulk.query}" if bulk.query else url,
            chosen=_("the ticked rows") if bulk.ticked is not None else _("all that matched the filters"),
            sample=sample_of(bulk) if bulk.state == states.READY else [],
            left=[(pk, words_of_why(why)) for pk, why in left_alone(bulk, SHOWN)],
            may_start=bulk.state == states.READY and mine and may_act and bulk.total > 0,
            may_abort=may_act and bulk.state in {states.FREEZING, states.READY, states.RUNNING},
            in_background=bulk.total > IMMEDIATE or action.reads_only,
            file_url=reverse("jobs:bulk_file", args=[bulk.pk]) if self.has_file(action.reads_only) else "",
            live=working,
        )
        return self.show(context, stamp=stamp_of(bulk.state, bulk.total, bulk.changed, bulk.skipped))

    def has_file(self, reads_only: bool) -> bool:
        """An export that has written everything, as long as it is kept."""
        finished = reads_only and self.bulk.state == BulkAction.State.FINISHED
        return finished and self.bulk.slices.filter(output__isnull=False).exists()


class BulkStart(ActionPage):
    """Start what was previewed."""

    def act(self) -> str:
        """A few records are changed before the answer; Conflict when it was started already."""
        bulk = bulk_of(self.request, self.kwargs["pk"])
        posted = self.request.POST
        rate = posted.get("per_minute", "").strip()
        bulk = start_action(
            bulk=bulk,
            user=viewer(self.request),
            reason=posted.get("reason", ""),
            per_minute=whole(rate, 0) if rate else None,
        )
        if bulk.state != BulkAction.State.FINISHED or bulk.skipped:
            return self.refused_url()
        text = ngettext("Done: %(n)s record was changed.", "Done: %(n)s records were changed.", bulk.changed)
        messages.success(self.request, text % {"n": f"{bulk.changed:,}"})
        url = SOURCES[bulk.source].url(bulk.source_id)
        return f"{url}?{bulk.query}" if bulk.query else url

    def refused_url(self) -> str:
        """The page of the action."""
        return reverse("jobs:bulk_action", args=[self.kwargs["pk"]])


class BulkAbort(ActionPage):
    """Stop after the slice at hand, or give up what was not started."""

    def act(self) -> str:
        """What was changed stays changed. Conflict when it has ended."""
        user = viewer(self.request)
        bulk = bulk_of(self.request, self.kwargs["pk"])
        abort_action(bulk=bulk, actor=user.actor, audit_tenant_id=user.tenant_id)
        messages.success(self.request, _("The action was aborted. What it has changed stays changed."))
        return self.refused_url()

    def refused_url(self) -> str:
        """The page of the action."""
        return reverse("jobs:bulk_action", args=[self.kwargs["pk"]])


@require_safe
def bulk_file(request: HttpRequest, pk: UUID) -> FileResponse:
    """The file of an export, complete before it is sent. Raises Http404 while there is none, or none any more."""
    bulk = bulk_of(request, pk)
    if bulk.state != BulkAction.State.FINISHED or not bulk.slices.filter(output__isnull=False).exists():
        raise Http404
    spool = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - the response closes it
    for piece in file_of(bulk):
        spool.write(piece)
    spool.seek(0)
    name = f"records-{bulk.ended_at:%Y-%m-%d}-{str(bulk.pk)[:8]}.csv"
    return FileResponse(spool, as_attachment=True, filename=name, content_type="text/csv; charset=utf-8")
