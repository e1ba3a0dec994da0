"""The tabs General and Retention of a tenant, and the page that shows it being provisioned."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.pages import Page, stamp_of
from tenants.forms import GeneralForm, RetentionForm, initial_of
from tenants.models import DeletionRequest, Tenant
from tenants.pages import TenantFormPage, TenantPage, links_of
from tenants.selectors import groups_open_to
from tenants.services import edit_tenant


class SettingsTab(TenantFormPage):
    """A tab with one form on the tenant, saved through one service."""

    template_name = "tenants/tenant_form.html"

    def context(self, **extra: Any) -> dict[str, Any]:
        """Whether there is a button to save."""
        return super().context(read_only=not self.may_edit, **extra)

    def form_arguments(self) -> dict[str, Any]:
        """The stored values."""
        return {"initial": initial_of(self.tenant_row)}

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service, on the version that the person saw."""
        user: Any = self.request.user
        edit_tenant(
            tenant=self.tenant_row,
            version=form.cleaned_data["version"] or 0,
            values=form.values(),
            actor=user.actor,
            groups=self.groups_of(form),
        )
        messages.success(self.request, _("Saved."))
        return redirect(self.tab, pk=self.tenant_row.pk)

    def groups_of(self, form: Any) -> list[Any] | None:
        """The groups to store, or None when the form has none."""
        return None


class General(SettingsTab):
    """Name, zone, language, contact and groups, and what else there is to know about the tenant."""

    tab = "tenants:tenant"
    edit_right = "tenants.edit"
    form_class = GeneralForm

    def form_arguments(self) -> dict[str, Any]:
        """The groups that this person may choose from."""
        return {**super().form_arguments(), "groups": groups_open_to(self.request.user)}

    def groups_of(self, form: GeneralForm) -> list[Any]:
        """The chosen ones, and those that this person cannot see."""
        foreign = self.tenant_row.groups.exclude(pk__in=groups_open_to(self.request.user).values("pk"))
        return [*form.cleaned_data["groups_of_tenant"], *foreign]

    def more_context(self, form: Any) -> dict[str, Any]:
        """Facts beside the form."""
        row = self.tenant_row
        return {
            "facts": True,
            "links": links_of(row, self.request.user),
            "people": row.users.count(),  # type: ignore[attr-defined]
            "deletion": DeletionRequest.objects.filter(tenant=row).first(),
        }


class Retention(SettingsTab):
    """How long calls, audio, transcripts and the history of jobs are kept."""

    tab = "tenants:retention"
    edit_right = "retention.edit"
    form_class = RetentionForm

    def more_context(self, form: Any) -> dict[str, Any]:
        """These are settings; nothing acts on them yet."""
        return {
            "warning": _("These settings are stored. Nothing is removed by them yet: the job that does comes later."),
        }


class Provisioning(TenantPage):
    """A new tenant on its way to ready; polls itself."""

    title = gettext_lazy("Preparing the tenant")
    template_name = "tenants/provisioning.html"
    region = "provisioning"
    live_interval = 1

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The steps, and where to go when all are done."""
        row = self.tenant_row
        self.live = row.state == Tenant.State.NEW
        step = "running" if self.live else "done"
        steps = [
            {"label": _("The organisation is stored"), "state": "done"},
            {"label": _("Its place for data is prepared"), "state": step},
            {"label": _("Ready"), "state": "pending" if self.live else "done"},
        ]
        return self.show(self.context(steps=steps, next_url=self.tab_url()), stamp=stamp_of(row.pk, row.state))

    def context(self, **extra: Any) -> dict[str, Any]:
        """No tabs yet."""
        return Page.context(self, tenant_row=self.tenant_row, **extra)
