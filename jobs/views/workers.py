"""Workers (Administration > Jobs > Workers): who works on what, who has died, and stopping one without loss."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from core.bulk import BulkMixin
from core.counting import COUNT_LIMIT
from core.ids import uuids
from core.pages import ConfirmPage, Crumbs, ListPage, Text
from jobs.workers.asking import stop_worker, stop_workers, workers_with_work
from jobs.workers.models import Worker
from jobs.workers.tables import WorkerFilter, WorkerTable

TITLE = gettext_lazy("Workers")
ROOT: Crumbs = [(gettext_lazy("Administration"), None), (gettext_lazy("Jobs"), None)]
CONSEQUENCE = gettext_lazy(
    "It takes nothing new, finishes what it can within a few seconds, gives the rest back and ends. Other workers go on "
    "with it at once, and whatever keeps workers running starts a fresh one."
)


class WorkerList(ListPage):
    """Workers of the last day."""

    title = TITLE
    table_class = WorkerTable
    filterset_class = WorkerFilter
    live = True
    bulk_actions = [{"name": "stop", "label": gettext_lazy("Stop gracefully"), "icon": "player-stop", "danger": True}]

    def breadcrumbs(self) -> Crumbs:
        """Administration > Jobs."""
        return ROOT

    def get_queryset(self) -> QuerySet[Worker]:
        """With what they have in hand, in two queries."""
        return workers_with_work()

    def may_edit(self) -> bool:
        """Stopping a worker is for those who may stop jobs."""
        return viewer(self.request).everywhere and viewer(self.request).has(Permission.JOBS_EDIT)

    def table_arguments(self) -> dict[str, Any]:
        """Row actions and check boxes for those who may act."""
        return {"may_edit": self.may_edit()}

    def chosen(self, posted: QueryDict) -> QuerySet[Worker]:
        """As every list; workers have ids of another kind."""
        if posted.get("all_matching") == "1":
            return super().chosen(posted)
        return self.get_queryset().filter(pk__in=uuids(posted.getlist("selection")[:COUNT_LIMIT]))

    def bulk_url(self) -> str:
        """Stop several."""
        return reverse("workers:bulk")

    def more_context(self) -> dict[str, Any]:
        """No bulk actions for those who may only look."""
        return {} if self.may_edit() else {"bulk_actions": []}

    def empty(self) -> dict[str, Any]:
        """Nothing will be worked off."""
        return {
            "icon": "server",
            "title": _("No worker has been seen for a day"),
            "text": _(
                "Without a worker nothing is taken from the queues. Start one: ./parlance up, or the service worker."
            ),
        }


class WorkerBulk(BulkMixin, WorkerList):
    """Stop the chosen workers."""

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What happens to what they hold."""
        return {"stop": (_("Stop gracefully"), CONSEQUENCE)}

    def list_url(self) -> str:
        """The list."""
        return reverse("workers:list")

    def perform(self, action: str, rows: QuerySet[Worker]) -> str:
        """Through the service; each worker has its own row in the audit trail."""
        user = viewer(self.request)
        asked, left = stop_workers(workers=rows, actor=user.actor, audit_tenant=user.tenant)
        text = ngettext("%(n)s worker was asked to stop.", "%(n)s workers were asked to stop.", asked) % {"n": asked}
        if left:
            text += " " + ngettext("%(n)s was not running.", "%(n)s were not running.", left) % {"n": left}
        return text


class WorkerStop(ConfirmPage):
    """Ask one worker to give back what it holds and to end."""

    title = gettext_lazy("Stop this worker?")
    confirm_label = gettext_lazy("Stop gracefully")
    cancel_url = reverse_lazy("workers:list")  # type: ignore[assignment]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the worker."""
        super().setup(request, *args, **kwargs)
        self.worker = get_object_or_404(Worker, pk=kwargs["pk"])

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return [*ROOT, (TITLE, reverse("workers:list"))]

    def message(self) -> Text:
        """Which one, and what it means."""
        return f"{self.worker.name} ({self.worker.pid}). {CONSEQUENCE}"

    def act(self) -> Text:
        """Conflict when it is not running any more."""
        user = viewer(self.request)
        stop_worker(worker=self.worker, actor=user.actor, audit_tenant=user.tenant)
        return _("The worker “%(name)s” was asked to stop.") % {"name": self.worker.name}
