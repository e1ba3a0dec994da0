"""Usage: all tenants in one table, the details of one, and the list of what was denied (domain M1, M2)."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from accounts.permissions import Permission
from accounts.policy import viewer
from core.exports import csv_response
from core.pages import Crumbs, KeysetListPage, ListPage, Page, Text
from core.tables import PageTable
from licensing.alerts import mail_is_set_up, notices_of
from licensing.amounts import minutes_cell, minutes_number, minutes_text, percent, percent_text
from licensing.figures import Figures, figures, figures_of
from licensing.models import Denial
from tenants.models import Tenant
from tenants.selectors import visible_tenants
from usage.breakdowns import GROUPS, METER, Day, Part, days_of, months_of, parts_of
from usage.charts import chart_of
from usage.filters import DenialFilter, UsageFilter
from usage.tables import DenialTable, UsageTable, row_of, total_of

TITLE = gettext_lazy("Usage")
ROOT: Crumbs = [
    (gettext_lazy("Administration"), None),
    (gettext_lazy("Speech Analytics"), None),
    (gettext_lazy("Transcription"), None),
]
PERIOD = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])\Z")
GROUP_LABELS = {
    "users": gettext_lazy("By user"),
    "engines": gettext_lazy("By engine"),
    "languages": gettext_lazy("By language"),
}


def sees_all(user: User) -> bool:
    """Platform staff who do not view a tenant at the moment see the table of tenants."""
    return user.tenant.is_system and user.viewing is None


def transcription(request: HttpRequest) -> HttpResponseBase:
    """The table of all tenants for platform staff, the own details for everybody else (domain M1)."""
    user = viewer(request)
    if sees_all(user):
        return UsageList.as_view()(request)
    return TenantUsage.as_view()(request, pk=user.stands_in)


def address(name: str, *args: Any) -> str:
    """The address of a route, or nothing while there is no such route."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


class UsageList(ListPage):
    """All tenants that the viewer may see, with the total of what is shown."""

    title = TITLE
    table_class = UsageTable
    filterset_class = UsageFilter
    template_name = "usage/list.html"
    # Twelve columns: 250 lines would take longer to draw than a page may take.
    page_sizes = (25, 50, 100)
    at: datetime | None = None

    def breadcrumbs(self) -> Crumbs:
        """As in the menu."""
        return ROOT

    def get_queryset(self) -> QuerySet[Tenant]:
        """By the viewer's scope, without those whose data are deleted."""
        return visible_tenants(viewer(self.request)).exclude(state=Tenant.State.DELETED)

    def filterset(self, data: QueryDict) -> UsageFilter:
        """With the months on offer."""
        self.months = months_of()
        self.bound = UsageFilter(data, queryset=self.get_queryset(), request=self.request, months=self.months)
        return self.bound

    def make_table(self, rows: Any) -> UsageTable:
        """The figures of the tenants, narrowed by the percentage, sorted as the address says."""
        chosen = self.bound.form.cleaned_data if self.bound.is_valid() else {}
        ids = list(rows.order_by().values_list("pk", flat=True))
        found = figures(ids, METER, period=chosen.get("month") or "", at=self.at) if ids else []
        lines = [row_of(one) for one in found]
        over = chosen.get("over")
        if over is not None:
            lines = [line for line in lines if line.total is not None and line.share >= float(over)]
        self.lines = lines
        query = f"?month={chosen['month']}" if chosen.get("month") else ""
        self.arguments = {"total": total_of(lines) if lines else None, "query": query}
        table: UsageTable = super().make_table(lines)  # type: ignore[assignment]
        return table

    def table_arguments(self) -> dict[str, Any]:
        """Total and the query of links."""
        return self.arguments

    def export(self, rows: QuerySet[Any]) -> HttpResponseBase:
        """The same lines and the same total."""
        table = self.make_table(rows)
        return csv_response(_("usage"), table.header(), table.export())

    def shown(self, table: PageTable) -> Iterable[Any]:
        """The figures behind the cells; drawing every cell once more would take as long as the page."""
        yield from (row.record for row in table.paginated_rows)

    def more_context(self) -> dict[str, Any]:
        """A past month says so."""
        month = self.bound.form.cleaned_data.get("month") if self.bound.is_valid() else ""
        rows = self.lines
        return {
            "intro": _("All amounts are minutes."),
            "past": month if month and rows and not any(row.current for row in rows) else "",
        }

    def empty(self) -> dict[str, Any]:
        """A new installation."""
        return {"icon": "gauge", "title": _("No tenant yet")}


