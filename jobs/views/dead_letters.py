"""Dead letters of a queue: records of its jobs that failed, by cause, and putting them back into the queue."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from core.bulk import BulkMixin
from core.counting import COUNT_LIMIT
from core.outcomes import Reason
from core.pages import Crumbs, KeysetListPage, Text, whole, with_query
from jobs.bulk_actions.freezing import Chosen, preview_action
from jobs.filtersets import NO_ERROR, DeadLetterFilter
from jobs.models import Record
from jobs.pulse import pulse_of_all
from jobs.reading import GROUPED, causes_of, set_aside
from jobs.requeueing import requeue_records
from jobs.tables import DeadLetterTable
from jobs.views.records import filters_of
from queues.models import ProcessingQueue
from queues.views.definitions import queue_crumbs
from queues.views.details import queue_head


class DeadLetterList(KeysetListPage):
    """The causes with first and last seen, and the records."""

    template_name = "jobs/dead_letters.html"
    region = "letters"
    live = True
    table_class = DeadLetterTable
    filterset_class = DeadLetterFilter
    bulk_actions = [
        {"name": "requeue", "label": gettext_lazy("Requeue"), "icon": "refresh"},
        {"name": "requeue_rated", "label": gettext_lazy("Requeue at a rate…"), "icon": "gauge"},
    ]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the queue."""
        super().setup(request, *args, **kwargs)
        self.queue = get_object_or_404(ProcessingQueue, pk=kwargs["pk"])

    def get_title(self) -> Text:
        """Whose they are."""
        return _("Dead letters of «%(name)s»") % {"name": self.queue.name}

    def breadcrumbs(self) -> Crumbs:
        """Below the queue."""
        return [*queue_crumbs(), (self.queue.name, reverse("queues:queue", args=[self.queue.pk]))]

    def pulse(self) -> tuple[Any, ...]:
        """What jobs and people did to records last, and the head of the page."""
        return (viewer(self.request).pk, *pulse_of_all())

    def get_queryset(self) -> QuerySet[Record]:
        """Failed and skipped records; the filters leave the failed ones unless others are asked for."""
        return set_aside(self.queue, viewer(self.request))

    def may_edit(self) -> bool:
        """Requeueing needs the permission to act on records."""
        return viewer(self.request).has(Permission.RECORDS_EDIT)

    def table_arguments(self) -> dict[str, Any]:
        """Check boxes for those who may act."""
        return {"may_edit": self.may_edit()}

    def bulk_url(self) -> str:
        """Requeue."""
        return reverse("dead_letters:bulk", args=[self.queue.pk])

    @cached_property
    def causes(self) -> list[dict[str, Any]]:
        """The groups under all filters, each with its sentence and the address that shows it alone."""
        filterset = self.filterset(self.request.GET)
        groups = causes_of(filterset.qs) if filterset.is_valid() else []
        for group in groups:
            query = QueryDict(mutable=True)
            query.update(self.request.GET)
            for name in ("before", "after", "from"):
                query.pop(name, None)
            query["status"], query["cause"] = group["state"], group["reason"]
            query["signature"] = group["signature"] or NO_ERROR
            group["label"] = Reason.label_of(group["reason"]) if group["reason"] else _("No reason was stored")
            group["state_label"] = Record.State(group["state"]).label
            group["url"] = with_query(reverse("dead_letters:list", args=[self.queue.pk]), query)
            group["requeue_url"] = with_query(self.bulk_url(), query)
        return groups

    def more_context(self) -> dict[str, Any]:
        """Head, groups; no bulk actions for those who may only look."""
        many = sum(cause["number"] for cause in self.causes) >= GROUPED
        more = {
            **queue_head(self.queue, "dead_letters:list"),
            "causes": self.causes,
            "grouped": f"{GROUPED:,}" if many else "",
            "may_requeue": self.may_edit(),
        }
        return more if self.may_edit() else {**more, "bulk_actions": []}

    def empty(self) -> dict[str, Any]:
        """Good news."""
        return {
            "icon": "circle-check",
            "title": _("No dead letters"),
            "text": _("Records that failed for good appear here until they are requeued or deleted."),
        }


class DeadLetterBulk(BulkMixin, DeadLetterList):
    """Requeue the chosen records, or all of a cause."""

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What happens to them."""
        text = _("They go back into the queue with their original age; jobs take them up anew. Their history stays.")
        if self.queue.paused:
            text += " " + _("The queue is paused: they wait there until it is resumed.")
        return {"requeue": (_("Requeue"), text), "requeue_rated": (_("Requeue at a rate…"), text)}

    def asks(self, action: str) -> bool:
        """The preview of the other asks itself."""
        return action == "requeue"

    def list_url(self) -> str:
        """The page they were chosen on."""
        return reverse("dead_letters:list", args=[self.queue.pk])

    def perform(self, action: str, rows: QuerySet[Record]) -> str | HttpResponseBase:
        """Through the service; at a rate, by a bulk action, which shows its preview and then its progress."""
        user = viewer(self.request)
        if action == "requeue_rated":
            return self.preview()
        everything = self.request.POST.get("all_matching") == "1" or not self.request.POST.getlist("selection")
        chosen = "all matching " + self.request.GET.urlencode() if everything else "ticked"
        number = requeue_records(
            queue=self.queue, records=rows, actor=user.actor, audit_tenant=user.tenant, chosen=chosen
        )
        text = ngettext("%(n)s record was requeued.", "%(n)s records were requeued.", number)
        return text % {"n": f"{number:,}"}

    def preview(self) -> HttpResponseBase:
        """Freeze the ticked records, or all that match the filters, and go to the page that starts the action."""
        user, posted = viewer(self.request), self.request.POST
        everything = posted.get("all_matching") == "1" or not posted.getlist("selection")
        ticked = None if everything else [whole(key, 0) for key in posted.getlist("selection")[:COUNT_LIMIT]]
        chosen = Chosen("dead_letters", self.queue.pk, filters_of(self.request).urlencode(), ticked)
        bulk = preview_action(action="requeue", chosen=chosen, user=user, actor=user.actor, audit_tenant=user.tenant)
        return HttpResponseRedirect(reverse("jobs:bulk_action", args=[bulk.pk]))
