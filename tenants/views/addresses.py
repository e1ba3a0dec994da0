"""Allowed addresses (Administration > System)."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.bulk import DELETE, BulkMixin
from core.pages import ConfirmPage, Crumbs, FormPage, ListPage, Text
from tenants.filters import AddressFilter
from tenants.forms import AllowedAddressForm
from tenants.models import AllowedAddress
from tenants.services import allow_address, disallow_address, disallow_addresses
from tenants.tables import AllowedAddressTable

TITLE = gettext_lazy("Allowed Addresses")
ROOT: Crumbs = [(gettext_lazy("Administration"), None), (gettext_lazy("System"), None)]


def address_crumbs() -> Crumbs:
    """The way to pages below the list."""
    return [*ROOT, (TITLE, reverse("tenants:allowed_addresses"))]


class AddressList(ListPage):
    """The list."""

    title = TITLE
    table_class = AllowedAddressTable
    filterset_class = AddressFilter
    bulk_actions = [DELETE]

    def bulk_url(self) -> str:
        """Delete."""
        return reverse("tenants:allowed_addresses_bulk")

    def breadcrumbs(self) -> Crumbs:
        """Administration > System."""
        return ROOT

    def get_queryset(self) -> QuerySet[AllowedAddress]:
        """All of them."""
        return AllowedAddress.objects.all()

    def more_context(self) -> dict[str, Any]:
        """What the list is for."""
        return {
            "intro": _(
                "Engines reach public addresses only. Networks inside, each with one port, must be listed here. "
                "Metadata services of clouds are refused even when listed."
            )
        }

    def actions(self) -> list[dict[str, Any]]:
        """Add."""
        return [{"label": _("Add"), "url": reverse("tenants:allowed_address_add"), "icon": "plus", "primary": True}]

    def empty(self) -> dict[str, Any]:
        """Nothing listed."""
        return {
            "icon": "shield-check",
            "title": _("No inside address is allowed"),
            "text": _("Speech engines can reach public addresses only."),
            "url": reverse("tenants:allowed_address_add"),
            "label": _("Add"),
        }


class AddressBulk(BulkMixin, AddressList):
    """Delete the chosen addresses."""

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What it means for engines."""
        return {"delete": (_("Delete"), _("Engines at these addresses cannot be reached any more."))}

    def list_url(self) -> str:
        """The list."""
        return reverse("tenants:allowed_addresses")

    def perform(self, action: str, rows: QuerySet[AllowedAddress]) -> str:
        """Through the service."""
        user: Any = self.request.user
        number = disallow_addresses(addresses=list(rows), actor=user.actor, audit_tenant=user.tenant)
        return ngettext("%(n)s address was removed.", "%(n)s addresses were removed.", number) % {"n": number}


class AddressPage(FormPage):
    """Add."""

    title = gettext_lazy("Add Allowed Address")
    form_class = AllowedAddressForm
    cancel_url = reverse_lazy("tenants:allowed_addresses")  # type: ignore[assignment]

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return address_crumbs()

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        user: Any = self.request.user
        address = allow_address(**form.cleaned_data, actor=user.actor, audit_tenant=user.tenant)
        messages.success(self.request, _("%(address)s may be reached by engines.") % {"address": address})
        return redirect("tenants:allowed_addresses")


class AddressDelete(ConfirmPage):
    """Delete."""

    title = gettext_lazy("Delete this address?")
    confirm_label = gettext_lazy("Delete")
    cancel_url = reverse_lazy("tenants:allowed_addresses")  # type: ignore[assignment]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the address."""
        super().setup(request, *args, **kwargs)
        self.address = get_object_or_404(AllowedAddress, pk=kwargs["pk"])

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return address_crumbs()

    def message(self) -> Text:
        """The address and the consequence."""
        return _("Engines at %(address)s cannot be reached any more.") % {"address": self.address}

    def act(self) -> Text:
        """Through the service."""
        user: Any = self.request.user
        text = str(self.address)
        disallow_address(address=self.address, actor=user.actor, audit_tenant=user.tenant)
        return _("%(address)s was removed.") % {"address": text}
