"""The frame of every page about one tenant: its head with state and actions, and its tabs."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.pages import Crumbs, FormPage, Page, Text
from tenants.models import Tenant
from tenants.selectors import visible_tenants

# Label, route and right of each tab. Higher apps are named as data; a route that is not there yet has no tab.
TABS: list[tuple[str | Promise, str, str]] = [
    (gettext_lazy("General"), "tenants:tenant", "tenants.view"),
    (gettext_lazy("Service Limits"), "licensing:service_limits", "service_limits.view"),
    (gettext_lazy("License Limits"), "licensing:licence_limits", "licence_limits.view"),
    (gettext_lazy("AI Tasks"), "aitasks:tenant", "ai_tasks.view"),
    (gettext_lazy("Retention"), "tenants:retention", "retention.view"),
    (gettext_lazy("Sign-in"), "accounts:tenant_sign_in", "sign_in.view"),
    (gettext_lazy("Offline-task API"), "accounts:tenant_realm", "sign_in.view"),
    (gettext_lazy("Audit"), "audit:tenant", "audit_trail.view"),
]
# Label, route, right and how the tenant is named of the pages elsewhere that show this tenant only.
ELSEWHERE: list[tuple[str | Promise, str, str, str]] = [
    (gettext_lazy("Users"), "licensing:users", "users.view", "filter"),
    (gettext_lazy("Seats"), "licensing:seats", "licence_limits.view", "path"),
    (gettext_lazy("Usage"), "usage:tenant", "usage.view", "path"),
    (gettext_lazy("Statements"), "usage:statements", "usage.view", "path"),
    (gettext_lazy("Check list"), "usage:check_list", "usage.view", "path"),
]
# The list with its figures stands above this app, which names it as data.
LIST = "licensing:tenants"
ROOT: Crumbs = [(gettext_lazy("Administration"), None), (gettext_lazy("User Management"), None)]


class TenantPage(Page):
    """Base of the pages about one tenant, to be named before FormPage and the like.

    Takes ``self.tenant_row`` from the tenants that the viewer may see (404 otherwise). ``tab`` is the URL name of the
    tab that the page is, or belongs to. Templates extend ``tenants/tenant_base.html``; for a form that is
    ``tenants/tenant_form.html``.
    """

    tab = "tenants:tenant"
    tenant_row: Tenant

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the tenant of the address."""
        super().setup(request, *args, **kwargs)
        self.tenant_row = get_object_or_404(visible_tenants(request.user), pk=kwargs["pk"])

    def get_title(self) -> Text:
        """The tenant's name, unless the page has a title of its own."""
        return self.title or self.tenant_row.name

    def breadcrumbs(self) -> Crumbs:
        """Below the list, and below the tenant for a page with a title of its own."""
        user: Any = self.request.user
        parents: Crumbs = [*ROOT]
        if user.has("tenants.view"):
            parents.append((gettext_lazy("Tenants"), reverse(LIST)))
        if self.title:
            parents.append((self.tenant_row.name, self.tab_url()))
        return parents

    def tab_url(self) -> str:
        """The address of the tab that this page belongs to."""
        return reverse(self.tab, args=[self.tenant_row.pk])

    def context(self, **extra: Any) -> dict[str, Any]:
        """What ``tenants/tenant_base.html`` reads."""
        return super().context(
            **{
                "tenant_row": self.tenant_row,
                "tenant_tabs": tabs_of(self.tenant_row, self.request.user, self.tab),
                "tenant_actions": actions_of(self.tenant_row, self.request.user),
                **extra,
            }
        )

    def refuse(self, problem: str) -> HttpResponseBase:
        """Instead of a question that could only be answered with a refusal: why, and the way back. Nothing was tried, so 200."""
        self.template_name = "tenants/refused.html"
        return self.show(self.context(problem=problem, back_url=self.tab_url()))


class TenantFormPage(TenantPage, FormPage):
    """A tab with one form: read by whoever may view it, changed by those with ``edit_right``, and when the tenant is
    deleted by nobody."""

    edit_right = ""

    @property
    def may_edit(self) -> bool:
        """A deleted tenant is read only."""
        return self.has_right() and self.tenant_row.state != Tenant.State.DELETED

    def has_right(self) -> bool:
        """Whether the viewer has the right to change it."""
        user: Any = self.request.user
        return bool(user.has(self.edit_right))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Only for those who may change it, and while there is a tenant to change."""
        if not self.has_right():
            user: Any = request.user
            raise PermissionDenied(user.lacking(self.edit_right))
        if self.tenant_row.state == Tenant.State.DELETED:
            return self.show_deleted()
        return super().post(request, *args, **kwargs)

    def show_deleted(self) -> HttpResponseBase:
        """The stored values, and why nothing was stored (409)."""
        form = self.form_class({}, **self.form_arguments())
        _disable(form)
        form.add_error(None, _("The tenant is deleted and cannot be changed any more."))
        return self.show_form(form, status=409)

    def show_form(self, form: Any, status: int = 200) -> HttpResponseBase:
        """What nobody may change here looks like it."""
        if not self.may_edit:
            _disable(form)
        return super().show_form(form, status)


def _disable(form: Any) -> None:
    for field in form.fields.values():
        field.disabled = True


def tabs_of(tenant: Tenant, user: Any, active: str) -> list[dict[str, Any]]:
    """The tabs that are there and that ``user`` may see."""
    tabs = []
    for label, route, right in TABS:
        if not user.has(right):
            continue
        try:
            tabs.append({"label": label, "url": reverse(route, args=[tenant.pk]), "active": route == active})
        except NoReverseMatch:
            continue
    return tabs


def links_of(tenant: Tenant, user: Any) -> list[dict[str, Any]]:
    """The pages elsewhere that show this tenant only and that ``user`` may see: label, url."""
    return [
        {
            "label": label,
            "url": reverse(route, args=[tenant.pk])
            if named == "path"
            else reverse(route, query={"tenant": str(tenant.pk)}),
        }
        for label, route, right, named in ELSEWHERE
        if user.has(right)
    ]


def actions_of(tenant: Tenant, user: Any) -> list[dict[str, Any]]:
    """What may be done with the tenant in its state: label, url, icon, danger."""
    state = Tenant.State
    offered: list[tuple[str, str, str, str, bool, set[Any]]] = [
        (_("Progress"), "tenants:provisioning", "hourglass", "tenants.view", False, {state.NEW}),
        (_("View as tenant"), "tenants:view_as", "eye", "tenants.view_as", False, {state.READY}),
        (_("Suspend"), "tenants:suspend", "player-pause", "tenants.edit", False, {state.READY}),
        (_("Resume"), "tenants:resume", "player-play", "tenants.edit", False, {state.SUSPENDED}),
        (_("Close"), "tenants:close", "lock", "tenants.edit", True, {state.SUSPENDED}),
        (_("Delete data"), "tenants:deletion", "trash", "tenants.delete", True, {state.CLOSED}),
    ]
    return [
        {"label": label, "url": reverse(route, args=[tenant.pk]), "icon": icon, "danger": danger}
        for label, route, icon, right, danger, states in offered
        if not tenant.is_system and tenant.state in states and user.has(right)
    ]
