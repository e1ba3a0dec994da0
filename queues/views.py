"""Pages of processing queues (Administration > Jobs > Processing Queues)."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from core.errors import InvalidInput
from core.pages import ConfirmPage, Crumbs, FormPage, ListPage, Text
from queues.filters import QueueFilter
from queues.forms import QueueForm, initial_of
from queues.models import ProcessingQueue
from queues.selectors import queue_pages, queues_with_backlog
from queues.services import delete_queue, purge, save_queue, set_enabled
from queues.tables import QueueTable

TITLE = gettext_lazy("Processing Queues")
ROOT: Crumbs = [(gettext_lazy("Administration"), None), (gettext_lazy("Jobs"), None)]


def queue_crumbs() -> Crumbs:
    """The way to pages below the list."""
    return [*ROOT, (TITLE, reverse("queues:queues"))]


class QueueList(ListPage):
    """The queues with what is pending in them."""

    title = TITLE
    template_name = "queues/queue_list.html"
    table_class = QueueTable
    filterset_class = QueueFilter
    live = True
    bulk_actions = [
        {"name": "enable", "label": gettext_lazy("Enable"), "icon": "player-play"},
        {"name": "disable", "label": gettext_lazy("Disable"), "icon": "player-pause"},
    ]

    def breadcrumbs(self) -> Crumbs:
        """Administration > Jobs."""
        return ROOT

    def get_queryset(self) -> QuerySet[ProcessingQueue]:
        """Queues with backlog, scope and readers in a fixed number of queries."""
        return queue_pages()

    def table_arguments(self) -> dict[str, Any]:
        """Row actions for those who may edit."""
        return {"may_edit": viewer(self.request).has(Permission.QUEUES_EDIT)}

    def actions(self) -> list[dict[str, Any]]:
        """Add."""
        if not viewer(self.request).has(Permission.QUEUES_EDIT):
            return []
        return [{"label": _("Add"), "url": reverse("queues:add"), "icon": "plus", "primary": True}]

    def bulk_url(self) -> str:
        """Enable and disable."""
        return reverse("queues:bulk")

    def more_context(self) -> dict[str, Any]:
        """No bulk actions for those who may only look."""
        return {} if viewer(self.request).has(Permission.QUEUES_EDIT) else {"bulk_actions": []}

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
    """Enable or disable the chosen queues."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """One service call for all of them."""
        action = request.POST.get("action")
        if action not in {"enable", "disable"}:
            raise InvalidInput("action", _("There is no such action."))
        user = viewer(request)
        changed = set_enabled(
            queues=list(self.chosen(request.POST)),
            enabled=action == "enable",
            actor=user.actor,
            audit_tenant=user.tenant,
        )
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
        """Below the list."""
        return queue_crumbs()

    def form_arguments(self) -> dict[str, Any]:
        """The stored values."""
        editor = viewer(self.request)
        return {"editor": editor, "queue": self.queue, "initial": initial_of(self.queue) if self.queue else {}}

    def more_context(self, form: Any) -> dict[str, Any]:
        """What nobody reads only grows: say so."""
        unread = self.queue is not None and not self.queue.jobs.all()  # type: ignore[attr-defined]
        return {"warning": _("No job reads this queue.") if unread else ""}

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
        )
        messages.success(self.request, _("The queue “%(name)s” was saved.") % {"name": saved.name})
        if not saved.jobs.exists():  # type: ignore[attr-defined]
            messages.warning(self.request, _("No job reads this queue."))
        return redirect("queues:queues")


class QueueQuestion(ConfirmPage):
    """Base of delete and purge."""

    cancel_url = reverse_lazy("queues:queues")  # type: ignore[assignment]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the queue with its pending count."""
        super().setup(request, *args, **kwargs)
        self.queue = get_object_or_404(queues_with_backlog(), pk=kwargs["pk"])

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return queue_crumbs()

    def pending(self) -> str:
        """The count in words."""
        number = self.queue.pending  # type: ignore[attr-defined]
        return ngettext("%(n)s pending record", "%(n)s pending records", number) % {"n": number}


class QueueDelete(QueueQuestion):
    """Delete with what is pending."""

    title = gettext_lazy("Delete this queue?")
    confirm_label = gettext_lazy("Delete")

    def message(self) -> Text:
        """Name and count."""
        return _("The queue “%(name)s” and its %(count)s are deleted. The calls stay.") % {
            "name": self.queue.name,
            "count": self.pending(),
        }

    def type_name(self) -> str:
        """The name must be typed (screens §3.5)."""
        return self.queue.name

    def act(self) -> Text:
        """Delete; a queue that a job names stays (Conflict)."""
        user = viewer(self.request)
        name = self.queue.name
        delete_queue(queue=self.queue, actor=user.actor, audit_tenant=user.tenant)
        return _("The queue “%(name)s” was deleted.") % {"name": name}


class QueuePurge(QueueQuestion):
    """Remove what is pending."""

    title = gettext_lazy("Purge this queue?")
    confirm_label = gettext_lazy("Purge")

    def message(self) -> Text:
        """Name and count."""
        return _("%(count)s of the queue “%(name)s” are removed and will not be processed. The calls stay.") % {
            "name": self.queue.name,
            "count": self.pending(),
        }

    def act(self) -> Text:
        """Purge."""
        user = viewer(self.request)
        removed = purge(queue=self.queue, actor=user.actor, audit_tenant=user.tenant)
        return ngettext("%(n)s record removed.", "%(n)s records removed.", removed) % {"n": removed}
