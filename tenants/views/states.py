"""Suspending, resuming and closing a tenant, and deleting the data of a closed one."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.errors import Conflict
from core.pages import ActionPage, ConfirmPage, FormPage, Text
from tenants.deletion import cancel_deletion, confirm_deletion, request_deletion, why_not_confirm
from tenants.forms import ReasonForm
from tenants.models import DeletionRequest, Tenant
from tenants.pages import TenantPage
from tenants.services import set_state


class StateQuestion(TenantPage, ConfirmPage):
    """Base of the three moves."""

    template_name = "core/confirm.html"
    old: Tenant.State
    new: Tenant.State
    done: Text

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Cancel and done lead back to the tenant."""
        super().setup(request, *args, **kwargs)
        self.cancel_url = self.tab_url()

    def refusal(self) -> str:
        """Why the move cannot be made, or an empty text."""
        if self.tenant_row.state == self.old and not self.tenant_row.is_system:
            return ""
        if self.tenant_row.is_system:
            return _("The System tenant always stays ready.")
        return _("The tenant is in the state “%(state)s”, so this cannot be done.") % {
            "state": self.tenant_row.get_state_display()
        }

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The question, where there is one."""
        refusal = self.refusal()
        return self.refuse(refusal) if refusal else super().get(request, *args, **kwargs)

    def act(self) -> Text:
        """Through the service."""
        user: Any = self.request.user
        refusal = self.refusal()
        if refusal:
            raise Conflict(refusal)
        set_state(tenant=self.tenant_row, old=self.old, new=self.new, actor=user.actor)
        return str(self.done) % {"name": self.tenant_row.name}

    def people(self) -> str:
        """How many are concerned."""
        number = self.tenant_row.users.count()  # type: ignore[attr-defined]
        return ngettext("%(n)s user", "%(n)s users", number) % {"n": f"{number:,}"}


class Suspend(StateQuestion):
    """Ready to suspended."""

    title = gettext_lazy("Suspend this tenant?")
    confirm_label = gettext_lazy("Suspend")
    old, new = Tenant.State.READY, Tenant.State.SUSPENDED
    done = gettext_lazy("“%(name)s” is suspended.")

    def message(self) -> Text:
        """Who is concerned and that it can be undone."""
        return _(
            "“%(name)s” with %(people)s: nobody can sign in, and nothing is processed until it is resumed. "
            "Everything is kept."
        ) % {"name": self.tenant_row.name, "people": self.people()}


class Resume(StateQuestion):
    """Suspended to ready."""

    title = gettext_lazy("Resume this tenant?")
    confirm_label = gettext_lazy("Resume")
    danger = False
    old, new = Tenant.State.SUSPENDED, Tenant.State.READY
    done = gettext_lazy("“%(name)s” is ready again.")

    def message(self) -> Text:
        """What it brings back."""
        return _("“%(name)s” with %(people)s: they can sign in again, and processing goes on.") % {
            "name": self.tenant_row.name,
            "people": self.people(),
        }


class Close(StateQuestion):
    """Suspended to closed, for good."""

    title = gettext_lazy("Close this tenant?")
    confirm_label = gettext_lazy("Close")
    old, new = Tenant.State.SUSPENDED, Tenant.State.CLOSED
    done = gettext_lazy("“%(name)s” is closed. Its data are kept until somebody deletes them.")

    def message(self) -> Text:
        """There is no way back."""
        return _(
            "“%(name)s” with %(people)s: a closed tenant cannot be opened again. Its data are kept until two people "
            "have confirmed their deletion."
        ) % {"name": self.tenant_row.name, "people": self.people()}

    def type_name(self) -> str:
        """The name must be typed (screens §3.5)."""
        return self.tenant_row.name


class Deletion(TenantPage, FormPage):
    """Where the deletion of the tenant's data stands: ask, confirm by typing the name, or take the request back."""

    title = gettext_lazy("Delete the data of this tenant")
    template_name = "tenants/deletion.html"
    form_class = ReasonForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the request, if there is one."""
        super().setup(request, *args, **kwargs)
        self.cancel_url = self.tab_url()
        self.wish = DeletionRequest.objects.filter(tenant=self.tenant_row).first()

    def more_context(self, form: Any) -> dict[str, Any]:
        """Who asked, and whether this person may confirm."""
        user: Any = self.request.user
        return {
            "wish": self.wish,
            "refusal": why_not_confirm(self.wish, user.pk) if self.wish else "",
            "may_ask": self.tenant_row.state == Tenant.State.CLOSED and self.wish is None,
        }

    def save(self, form: ReasonForm) -> HttpResponseBase:
        """Ask."""
        user: Any = self.request.user
        request_deletion(tenant=self.tenant_row, reason=form.cleaned_data["reason"], by=user.pk, actor=user.actor)
        messages.success(self.request, _("The deletion is requested. Nothing is deleted before it is confirmed."))
        return redirect("tenants:deletion", pk=self.tenant_row.pk)


class DeletionConfirm(TenantPage, ConfirmPage):
    """The second person's page: the name is typed, then everything is destroyed."""

    title = gettext_lazy("Delete all data of this tenant?")
    template_name = "core/confirm.html"
    confirm_label = gettext_lazy("Delete all data")
    tab = "tenants:deletion"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Cancel and done lead to where the deletion stands."""
        super().setup(request, *args, **kwargs)
        self.cancel_url = self.tab_url()

    def message(self) -> Text:
        """What is destroyed and what stays."""
        return _(
            "All calls, transcripts and audio of “%(name)s” and the key of its encryption are destroyed. "
            "They cannot be brought back, not from a backup of the files either. Names, email addresses and means of "
            "sign-in of its people are erased, and what jobs remember of its records. "
            "The name, the statements and the audit trail stay."
        ) % {"name": self.tenant_row.name}

    def type_name(self) -> str:
        """The name must be typed (screens §3.5)."""
        return self.tenant_row.name

    def act(self) -> Text:
        """Through the service, which knows who may."""
        user: Any = self.request.user
        confirm_deletion(tenant=self.tenant_row, by=user.pk, actor=user.actor)
        return _("Confirmed. The data are being deleted.")


class DeletionCancel(TenantPage, ActionPage):
    """Take the request back."""

    tab = "tenants:deletion"

    def act(self) -> str:
        """Through the service."""
        user: Any = self.request.user
        cancel_deletion(tenant=self.tenant_row, actor=user.actor)
        messages.success(self.request, _("The request is taken back."))
        return self.tab_url()

    def refused_url(self) -> str:
        """Where the deletion stands."""
        return self.tab_url()
