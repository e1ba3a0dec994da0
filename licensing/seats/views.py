"""The tab License Limits, and the seat explainer."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.permissions import Permission
from accounts.policy import viewer
from accounts.services import key_of
from core.pages import ListPage, Text, whole
from core.tables import PageTable
from licensing.models import NOBODY, Bundle
from licensing.seats.effects import Effect, Holder, SeatsExceeded, effect_of, holders_of
from licensing.seats.forms import SeatLimitsForm, WhatIfForm
from licensing.seats.selectors import holders_by_bundle, place_of, ranked_for_pages
from licensing.seats.services import save_seats
from licensing.seats.tables import SeatTable
from licensing.selectors import seat_limits
from tenants.pages import TenantFormPage, TenantPage

TAB = "licensing:licence_limits"


class LicenceLimits(TenantFormPage):
    """Seats of the five bundles; platform staff change them, tenants look."""

    tab = TAB
    edit_right = Permission.LICENCE_LIMITS_EDIT
    form_class = SeatLimitsForm
    template_name = "licensing/licence_limits.html"

    def form_arguments(self) -> dict[str, Any]:
        """The stored seats, twice: to change, and as what was seen."""
        stored = seat_limits(self.tenant_row.pk)
        initial = {**stored, **{f"seen_{code}": number for code, number in stored.items()}}
        return {"holders": holders_by_bundle(self.tenant_row.pk), "initial": initial}

    def more_context(self, form: Any) -> dict[str, Any]:
        """How things stand, with the way to who has a seat."""
        limits, held = seat_limits(self.tenant_row.pk), holders_by_bundle(self.tenant_row.pk)
        base = reverse("licensing:seats", args=[self.tenant_row.pk])
        rows = []
        for bundle in Bundle:
            seats, holders = limits.get(bundle), held.get(bundle, 0)
            over = max(holders - seats, 0) if seats is not None else 0
            rows.append(
                {
                    "label": bundle.label,
                    "seats": seats,
                    "holders": holders,
                    "accepted": holders - over,
                    "over": over,
                    "url": f"{base}?bundle={bundle.value}",
                }
            )
        return {"read_only": not self.may_edit, "rows": rows}

    def save(self, form: SeatLimitsForm) -> HttpResponseBase:
        """Store, or ask first."""
        try:
            save_seats(
                tenant=self.tenant_row,
                seen=form.seen(),
                seats=form.seats(),
                editor=viewer(self.request),
                confirmed=self.request.POST.get("confirmed", ""),
            )
        except SeatsExceeded as error:
            question = {"effects": error.effects, "confirmed": error.fingerprint, "submit_label": _("Save anyway")}
            return self.show({**self.context(form=form, **self.more_context(form)), **question})
        messages.success(self.request, _("Saved."))
        return redirect(self.tab, pk=self.tenant_row.pk)


class Seats(TenantPage, ListPage):
    """Who has a seat and why: the ranked list, the cut line, and what would change (domain §4.4)."""

    tab = TAB
    title = gettext_lazy("Who has a seat")
    template_name = "licensing/seats.html"
    table_class = SeatTable

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Read the questions of the address; what is not valid asks nothing."""
        super().setup(request, *args, **kwargs)
        data = {"bundle": Bundle.SPEECH_ANALYTICS.value, **request.GET.dict()}
        self.form = WhatIfForm(data)
        self.form.is_valid()
        asked = self.form.cleaned_data
        self.bundle = Bundle(asked.get("bundle") or Bundle.SPEECH_ANALYTICS)
        self.now = seat_limits(self.tenant_row.pk).get(self.bundle)
        asked_seats = asked.get("seats")
        self.then = self.now if asked_seats is None else asked_seats
        self.added: str = (asked.get("add") or "").strip()
        self.wanted: str = key_of(asked.get("find") or "")

    def get_title(self) -> Text:
        """Which licence."""
        return _("Who has a seat: %(licence)s") % {"licence": self.bundle.label}

    def get_queryset(self) -> QuerySet[User]:
        """By rank."""
        return ranked_for_pages(self.tenant_row.pk, self.bundle)

    def table_arguments(self) -> dict[str, Any]:
        """The cut as it is and as it would be."""
        return {
            "now": self.now,
            "then": self.then,
            "people_links": viewer(self.request).has(Permission.USERS_VIEW),
            "found": self.wanted,
        }

    def make_table(self, rows: Any) -> PageTable:
        """In the order of ranks, which the database made."""
        return self.table_class(rows, **self.table_arguments())

    def paged(self, rows: QuerySet[Any]) -> tuple[PageTable, dict[str, Any]]:
        """All pages can be reached, also beyond the 10,000 rows that other lists count: the cut may be there."""
        table = self.make_table(rows)
        size = self.page_size()
        paginator = Paginator(table.rows, size)
        paginator.count = self.holders
        page = self.request.GET.get("page")
        if self.wanted and page is None:
            page = str((place_of(self.tenant_row.pk, self.bundle, self.wanted) - 1) // size + 1)
        table.paginator = paginator  # type: ignore[assignment]
        table.page = paginator.get_page(page)
        return table, {"total_label": f"{self.holders:,}"}

    @cached_property
    def holders(self) -> int:
        """How many hold the licence."""
        return holders_by_bundle(self.tenant_row.pk).get(self.bundle, 0)

    def what_if(self) -> Effect | None:
        """What the questions would do; None when nothing is asked."""
        if self.then == self.now and not self.added:
            return None
        before = holders_of(self.tenant_row.pk, self.bundle)
        key = key_of(self.added)
        known = next((holder for holder in before if holder.key == key), None)
        add = [Holder(key, NOBODY, self.added)] if self.added and known is None else []
        return effect_of(self.bundle, before, seats=self.now, new_seats=self.then, add=add)

    def more_context(self) -> dict[str, Any]:
        """Rule, numbers, cut line and the answer."""
        size = self.page_size()
        cut = self.then if self.then is not None and self.then < self.holders else None
        query = self.request.GET.copy()
        for name in ("page", "find"):
            query.pop(name, None)
        if cut is not None:
            query["page"] = str(whole(str(cut), 0) // size + 1)
        effect = self.what_if()
        return {
            "form": self.form,
            "bundle": self.bundle,
            "now": self.now,
            "then": self.then,
            "holders": self.holders,
            "accepted": self.holders if self.now is None else min(self.holders, self.now),
            "cut": cut,
            "cut_url": f"?{query.urlencode()}" if cut is not None else "",
            "effect": effect,
            "added": self.added,
            "added_rank": place_of(self.tenant_row.pk, self.bundle, key_of(self.added)) if self.added else 0,
        }

    def empty(self) -> dict[str, Any]:
        """Nobody."""
        return {"icon": "users", "title": _("Nobody holds this licence")}
