"""Monthly statements: the months of a tenant, one statement as a page, its entries as CSV, and the signed file."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.policy import viewer
from audit.services import seen
from core.exports import csv_response
from core.outcomes import Reason
from core.pages import Crumbs, Page, Text
from core.tables import show_time
from licensing.amounts import minutes_text
from licensing.figures import figures_of
from licensing.models import NOBODY, Entitlement
from tenants.models import Tenant
from tenants.selectors import visible_tenants
from usage.breakdowns import METER
from usage.statements import (
    SEATS,
    Statement,
    Sums,
    entry_rows,
    months_with_sums,
    overview,
    periods_of,
    shown_digest,
    signed_file,
    statement,
)
from usage.views.usage import PERIOD, below_tenant

LISTED = 200


class StatementsPage(Page):
    """Base: the tenant of the address, among those that the viewer may see."""

    tenant_row: Tenant
    at: datetime | None = None

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load it, or 404."""
        super().setup(request, *args, **kwargs)
        self.tenant_row = get_object_or_404(visible_tenants(request.user), pk=kwargs["pk"])

    def breadcrumbs(self) -> Crumbs:
        """Below the tenant's usage."""
        return below_tenant(viewer(self.request), self.tenant_row)


class StatementList(StatementsPage):
    """The months, newest first."""

    title = gettext_lazy("Statements")
    template_name = "usage/statements.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """One line a month."""
        tenant = self.tenant_row
        sums = months_with_sums(tenant)
        current = figures_of(tenant.pk, METER, at=self.at).period
        months = [
            {
                "period": period,
                "url": reverse("usage:statement", args=[tenant.pk, period]),
                "used": minutes_text(sums.get(period, {}).get("used", 0)),
                "requests": f"{sums.get(period, {}).get('requests', 0):,}",
                "denied": f"{sums.get(period, {}).get('denied', 0):,}",
                "current": period >= current,
            }
            for period in sorted({current, *sums}, reverse=True)
        ]
        return self.show(self.context(months=months, subtitle=tenant.name))


class StatementPage(StatementsPage):
    """One month: the page, ``?format=csv`` its entries, ``?format=json`` the signed file."""

    template_name = "usage/statement.html"

    def get_title(self) -> Text:
        """With the month."""
        return _("Statement %(month)s") % {"month": self.kwargs["period"]}

    def breadcrumbs(self) -> Crumbs:
        """Below the months."""
        return [*super().breadcrumbs(), (_("Statements"), reverse("usage:statements", args=[self.tenant_row.pk]))]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """In the form that is asked for; 404 for a month without a statement."""
        period = kwargs["period"]
        if not PERIOD.match(period) or period not in periods_of(self.tenant_row, at=self.at):
            raise Http404
        name = f"statement-{self.tenant_row.slug}-{period}"
        if request.GET.get("format") == "json":
            made = statement(self.tenant_row, period, at=self.at)
            response = HttpResponse(signed_file(made), content_type="application/json")
            response["Content-Disposition"] = f'attachment; filename="{name}.json"'
            return self.audited(response, made, "json")
        made = overview(self.tenant_row, period, at=self.at)
        if request.GET.get("format") == "csv":
            header = [_("Entry"), _("Time"), _("Call"), _("User"), _("Engine"), _("Language"), _("Seconds")]
            return self.audited(csv_response(name, header, entry_rows(made)), made, "csv")
        return self.show(self.context(**content_of(made)))

    def audited(self, response: Any, made: Statement, form: str) -> HttpResponseBase:
        """Who took which statement in which form (security A2)."""
        marked: HttpResponseBase = seen(
            response,
            action="export.made",
            target_type="statement",
            target_id=f"{made.tenant.slug} {made.period}",
            form=form,
            tenant=str(made.tenant.pk),
            entries=made.books.entries,
        )
        return marked


def content_of(made: Statement) -> dict[str, Any]:
    """What the page shows."""
    books = made.books
    return {
        "subtitle": made.tenant.name,
        "final": made.final,
        "over": made.over,
        "open_reservations": made.open_reservations,
        "tiles": [
            {"label": _("Charged"), "value": minutes_text(books.seconds), "note": _("minutes")},
            {"label": _("Entries"), "value": f"{books.entries:,}"},
            {"label": _("Denied"), "value": f"{sum(made.denied.values()):,}"},
        ],
        "head": [
            (_("Tenant"), made.tenant.name),
            (_("Short name"), made.tenant.slug),
            (_("Month"), made.period),
            (_("Time zone"), made.zone),
            (_("Issued"), show_time(made.issued_at)),
            (_("Seconds charged"), f"{books.seconds:,}"),
        ],
        "limits": limit_lines(made.limits),
        "digest": shown_digest(made),
        "tables": [
            table(_("By day"), _("Day"), books.days, {day: day.isoformat() for day in books.days.seconds}, by_key=True),
            table(_("By user"), _("User"), books.users, user_texts(made)),
            table(_("By engine"), _("Engine"), books.engines, {}),
            table(_("By language"), _("Language"), books.languages, {}),
        ],
        "denied": [(Reason.label_of(code), f"{number:,}") for code, number in made.denied.items()],
    }


def user_texts(made: Statement) -> dict[Any, str]:
    """Names of users; ids of those that are deleted."""
    return {
        key: made.names.get(key) or (_("No user") if key == NOBODY else _("Deleted user %(id)s") % {"id": key})
        for key in made.books.users.seconds
    }


def limit_lines(limits: dict[str, Any]) -> list[tuple[str, str]]:
    """The limits in words."""
    fields = [
        (_("Transcription (minutes/user) per month"), "user_month"),
        (_("Transcription (minutes/org) per month"), "org_month"),
        (_("Transcription (minutes/user) lifetime"), "user_lifetime"),
        (_("Transcription (minutes/org) lifetime"), "org_lifetime"),
        (_("Seats of Speech analytics"), SEATS),
    ]
    lines = [(label, _("Unlimited") if limits[key] is None else f"{limits[key]:,}") for label, key in fields]
    policy = {code: str(label) for code, label in Entitlement.Policy.choices}.get(limits["policy"], limits["policy"])
    sharing = dict(Entitlement.PerUser.choices).get(limits["per_user"], limits["per_user"])
    return [*lines, (_("Limits per user"), sharing), (_("When a limit is reached"), policy)]


def table(title: str, head: str, sums: Sums, names: dict[Any, str], *, by_key: bool = False) -> dict[str, Any]:
    """One breakdown: all days, else the largest; the signed file has all."""
    keys = sorted(sums.seconds) if by_key else sorted(sums.seconds, key=lambda key: (-sums.seconds[key], str(key)))
    return {
        "title": title,
        "head": head,
        "more": max(len(keys) - LISTED, 0),
        "rows": [
            {
                "name": names.get(key) or key or _("Not known"),
                "minutes": minutes_text(sums.seconds[key]),
                "seconds": f"{sums.seconds[key]:,}",
                "entries": f"{sums.entries[key]:,}",
            }
            for key in keys[:LISTED]
        ],
    }