class TenantUsage(Page):
    """One tenant's month: figures, days, by user, engine and language, warnings."""

    title = TITLE
    template_name = "usage/tenant.html"
    region = "usage"
    at: datetime | None = None

    def breadcrumbs(self) -> Crumbs:
        """Below the table, for those who see it."""
        return below_table(viewer(self.request))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page, or one of its tables as CSV."""
        user = viewer(request)
        tenant = get_object_or_404(visible_tenants(user), pk=kwargs["pk"])
        period = request.GET.get("month", "")
        if period and not PERIOD.match(period):
            raise Http404
        found = figures_of(tenant.pk, METER, period=period, at=self.at)
        if request.GET.get("format") == "csv":
            return export(found, request.GET.get("table", ""))
        days = days_of(found)
        months = sorted({*months_of(tenant.pk), found.period}, reverse=True)
        return self.show(
            self.context(
                subtitle=tenant.name,
                found=found,
                tiles=tiles_of(found),
                notices=notices_of([found], METER).get(tenant.pk, []),
                mail_is_set_up=mail_is_set_up(),
                chart=chart_of(days),
                day_lines=[day_line(day) for day in days],
                days_csv=csv_url(period, "days"),
                figures_csv=csv_url(period, ""),
                parts=[self.part(found, group, period) for group in GROUPS],
                months=months,
                links=links_of(user, tenant),
                gauge=gauge_of(found),
            )
        )

    def part(self, found: Figures, group: str, period: str) -> dict[str, Any]:
        """One table of what was used by whom or what."""
        return {
            "title": GROUP_LABELS[group],
            "csv_url": csv_url(period, group),
            "rows": [
                {
                    "part": part,
                    "minutes": minutes_text(part.used),
                    "percent": percent_text(part.used, found.month.used or None),
                }
                for part in parts_of(found.tenant_id, found.period, group)
            ],
        }


def day_line(day: Day) -> dict[str, str]:
    """One line of the table below the chart."""
    return {
        "day": day.day.isoformat(),
        "minutes": minutes_text(day.used),
        "requests": f"{day.requests:,}",
        "denied": f"{day.denied:,}",
    }


def below_table(user: User) -> Crumbs:
    """The way to pages about one tenant."""
    return [*ROOT, (TITLE, reverse("usage:transcription"))] if sees_all(user) else ROOT


def csv_url(period: str, table: str) -> str:
    """The address of a table as CSV."""
    query = QueryDict(mutable=True)
    if period:
        query["month"] = period
    query["format"] = "csv"
    if table:
        query["table"] = table
    return f"?{query.urlencode()}"


def tiles_of(found: Figures) -> list[dict[str, Any]]:
    """The figures of the guide (domain M2); of a past month only what the ledger knows of it."""
    denied = {
        "label": _("Denied"),
        "value": f"{found.month.denied:,}",
        "icon": "ban",
        "tone": "warning" if found.month.denied else "muted",
        "url": reverse("usage:denied", args=[found.tenant_id]),
    }
    used = {"label": _("Used this month"), "value": minutes_text(found.month.used), "note": _("minutes")}
    if not found.current:
        requests = {"label": _("Requests"), "value": f"{found.month.requests:,}"}
        return [used | {"label": _("Used in %(month)s") % {"month": found.period}}, requests, denied]
    if found.reserved:
        used["note"] = _("minutes; %(reserved)s more are reserved") % {"reserved": minutes_text(found.reserved)}
    own = _("minutes/month; each user has his own") if found.own else _("minutes/month")
    seats = _("all have a seat") if found.accepted == found.licensed else _("%(n)s with a seat") % {"n": found.accepted}
    return [
        {"label": _("Licensed users"), "value": f"{found.licensed:,}", "note": seats},
        {"label": _("Limit per user"), "value": minutes_text(found.user_limit), "note": own},
        {"label": _("Total limit"), "value": minutes_text(found.total), "note": limited_by(found)},
        used,
        {
            "label": _("Percent"),
            "value": percent_text(found.month.used, found.total),
            "note": left_text(found.left),
        },
        {
            "label": _("Days until reset"),
            "value": str(found.days_left),
            "note": _("months begin in %(zone)s") % {"zone": found.zone},
        },
        denied,
    ]


def left_text(seconds: int | None) -> str:
    """How much is left in words; empty without a limit."""
    if seconds is None:
        return ""
    text = ngettext("%(left)s minute left", "%(left)s minutes left", minutes_number(seconds))
    return text % {"left": minutes_text(seconds)}


def limited_by(found: Figures) -> str:
    """Where the total comes from."""
    if found.total is None:
        return _("for all users together") if found.own else ""
    if found.own or found.user_limit is None or found.total < found.user_limit * found.accepted:
        return _("minutes; limit of the organisation")
    return _("minutes: %(users)s × %(limit)s") % {
        "users": f"{found.accepted:,}",
        "limit": minutes_text(found.user_limit),
    }


def gauge_of(found: Figures) -> dict[str, Any] | None:
    """Used of the total as a bar, and when the limit is reached; None without a limit or in a past month."""
    if found.total is None or not found.current:
        return None
    forecast = found.forecast
    if found.pace is None and forecast is None:
        text = _("The forecast needs one full day of this month.")
    elif forecast is None:
        text = _("At the pace of the last %(days)s full days the limit is not reached before the reset.")
    elif forecast == found.today and not found.left:
        text = _("The limit is reached.")
    else:
        text = _("At the pace of the last %(days)s full days the limit is reached on %(date)s.")
    return {
        "value": min(found.month.used, found.total),
        "max": found.total or 1,
        "text": percent_text(found.month.used, found.total),
        "forecast": text % {"days": found.pace_days, "date": forecast},
    }


def links_of(user: User, tenant: Tenant) -> list[dict[str, str]]:
    """Where to go on from here, as far as there is a way and a right."""
    offered = [
        (_("Raise limit"), "licensing:service_limits", Permission.SERVICE_LIMITS_EDIT, "adjustments-horizontal"),
        (_("Who has a seat"), "licensing:seats", Permission.LICENCE_LIMITS_VIEW, "users"),
        (_("Denied requests"), "usage:denied", Permission.USAGE_VIEW, "ban"),
        (_("Statements"), "usage:statements", Permission.USAGE_VIEW, "file-download"),
        (_("Check list"), "usage:check_list", Permission.USAGE_VIEW, "list-details"),
    ]
    found = [
        {"label": label, "url": address(name, tenant.pk), "icon": icon}
        for label, name, right, icon in offered
        if user.has(right)
    ]
    return [link for link in found if link["url"]]


def export(found: Figures, table: str) -> HttpResponseBase:
    """The figures, the days or one breakdown as CSV; every line of it, not only the top. 404 for another table."""
    name = f"usage-{found.slug}-{found.period}"
    if table == "":
        return csv_response(name, [_("Figure"), _("Value")], [list(line) for line in figure_lines(found)])
    if table == "days":
        header = [_("Day"), _("Minutes"), _("Seconds"), _("Requests"), _("Denied")]
        rows = [[d.day.isoformat(), minutes_cell(d.used), d.used, d.requests, d.denied] for d in days_of(found)]
        return csv_response(f"{name}-days", header, rows)
    if table not in GROUPS:
        raise Http404
    header = [_("Name"), _("Minutes"), _("Seconds"), _("Percent"), _("Requests"), _("Denied")]
    parts = parts_of(found.tenant_id, found.period, table, top=None)
    return csv_response(f"{name}-{table}", header, [part_line(part, found) for part in parts])


def part_line(part: Part, found: Figures) -> list[Any]:
    """One line of a breakdown."""
    of_all = percent(part.used, found.month.used or None)
    return [
        part.name,
        minutes_cell(part.used),
        part.used,
        "" if of_all is None else str(of_all),
        part.requests,
        part.denied,
    ]


def figure_lines(found: Figures) -> Iterable[tuple[str, Any]]:
    """The figures of the page as bare values."""
    yield _("Tenant"), found.name
    yield _("Month"), found.period
    yield _("Time zone"), found.zone
    if found.current:
        yield _("Licensed users"), found.licensed
        yield _("With a seat"), found.accepted
        yield _("Limit per user (minutes/month)"), minutes_cell(found.user_limit)
        yield _("Limits per user"), found.limits.get_per_user_display()
        yield _("Total limit (minutes)"), minutes_cell(found.total)
    yield _("Used (minutes)"), minutes_cell(found.month.used)
    yield _("Used (seconds)"), found.month.used
    if found.current:
        of_all = percent(found.month.used, found.total)
        yield _("Percent"), "" if of_all is None else str(of_all)
        yield _("Reserved (minutes)"), minutes_cell(found.reserved)
        yield _("Left (minutes)"), minutes_cell(found.left)
        yield _("Days until reset"), found.days_left
        yield _("Limit reached on"), found.forecast.isoformat() if found.forecast else ""
    yield _("Requests"), found.month.requests
    yield _("Denied"), found.month.denied


class DeniedList(KeysetListPage):
    """The requests of one tenant that a gate refused, newest first."""

    title = gettext_lazy("Denied requests")
    table_class = DenialTable
    filterset_class = DenialFilter
    template_name = "usage/denied.html"
    tenant_row: Tenant

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the tenant of the address."""
        super().setup(request, *args, **kwargs)
        self.tenant_row = get_object_or_404(visible_tenants(request.user), pk=kwargs["pk"])

    def breadcrumbs(self) -> Crumbs:
        """Below the tenant's usage."""
        return below_tenant(viewer(self.request), self.tenant_row)

    def get_queryset(self) -> QuerySet[Denial]:
        """Of this tenant, with the user's name."""
        names = User.objects.filter(pk=OuterRef("user_id"), tenant=self.tenant_row).order_by()
        rows = Denial.objects.filter(tenant=self.tenant_row, meter=METER)
        return rows.annotate(username=Subquery(names.values("username")[:1]))

    def filterset(self, data: QueryDict) -> DenialFilter:
        """Users of the tenant only."""
        return DenialFilter(data, queryset=self.get_queryset(), request=self.request, tenant=self.tenant_row)

    def table_arguments(self) -> dict[str, Any]:
        """Calls are links where the viewer stands in the tenant."""
        user = viewer(self.request)
        may = user.has(Permission.CALLS_VIEW_OWN) or user.has(Permission.CALLS_VIEW_OTHERS)
        return {"calls": may and user.stands_in == self.tenant_row.pk}

    def more_context(self) -> dict[str, Any]:
        """Whose they are."""
        return {"subtitle": self.tenant_row.name}

    def empty(self) -> dict[str, Any]:
        """Good news."""
        return {"icon": "circle-check", "title": _("Nothing was denied")}


def below_tenant(user: User, tenant: Tenant) -> Crumbs:
    """The way to pages below a tenant's usage."""
    label: Text = tenant.name if sees_all(user) else TITLE
    return [*below_table(user), (label, reverse("usage:tenant", args=[tenant.pk]))]
