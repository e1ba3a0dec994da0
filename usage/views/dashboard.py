"""The dashboard (Dashboards): conversations, length, a score and choices by day, user group and choice."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.permissions import Permission
from accounts.policy import viewer
from conversations.fields.list_filters import parameter_of
from conversations.fields.summing import summary_of
from conversations.selectors import visible_calls
from core.exports import csv_response
from core.pages import Page
from tenants.models import Tenant
from tenants.selectors import visible_tenants
from usage.dashboard.filters import DashboardFilter
from usage.dashboard.shown import Shown, widest

TOP = 50
# Kept when a link leads to the list of conversations, which understands them too.
SHARED = ("date_from", "date_to", "channel", "group")
TABLES = ("day", "group", "choice", "band")


def chooses_tenant(user: User) -> bool:
    """Platform staff see conversations of a tenant only while they view as it, which is audited there."""
    return user.tenant.is_system and user.viewing is None


class Dashboard(Page):
    """What the conversations that the viewer may see were about, and how people felt."""

    title = gettext_lazy("Dashboard")
    template_name = "usage/dashboard.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page or one of its tables as CSV; for platform staff the tenants to choose from."""
        user = viewer(request)
        asked = DashboardFilter(request.GET, queryset=visible_calls(user), request=request)
        if not asked.is_valid():
            return self.show(self.context(filter=asked, refused=True), status=400)
        if request.GET.get("format") == "csv":
            return self.export(self.summed(asked), request.GET.get("table") or "day")
        if chooses_tenant(user):
            return self.show(self.context(tenants=tenants_of(user), choose=True))
        return self.show(self.context(filter=asked, **self.content(self.summed(asked))))

    def summed(self, asked: DashboardFilter) -> Shown:
        """The figures of what is asked."""
        values = asked.form.cleaned_data
        score, choice = asked.score_field, asked.choice_field
        found = summary_of(asked.qs, timezone.get_current_timezone_name(), score, choice)
        return Shown(found, score, choice, values["date_from"], values["date_to"])

    def content(self, shown: Shown) -> dict[str, Any]:
        """What the template reads."""
        found = shown.found
        return {
            "shown": shown,
            "tiles": shown.tiles(),
            "volume": shown.volume_chart(),
            "scores": shown.score_chart(),
            "bands": shown.bands(),
            "days": [
                shown.line(found.days[day], found.top_of_days.get(day))
                | {"name": day.isoformat(), "url": self.listed(date_from=day.isoformat(), date_to=day.isoformat())}
                for day in sorted(found.days, reverse=True)
            ],
            "groups": self.groups(shown),
            "choices": self.choices(shown),
            "list_url": self.listed(date_from=shown.since.isoformat(), date_to=shown.until.isoformat()),
            "csv": {name: self.address(format="csv", table=name) for name in TABLES},
        }

    def groups(self, shown: Shown) -> list[dict[str, Any]]:
        """Lines of user groups; each narrows the page."""
        found = shown.found
        ordered = sorted(found.groups, key=lambda name: (-found.groups[name].conversations, name))[:TOP]
        return [
            shown.line(found.groups[name], found.top_of_groups.get(name))
            | {"name": name or _("without a group"), "url": self.address(group=name) if name else ""}
            for name in ordered
        ]

    def choices(self, shown: Shown) -> list[dict[str, Any]]:
        """Lines of choices; each leads to its conversations, where the field is a filter of the list."""
        field, most = shown.choice, widest(shown.found.choices)
        days = {"date_from": shown.since.isoformat(), "date_to": shown.until.isoformat()}
        lines = []
        for member, sums in list(shown.found.choices.items())[:TOP]:
            url = ""
            if field is not None and field.in_lists:
                name = parameter_of(field)
                url = self.listed(**days, **{f"{name}_0": "is", f"{name}_1": member})
            lines.append(shown.line(sums) | {"name": shown.label(member), "url": url, "most": most})
        return lines

    def address(self, **changes: str) -> str:
        """This page with something changed."""
        query = self.request.GET.copy()
        query.pop("format", None)
        query.pop("table", None)
        for name, value in changes.items():
            query[name] = value
        return f"?{query.urlencode()}"

    def listed(self, **more: str) -> str:
        """The list of conversations, narrowed as this page is."""
        query = QueryDict(mutable=True)
        for name in SHARED:
            if self.request.GET.get(name):
                query[name] = self.request.GET[name]
        for name, value in more.items():
            query[name] = value
        return f"{reverse('conversations:calls')}?{query.urlencode()}"

    def export(self, shown: Shown, table: str) -> HttpResponseBase:
        """One table, every line of it. 404 for another one."""
        found = shown.found
        name = f"{_('dashboard')}-{table}"
        if table == "day":
            rows = [
                shown.cells(day.isoformat(), found.days[day], found.top_of_days.get(day), with_top=True)
                for day in sorted(found.days)
            ]
            return csv_response(name, shown.header(_("Day"), top=True), rows)
        if table == "group":
            rows = [
                shown.cells(group, found.groups[group], found.top_of_groups.get(group), with_top=True)
                for group in sorted(found.groups)
            ]
            return csv_response(name, shown.header(_("User group"), top=True), rows)
        if table == "choice" and shown.choice is not None:
            rows = [shown.cells(shown.label(key), sums, with_top=False) for key, sums in found.choices.items()]
            return csv_response(name, shown.header(shown.choice.name, top=False), rows)
        if table == "band" and shown.score is not None:
            lines = [[band["label"], band["start"], band["number"]] for band in shown.bands()]
            return csv_response(name, [shown.score.name, _("From"), _("Conversations")], lines)
        raise Http404


def tenants_of(user: User) -> list[dict[str, Any]]:
    """The tenants whose conversations platform staff may look at, each with the way there."""
    tenants = visible_tenants(user).filter(is_system=False, state=Tenant.State.READY).order_by("name")[:TOP]
    may = user.has(Permission.TENANTS_VIEW_AS)
    return [
        {"name": tenant.name, "url": reverse("tenants:view_as", args=[tenant.pk]) if may else ""} for tenant in tenants
    ]
