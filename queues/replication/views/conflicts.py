"""Conflicts of replication: the list, both sides of one, and what a person decides."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from accounts.permissions import Permission
from accounts.policy import viewer
from audit.services import grouped
from core.bulk import BulkMixin
from core.errors import Conflict
from core.pages import ConfirmPage, Crumbs, FormPage, ListPage, Page, Text
from queues.replication.conflicts import can_rename, keep_ours, rename_theirs, take_theirs, unknown
from queues.replication.filters import ConflictFilter
from queues.replication.forms import RenameForm
from queues.replication.models import Kind, ReplicationConflict
from queues.replication.selectors import OPEN, both_sides, conflicts
from queues.replication.tables import BADGES, ConflictTable
from queues.replication.views.server import ROOT, TITLE, tabs
from queues.selectors import pending_in

LIST = gettext_lazy("Conflicts")
KEPT = gettext_lazy("What stands here stays as it is. Later changes at the origin come as new conflicts.")


def may_decide(user: User) -> bool:
    """Deciding changes queues, and what a queue of the other installation serves is not known to be within a group."""
    return user.everywhere and user.has(Permission.QUEUES_EDIT)


class ConflictList(ListPage):
    """All conflicts, decided ones too."""

    title = LIST
    template_name = "queues/replication/conflicts.html"
    table_class = ConflictTable
    filterset_class = ConflictFilter
    live = True
    bulk_actions = [
        {"name": "keep", "label": gettext_lazy("Keep ours"), "icon": "home"},
        {"name": "take", "label": gettext_lazy("Take theirs"), "icon": "download", "danger": True},
    ]

    def breadcrumbs(self) -> Crumbs:
        """Below the pairing server."""
        return [*ROOT, (TITLE, reverse("pairing:server"))]

    def get_queryset(self) -> QuerySet[ReplicationConflict]:
        """All of them."""
        return conflicts()

    def may_edit(self) -> bool:
        """Deciding changes queues."""
        return may_decide(viewer(self.request))

    def table_arguments(self) -> dict[str, Any]:
        """Check boxes for those who may decide."""
        return {"may_edit": self.may_edit()}

    def bulk_url(self) -> str:
        """Keep or take."""
        return reverse("pairing:conflicts_bulk")

    def more_context(self) -> dict[str, Any]:
        """Tabs; no bulk actions for those who may only look."""
        more: dict[str, Any] = {"tabs": tabs(self.request, "pairing:conflicts")}
        return more if self.may_edit() else {**more, "bulk_actions": []}

    def empty(self) -> dict[str, Any]:
        """Good news."""
        return {
            "icon": "circle-check",
            "title": _("No conflicts"),
            "text": _("Settings from the pairing server that do not fit here appear here until somebody decides."),
        }


class ConflictBulk(BulkMixin, ConflictList):
    """Decide many; what is not open any more is left out."""

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What happens to them."""
        took = _("Queues here get the settings of their origins and follow them, or are deleted with what is pending.")
        return {"keep": (_("Keep ours"), str(KEPT)), "take": (_("Take theirs"), took)}

    def list_url(self) -> str:
        """The list."""
        return reverse("pairing:conflicts")

    def perform(self, action: str, rows: QuerySet[ReplicationConflict]) -> str:
        """Through the services; those that cannot be taken stay open and are named."""
        user, chosen = viewer(self.request), list(rows.filter(state=OPEN).order_by("pk"))
        if action == "keep":
            number = keep_ours(conflicts=chosen, actor=user.actor, audit_tenant=user.tenant)
            return ngettext("%(n)s conflict decided.", "%(n)s conflicts decided.", number) % {"n": number}
        refused: list[str] = []
        with grouped(
            tenant_id=user.tenant_id,
            actor=user.actor,
            action="queue.conflicts_taken",
            target_type="queue_conflict",
            target_id=",".join(str(conflict.pk) for conflict in chosen)[:64],
        ):
            for conflict in chosen:
                try:
                    with transaction.atomic():
                        take_theirs(conflict=conflict, actor=user.actor, audit_tenant=user.tenant)
                except Conflict as error:
                    refused.append(f"{conflict.name}: {error.message}")
        for text in refused[:10]:
            messages.warning(self.request, text)
        number = len(chosen) - len(refused)
        return ngettext("%(n)s conflict decided.", "%(n)s conflicts decided.", number) % {"n": number}


def _crumbs() -> Crumbs:
    return [*ROOT, (TITLE, reverse("pairing:server")), (LIST, reverse("pairing:conflicts"))]


