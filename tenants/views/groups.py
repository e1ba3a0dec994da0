"""Tenant groups (Administration > User Management > Tenant Groups)."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.pages import ConfirmPage, Crumbs, FormPage, ListPage, Page, Text
from tenants.filters import GroupFilter
from tenants.forms import GroupForm
from tenants.models import Tenant, TenantGroup
from tenants.pages import ROOT
from tenants.selectors import groups_open_to, groups_with_size
from tenants.services import create_group, delete_group, edit_group
from tenants.tables import GroupTable

TITLE = gettext_lazy("Tenant Groups")


def sees_everything(user: Any) -> bool:
    """Groups decide how far people see, so only those who see everything may change them."""
    return getattr(user, "scope", "system") == "system"


def may_edit_groups(user: Any) -> bool:
    """Whether the pages that change groups are open to the user."""
    return bool(user.has("tenants.edit")) and sees_everything(user)


class GroupList(ListPage):
    """The groups with the number of their tenants."""

    title = TITLE
    table_class = GroupTable
    filterset_class = GroupFilter

    def breadcrumbs(self) -> Crumbs:
        """Administration > User Management."""
        return ROOT

    def get_queryset(self) -> QuerySet[TenantGroup]:
        """Those that the viewer has to do with."""
        return groups_with_size().filter(pk__in=groups_open_to(self.request.user).order_by().values("pk"))

    def table_arguments(self) -> dict[str, Any]:
        """Row actions for those who may edit."""
        return {"may_edit": may_edit_groups(self.request.user)}

    def actions(self) -> list[dict[str, Any]]:
        """Add."""
        if not may_edit_groups(self.request.user):
            return []
        return [{"label": _("Add"), "url": reverse("tenants:group_add"), "icon": "plus", "primary": True}]

    def empty(self) -> dict[str, Any]:
        """What groups are for."""
        empty = {
            "icon": "stack-2",
            "title": _("No tenant group yet"),
            "text": _("Queues, jobs and people can be limited to groups of tenants."),
        }
        if may_edit_groups(self.request.user):
            empty |= {"url": reverse("tenants:group_add"), "label": _("Add")}
        return empty


class OneGroup(Page):
    """Base of the pages of one group."""

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the group of the address, for those who may change it."""
        super().setup(request, *args, **kwargs)
        if not sees_everything(request.user):
            raise PermissionDenied(_("Only people whose access scope is the whole system may change tenant groups."))
        pk = kwargs.get("pk")
        self.group = get_object_or_404(groups_with_size(), pk=pk) if pk is not None else None

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return [*ROOT, (TITLE, reverse("tenants:groups"))]


class GroupPage(OneGroup, FormPage):
    """Add and edit."""

    form_class = GroupForm
    cancel_url = reverse_lazy("tenants:groups")  # type: ignore[assignment]

    def get_title(self) -> Text:
        """The name, or that it is new."""
        return self.group.name if self.group else _("Add Tenant Group")

    def form_arguments(self) -> dict[str, Any]:
        """The stored values."""
        tenants = Tenant.objects.exclude(state=Tenant.State.DELETED).order_by("name")
        if self.group is None:
            return {"tenants": tenants}
        group = self.group
        initial = {"name": group.name, "version": group.version, "tenants": group.tenants.all()}
        return {"tenants": tenants, "initial": initial}

    def save(self, form: GroupForm) -> HttpResponseBase:
        """Through the service."""
        user: Any = self.request.user
        values = {"name": form.cleaned_data["name"], "tenants": list(form.cleaned_data["tenants"])}
        who = {"actor": user.actor, "audit_tenant": user.tenant}
        if self.group is None:
            create_group(**values, **who)
        else:
            edit_group(group=self.group, version=form.cleaned_data["version"] or 0, **values, **who)
        messages.success(self.request, _("The group “%(name)s” was saved.") % {"name": values["name"].strip()})
        return redirect("tenants:groups")


class GroupDelete(OneGroup, ConfirmPage):
    """Delete a group that nothing uses."""

    title = gettext_lazy("Delete this tenant group?")
    confirm_label = gettext_lazy("Delete")
    cancel_url = reverse_lazy("tenants:groups")  # type: ignore[assignment]
    group: Any

    def message(self) -> Text:
        """Name and count."""
        count = ngettext("%(n)s tenant", "%(n)s tenants", self.group.size) % {"n": self.group.size}
        return _("The group “%(name)s” with %(count)s is deleted. The tenants stay.") % {
            "name": self.group.name,
            "count": count,
        }

    def act(self) -> Text:
        """Through the service; a group in use stays (Conflict)."""
        user: Any = self.request.user
        name = self.group.name
        delete_group(group=self.group, actor=user.actor, audit_tenant=user.tenant)
        return _("The group “%(name)s” was deleted.") % {"name": name}
