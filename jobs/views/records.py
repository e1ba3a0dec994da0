"""The tab Processing records: the records, what they have in common, and actions on many of them (domain M9)."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.permissions import Permission
from accounts.policy import viewer
from core.bulk import DELETE
from core.counting import count_text
from core.errors import InvalidInput
from core.exports import csv_response
from core.pages import KeysetListPage, with_query
from jobs.bulk_actions.freezing import Chosen, preview_action
from jobs.bulk_actions.registry import ACTIONS
from jobs.errors import GROUPED, errors_of, signature_text
from jobs.filtersets import RecordFilter
from jobs.kinds import kind_of
from jobs.models import Record
from jobs.selectors import StateCounts, bulk_actions_of, count_states, records_of
from jobs.tables import RecordTable
from jobs.views.bulk import shown_action
from jobs.views.monitoring import JobTab

# What says where in the list one stands, not which rows are meant.
PAGING = ("before", "after", "from", "per_page", "page", "format")
TILES = [
    ("completed", gettext_lazy("Completed"), "circle-check", "success"),
    ("in_progress", gettext_lazy("In Progress"), "loader-2", "info"),
    ("failed", gettext_lazy("Failed"), "alert-circle", "danger"),
    ("aborted", gettext_lazy("Aborted"), "ban", "warning"),
    ("skipped", gettext_lazy("Skipped"), "player-skip-forward", "muted"),
]


def filters_of(request: HttpRequest) -> QueryDict:
    """The filters of the address without the place in the list."""
    query = request.GET.copy()
    for name in PAGING:
        query.pop(name, None)
    return query


class RecordList(JobTab, KeysetListPage):
    """Processing records with the five counters as filters."""

    tab = "jobs:records"
    template_name = "jobs/records.html"
    region = "records"
    table_class = RecordTable
    filterset_class = RecordFilter
    bulk_actions = [
        {"name": "retry", "label": gettext_lazy("Retry"), "icon": "refresh"},
        {"name": "abort", "label": gettext_lazy("Abort"), "icon": "ban"},
        {"name": "skip", "label": gettext_lazy("Skip"), "icon": "player-skip-forward"},
        DELETE,
        {"name": "export", "label": gettext_lazy("Export"), "icon": "table-export"},
    ]

    def get_queryset(self) -> QuerySet[Record]:
        """Records of this job."""
        return records_of(self.job, viewer(self.request))

    def may_edit(self) -> bool:
        """Bulk actions need their own permission."""
        return viewer(self.request).has(Permission.RECORDS_EDIT)

    def table_arguments(self) -> dict[str, Any]:
        """Check boxes for those who may act."""
        return {"may_edit": self.may_edit(), "chained": bool(self.places)}

    @cached_property
    def places(self) -> list[str]:
        """The engines of a job that has several."""
        return kind_of(self.job).places(self.job.settings)

    def bulk_url(self) -> str:
        """Retry, abort, delete, export."""
        return reverse("jobs:records_bulk", args=[self.job.pk])

    @cached_property
    def counts(self) -> StateCounts:
        """The five counters under all filters but the status."""
        asked = self.asked
        return count_states(asked.whatever("status").select_related(None)) if asked.is_valid() else StateCounts()

    def filterset(self, data: QueryDict) -> RecordFilter:
        """Bound once a request: list and counters ask the same one."""
        return self.asked

    @cached_property
    def asked(self) -> RecordFilter:
        """The filters of the address."""
        return RecordFilter(self.request.GET, queryset=self.get_queryset(), request=self.request, places=self.places)

    def more_context(self) -> dict[str, Any]:
        """The tiles, the error that is filtered by, and what was lately done to many records."""
        counts, chosen = self.counts, self.request.GET.get("status")
        tiles = []
        for state, label, icon, tone in TILES:
            query = filters_of(self.request)
            query.pop("status", None)
            if state != chosen:
                query["status"] = state
            url = with_query(reverse(self.tab, args=[self.job.pk]), query)
            number = count_text(getattr(counts, state))
            tile = {"label": label, "value": number, "icon": icon, "tone": tone, "url": url, "active": state == chosen}
            tiles.append(tile)
        digest = self.request.GET.get("signature", "")
        more = {
            "tiles": tiles,
            "errors_url": with_query(reverse("jobs:errors", args=[self.job.pk]), filters_of(self.request)),
            "error_text": signature_text(self.job.pk, digest) if digest else "",
            "recent": [shown_action(bulk) for bulk in bulk_actions_of(self.job, viewer(self.request))],
        }
        return more if self.may_edit() else {**more, "bulk_actions": []}

    def empty(self) -> dict[str, Any]:
        """Before the first record."""
        return {
            "icon": "inbox",
            "title": _("No processing records yet"),
            "text": _("A record appears as soon as the job takes one from its queue."),
        }


class RecordBulk(RecordList):
    """Freezes what an action is to change and leads to its preview; ticked records are exported at once."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Nothing ticked means all that match, so that it also works without scripts. Raises InvalidInput."""
        action = request.POST.get("action", "")
        if action not in ACTIONS:
            raise InvalidInput("action", _("There is no such action."))
        ticked = request.POST.getlist("selection") if request.POST.get("all_matching") != "1" else []
        rows = self.chosen(request.POST) if ticked else None
        if rows is not None and action == "export":
            table = self.make_table(rows)
            return csv_response(str(self.get_title()), table.header(), table.export())
        user = viewer(request)
        chosen = Chosen(
            "records",
            self.job.pk,
            "" if rows is not None else filters_of(request).urlencode(),
            list(rows.order_by().values_list("pk", flat=True)) if rows is not None else None,
        )
        bulk = preview_action(action=action, chosen=chosen, user=user, actor=user.actor, audit_tenant=user.tenant)
        return HttpResponseRedirect(reverse("jobs:bulk_action", args=[bulk.pk]))


class ErrorGroups(JobTab):
    """Processing records grouped by what their last errors have in common."""

    tab = "jobs:records"
    template_name = "jobs/errors.html"
    region = "errors"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The groups under the filters of the address, each with its links and actions."""
        user = viewer(request)
        places = kind_of(self.job).places(self.job.settings)
        filterset = RecordFilter(request.GET, queryset=records_of(self.job, user), request=request, places=places)
        refused = not filterset.is_valid()
        groups = [] if refused else errors_of(filterset.qs, self.job)
        query = filters_of(request)
        for group in groups:
            query["signature"] = group["signature"]
            group["url"] = with_query(reverse("jobs:records", args=[self.job.pk]), query)
            group["bulk_url"] = with_query(reverse("jobs:records_bulk", args=[self.job.pk]), query)
        context = self.context(
            groups=groups,
            filter=filterset,
            grouped=f"{GROUPED:,}" if sum(group["number"] for group in groups) >= GROUPED else "",
            may_act=user.has(Permission.RECORDS_EDIT),
            records_url=reverse("jobs:records", args=[self.job.pk]),
        )
        return self.show(context, status=400 if refused else 200)
