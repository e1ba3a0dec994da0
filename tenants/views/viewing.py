"""Beginning and leaving the view as a tenant."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from core.pages import FormPage
from tenants import viewing
from tenants.forms import ReasonForm
from tenants.pages import TenantPage


class ViewAs(TenantPage, FormPage):
    """Ask for the reason, then look."""

    title = gettext_lazy("View as tenant")
    template_name = "core/form.html"
    form_class = ReasonForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Cancel leads back to the tenant."""
        super().setup(request, *args, **kwargs)
        self.cancel_url = self.tab_url()

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The form, where there is something to look at."""
        refusal = viewing.why_not(self.tenant_row)
        return self.refuse(refusal) if refusal else super().get(request, *args, **kwargs)

    def more_context(self, form: Any) -> dict[str, Any]:
        """What is going to happen."""
        return {
            "intro": _(
                "You see “%(name)s” as its administrator does, for at most 60 minutes. Nothing can be changed "
                "meanwhile. Your name, the reason, begin and end stand in the audit trail of the tenant."
            )
            % {"name": self.tenant_row.name},
            "submit_label": _("View as tenant"),
        }

    def save(self, form: ReasonForm) -> HttpResponseBase:
        """Begin and go to the tenant's start page."""
        viewing.begin(
            session=self.request.session,
            user=self.request.user,
            tenant=self.tenant_row,
            reason=form.cleaned_data["reason"],
        )
        return redirect("/")


@require_POST
def leave(request: HttpRequest) -> HttpResponseBase:
    """End the view and go back to the tenant's page; harmless when there is none."""
    user: Any = request.user
    tenant = viewing.end(session=request.session, user=user, why="left")
    if tenant is None:
        return redirect("/")
    messages.success(request, _("You left the view as %(name)s.") % {"name": tenant.name})
    return redirect("tenants:tenant", pk=tenant.pk)
