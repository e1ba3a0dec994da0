"""The list of queues and their form."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse, reverse_lazy
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from core.bulk import DISABLE, ENABLE
from core.errors import InvalidInput
from core.pages import Crumbs, FormPage, ListPage, Text
from queues.filters import QueueFilter
from queues.forms import QueueForm, initial_of
from queues.models import ProcessingQueue
from queues.pulse import pulse_of_queues
from queues.reach import within_reach
from queues.readers import Reading, readings
from queues.replication.copies import copy_of
from queues.replication.selectors import open_conflicts
from queues.selectors import queue_pages
from queues.services import save_queue, set_enabled, set_paused
from queues.tables import QueueTable

TITLE = gettext_lazy("Processing Queues")
ROOT: Crumbs = [(gettext_lazy("Administration"), None), (gettext_lazy("Jobs"), None)]


def queue_crumbs() -> Crumbs:
    """The way to pages below the list."""
    return [*ROOT, (TITLE, reverse("queues:queues"))]


class QueueList(ListPage):
    """The queues with what is pending in them, who reads them, and what failed."""

    title = TITLE
    template_name = "queues/queue_list.html"
    table_class = QueueTable
    filterset_class = QueueFilter
    live = True
    bulk_actions = [
        ENABLE,
        DISABLE,
        {"name": "pause", "label": gettext_lazy("Pause"), "icon": "player-pause"},
        {"name": "resume", "label": gettext_lazy("Resume"), "icon": "player-play"},
    ]

    def breadcrumbs(self) -> Crumbs:
        """Administration > Jobs."""
        return ROOT

    def pulse(self) -> tuple[Any, ...]:
        """What queues, their readers and their replication did last."""
        return (viewer(self.request).pk, *pulse_of_queues())

    def get_queryset(self) -> QuerySet[ProcessingQueue]:
        """Queues with backlog, rates and scope in a fixed number of queries."""
        return queue_pages()

    @cached_property
    def readings(self) -> Mapping[int, Reading]:
        """Who reads each queue."""
        return readings(viewer(self.request))

    def table_arguments(self) -> dict[str, Any]:
        """Row actions for those who may edit; the readers."""
        user = viewer(self.request)
        may_edit = user.has(Permission.QUEUES_EDIT)
        own = None
        if may_edit and not user.everywhere:
            own = frozenset(within_reach(ProcessingQueue.objects.all(), user).values_list("pk", flat=True))
        return {"may_edit": may_edit, "own": own, "readings": self.readings}

    def actions(self) -> list[dict[str, Any]]:
        """Add."""
        if not viewer(self.request).has(Permission.QUEUES_EDIT):
            return []
        return [{"label": _("Add"), "url": reverse("queues:add"), "icon": "plus", "primary": True}]

    def bulk_url(self) -> str:
        """Enable, disable, pause, resume."""
        return reverse("queues:bulk")

    def more_context(self) -> dict[str, Any]:
        """Conflicts that wait; no bulk actions for those who may only look."""
        more: dict[str, Any] = {"conflicts": open_conflicts()}
        return more if viewer(self.request).has(Permission.QUEUES_EDIT) else {**more, "bulk_actions": []}

    def empty(self) -> dict[str, Any]:
        """The first queue."""
        return {
            "icon": "stack-2",
            "title": _("No queue yet"),
            "text": _("A queue collects the records of its events until a job takes them."),
            "url": reverse("queues:add"),
            "label": _("Add"),
        }


class QueueBulk(QueueList):
    """Enable, disable, pause or resume the chosen queues."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """One service call for all of them."""
        action = request.POST.get("action")
        if action not in {"enable", "disable", "pause", "resume"}:
            raise InvalidInput("action", _("There is no such action."))
        user, chosen = viewer(request), self.chosen(request.POST)
        queues = list(within_reach(chosen, user))
        skipped = chosen.count() - len(queues)
        if skipped:
            text = ngettext(
                "%(n)s queue was skipped: it serves tenants beyond the groups that you manage.",
                "%(n)s queues were skipped: they serve tenants beyond the groups that you manage.",
                skipped,
            )
            messages.warning(request, text % {"n": skipped})
        if action in {"enable", "disable"}:
            enabled = action == "enable"
            changed = set_enabled(queues=queues, enabled=enabled, actor=user.actor, audit_tenant=user.tenant)
        else:
            paused = action == "pause"
            changed = set_paused(queues=queues, paused=paused, actor=user.actor, audit_tenant=user.tenant)
        messages.success(request, ngettext("%(n)s queue changed.", "%(n)s queues changed.", changed) % {"n": changed})
        return redirect("queues:queues")


class QueuePage(FormPage):
    """Add and edit."""

    form_class = QueueForm
    template_name = "queues/queue_form.html"
    cancel_url = reverse_lazy("queues:queues")  # type: ignore[assignment]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the queue of the address."""
        super().setup(request, *args, **kwargs)
        pk = kwargs.get("pk")
        self.queue = get_object_or_404(queue_pages(), pk=pk) if pk is not None else None

    def get_title(self) -> Text:
        """The name, or that it is new."""
        return self.queue.name if self.queue else _("Add Processing Queue")

    def breadcrumbs(self) -> Crumbs:
        """Below the list, or below the queue."""
        if self.queue is None:
            return queue_crumbs()
        return [*queue_crumbs(), (self.queue.name, reverse("queues:queue", args=[self.queue.pk]))]

    @cached_property
    def reading(self) -> Reading:
        """Who reads the queue; a new one nobody yet."""
        return readings(viewer(self.request)).get(self.queue.pk, Reading()) if self.queue else Reading()

    def form_arguments(self) -> dict[str, Any]:
        """The stored values."""
        editor = viewer(self.request)
        return {"editor": editor, "queue": self.queue, "initial": initial_of(self.queue) if self.queue else {}}

    def more_context(self, form: Any) -> dict[str, Any]:
        """What nobody reads only grows, what several read they take away from each other: say so."""
        if self.queue is None:
            return {}
        more = {"reading": self.reading, "warnings": self.reading.warnings(self.queue), "queue": self.queue}
        return {**more, "copy": copy_of(self.queue)}

    def save(self, form: QueueForm) -> HttpResponseBase:
        """Store, and warn when no job reads the queue."""
        if self.queue is not None:
            self.queue.version = form.cleaned_data["version"] or 0
        user = viewer(self.request)
        saved = save_queue(
            queue=self.queue,
            values=form.values(),
            tenant_groups=form.groups_of_scope(),
            actor=user.actor,
            audit_tenant=user.tenant,
            editor=user,
        )
        messages.success(self.request, _("The queue “%(name)s” was saved.") % {"name": saved.name})
        for warning in self.reading.warnings(saved):
            messages.warning(self.request, warning)
        return redirect("queues:queue", pk=saved.pk)