class ConflictPage(Page):
    """Both sides beside each other."""

    template_name = "queues/replication/conflict.html"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the conflict."""
        super().setup(request, *args, **kwargs)
        self.conflict = get_object_or_404(conflicts().select_related("queue"), pk=kwargs["pk"])

    def get_title(self) -> Text:
        """Which queue."""
        return _("Conflict about «%(name)s»") % {"name": self.conflict.name}

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return _crumbs()

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page."""
        conflict = self.conflict
        is_open = conflict.state == OPEN
        context = self.context(
            conflict=conflict,
            rows=both_sides(conflict),
            deleted=conflict.kind == Kind.DELETED,
            unknown=unknown(conflict) if is_open and conflict.kind == Kind.SAVED else [],
            pending=pending_in(conflict.queue) if conflict.queue else 0,
            badge=BADGES[conflict.state],
            may_decide=is_open and may_decide(viewer(request)),
            may_rename=can_rename(conflict),
            take_message=take_message(conflict),
            keep_message=KEPT,
        )
        return self.show(context)


def take_message(conflict: ReplicationConflict) -> str:
    """Object and consequence."""
    origin = conflict.copy.origin_name
    if conflict.kind == Kind.DELETED:
        pending = pending_in(conflict.queue) if conflict.queue else 0
        text = ngettext(
            "The queue “%(name)s” is deleted here, as it was in “%(origin)s”, with %(n)s pending record.",
            "The queue “%(name)s” is deleted here, as it was in “%(origin)s”, with %(n)s pending records.",
            pending,
        )
        return text % {"name": conflict.name, "origin": origin, "n": f"{pending:,}"}
    if conflict.queue is None:
        text = _("The queue “%(name)s” is created here and follows “%(origin)s”.")
    else:
        text = _(
            "The queue “%(ours)s” gets the settings of “%(name)s” and follows “%(origin)s” from now on. "
            "What is pending in it, its readers and its status stay."
        )
    ours = conflict.queue.name if conflict.queue else ""
    return text % {"name": conflict.name, "origin": origin, "ours": ours}


class Decision(ConfirmPage):
    """Base of take and keep."""

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the conflict."""
        super().setup(request, *args, **kwargs)
        self.conflict = get_object_or_404(conflicts().select_related("queue"), pk=kwargs["pk"])
        self.cancel_url = reverse("pairing:conflict", args=[kwargs["pk"]])

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return _crumbs()

    def done_url(self) -> str:
        """The list."""
        return reverse("pairing:conflicts")


class TakeTheirs(Decision):
    """Do what the origin did."""

    title = gettext_lazy("Take theirs?")
    confirm_label = gettext_lazy("Take theirs")

    def message(self) -> Text:
        """What changes."""
        return take_message(self.conflict)

    def act(self) -> Text:
        """Through the service."""
        user = viewer(self.request)
        take_theirs(conflict=self.conflict, actor=user.actor, audit_tenant=user.tenant)
        return _("Theirs was taken: “%(name)s”.") % {"name": self.conflict.name}


class KeepOurs(Decision):
    """Leave ours."""

    title = gettext_lazy("Keep ours?")
    confirm_label = gettext_lazy("Keep ours")
    danger = False

    def message(self) -> Text:
        """What stays."""
        return KEPT

    def act(self) -> Text:
        """Through the service."""
        user = viewer(self.request)
        keep_ours(conflicts=[self.conflict], actor=user.actor, audit_tenant=user.tenant)
        return _("Ours was kept: “%(name)s”.") % {"name": self.conflict.name}


class RenameTheirs(FormPage):
    """Let theirs stand beside ours."""

    title = gettext_lazy("Rename theirs")
    form_class = RenameForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the conflict."""
        super().setup(request, *args, **kwargs)
        self.conflict = get_object_or_404(conflicts(), pk=kwargs["pk"])
        self.cancel_url = reverse("pairing:conflict", args=[kwargs["pk"]])

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return _crumbs()

    def form_arguments(self) -> dict[str, Any]:
        """A name that is likely free."""
        suggested = f"{self.conflict.name[:70]} ({self.conflict.copy.origin_name[:40]})"
        return {"initial": {"name": suggested}}

    def more_context(self, form: Any) -> dict[str, Any]:
        """What it does."""
        return {"intro": _("The queue is created here under this name and follows its origin; ours stays as it is.")}

    def save(self, form: RenameForm) -> HttpResponseBase:
        """Through the service."""
        user = viewer(self.request)
        queue = rename_theirs(
            conflict=self.conflict, name=form.cleaned_data["name"], actor=user.actor, audit_tenant=user.tenant
        )
        messages.success(self.request, _("The queue “%(name)s” was created.") % {"name": queue.name})
        return redirect("queues:queue", pk=queue.pk)
