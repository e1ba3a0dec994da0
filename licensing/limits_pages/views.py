"""The tab Service Limits: form and figures side by side."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from accounts.permissions import Permission
from accounts.policy import viewer
from licensing.limits_pages.forms import LimitsForm
from licensing.limits_pages.maths import Maths, maths
from licensing.limits_pages.services import FIELDS, BelowUsage, save_limits, stored_limits
from licensing.models import Entitlement, Meter
from licensing.selectors import Standing, standing
from tenants.pages import TenantFormPage


class ServiceLimits(TenantFormPage):
    """The four limits; platform staff change them, tenants look."""

    tab = "licensing:service_limits"
    edit_right = Permission.SERVICE_LIMITS_EDIT
    form_class = LimitsForm
    template_name = "licensing/service_limits.html"

    @cached_property
    def stored(self) -> Entitlement:
        """The limits as they are."""
        return stored_limits(self.tenant_row)

    @cached_property
    def now(self) -> Standing:
        """People, seats and counters of one moment."""
        return standing(self.tenant_row.pk, Meter.TRANSCRIPTION_SECONDS)

    def form_arguments(self) -> dict[str, Any]:
        """The stored values."""
        return {"initial": {name: getattr(self.stored, name) for name in (*FIELDS, "version")}}

    def more_context(self, form: LimitsForm) -> dict[str, Any]:
        """The figures of what was typed."""
        return {
            "read_only": not self.may_edit,
            "maths": self.maths_of(form),
            "calculate_url": reverse("licensing:service_limits_preview", args=[self.tenant_row.pk]),
        }

    def maths_of(self, form: LimitsForm) -> Maths | None:
        """None while what was typed cannot be calculated with."""
        limits = form.tried(self.stored)
        return maths(self.now, limits) if limits is not None else None

    def save(self, form: LimitsForm) -> HttpResponseBase:
        """Store, or ask first when nothing would be left."""
        try:
            save_limits(
                tenant=self.tenant_row,
                version=form.cleaned_data["version"] or 0,
                values=form.values(),
                actor=viewer(self.request).actor,
                confirmed=self.request.POST.get("confirmed", ""),
            )
        except BelowUsage as error:
            question = {
                "warnings": error.warnings,
                "confirmed": error.fingerprint,
                "submit_label": _("Save anyway"),
            }
            return self.show(self.context(form=form, **self.more_context(form), **question))
        messages.success(self.request, _("The service limits were saved."))
        return redirect(self.tab, pk=self.tenant_row.pk)


class ServiceLimitsPreview(ServiceLimits):
    """The figures of limits that are only typed: for the script alone, or the whole page without one. Stores nothing."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Calculate."""
        form = self.form_class(request.POST, **self.form_arguments())
        if request.headers.get("HX-Request") == "true":
            return render(request, "licensing/service_limits_maths.html", {"maths": self.maths_of(form)})
        return self.show_form(form, status=200 if form.is_valid() else 422)
