"""Usage and cost, and executions (Administration > Speech Analytics > AI Assistant)."""

import calendar
import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.permissions import Permission
from accounts.policy import viewer
from aiassistant.executing.models import Execution
from aiassistant.models import AIEngine
from aiassistant.rails import selectors
from aiassistant.rails.budgets import amount_text
from aiassistant.rails.charts import DayValue, chart_of
from aiassistant.rails.filters import ExecutionFilter, tasks_for
from aiassistant.rails.places import EXECUTIONS, ROOT, USAGE
from aiassistant.rails.selectors import Ended, Spent, budgets_for
from aiassistant.rails.tables import ExecutionTable
from aiassistant.rails.watching import paces
from conversations.executions import Exchange, exchanges_of
from conversations.models import Call
from conversations.selectors import call_for, may_read
from core.exports import csv_response
from core.ids import uuids
from core.money import MICRO, money_cell, share, sums_text
from core.pages import Crumbs, ListPage, Page, Text, whole
from tenants.selectors import visible_tenants

PERIOD = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])\Z")
DAYS, TOP = 30, 50
GROUP_LABELS = {
    "tenant": gettext_lazy("By tenant"),
    "task": gettext_lazy("By task"),
    "engine": gettext_lazy("By engine"),
    "model": gettext_lazy("By model"),
    "day": gettext_lazy("By day"),
}


def sees_several(user: User) -> bool:
    """Platform staff who do not view a tenant at the moment."""
    return user.tenant.is_system and user.viewing is None


class UsagePage(Page):
    """What was spent in 30 days or in a month: by day, tenant, task, engine, model; how executions ended; budgets."""

    title = USAGE[0]
    template_name = "aiassistant/usage.html"
    region = "ai-usage"

    def breadcrumbs(self) -> Crumbs:
        """As in the menu."""
        return ROOT

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page, or one of its tables as CSV."""
        user = viewer(request)
        rows = selectors.spend_of(user, since=self.days[0], until=self.days[1], **self.only)
        if request.GET.get("format") == "csv":
            return self.export(rows, request.GET.get("table", ""))
        parts = {group: selectors.parts_of(rows, group) for group in self.groups}
        total = selectors.total_of(parts["day"])
        days = selectors.days_of(parts["day"], *self.days)
        ended = self.ended()
        return self.show(
            self.context(
                tiles=tiles_of(total, ended["task"]),
                chart=chart_of_days(days),
                parts=[self.part(group, parts[group], total) for group in self.groups],
                endings=self.endings(ended),
                budgets=self.budgets(),
                choices=self.choices(),
                links=self.links(),
                since=self.days[0],
                until=self.days[1],
            )
        )

    @cached_property
    def groups(self) -> list[str]:
        """Those whose table says something to the viewer."""
        shown = list(selectors.GROUPS)
        return shown if sees_several(viewer(self.request)) and "tenant" not in self.only else shown[1:]

    @cached_property
    def days(self) -> tuple[date, date]:
        """The month of the address, or the last 30 days. Raises Http404 for what is no month."""
        period = self.request.GET.get("month", "")
        if not period:
            today = timezone.localdate()
            return today - timedelta(days=DAYS - 1), today
        found = PERIOD.match(period)
        if not found:
            raise Http404
        year, month = int(found[1]), int(found[2])
        return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])

    @cached_property
    def only(self) -> dict[str, Any]:
        """The columns that the address narrows; Http404 for what is nobody's."""
        asked = self.request.GET
        found: dict[str, Any] = {}
        if asked.get("tenant"):
            ids = uuids([asked["tenant"]])
            if not ids or not visible_tenants(viewer(self.request)).filter(pk=ids[0]).exists():
                raise Http404
            found["tenant"] = ids[0]
        for name in ("task", "engine"):
            number = whole(asked.get(name), 0)
            if number:
                found[name] = number
        if asked.get("model"):
            found["model"] = asked["model"][:120]
        return found

    def ended(self) -> dict[str, list[Ended]]:
        """How executions ended, by task and engine, and by tenant."""
        only = {name: value for name, value in self.only.items() if name in {"tenant", "engine"}}
        if "task" in self.only:
            task = tasks_for(viewer(self.request)).filter(pk=self.only["task"]).first()
            only["task_key"] = task.key if task else ""
        rows = selectors.outcomes_of(viewer(self.request), since=self.days[0], until=self.days[1], **only)
        found = {"task": selectors.ended_by(rows, "task_key", "engine")}
        if "tenant" in self.groups:
            found["tenant"] = selectors.ended_by(rows, "tenant")
        return found

    def endings(self, ended: dict[str, list[Ended]]) -> list[dict[str, Any]]:
        """The tables of how executions ended."""
        titles = {"task": _("Success by task and engine"), "tenant": _("Success by tenant")}
        return [
            {
                "title": titles[name],
                "csv_url": self.address(format="csv", table=f"ended-{name}"),
                "by_task": name == "task",
                "rows": [ended_line(one) for one in found[:TOP]],
            }
            for name, found in ended.items()
        ]

    def part(self, group: str, parts: Sequence[Spent], total: Spent) -> dict[str, Any]:
        """One table of what was spent by whom or what."""
        shown = list(reversed(parts)) if group == "day" else parts
        return {
            "title": GROUP_LABELS[group],
            "group": group,
            "csv_url": self.address(format="csv", table=group),
            "rows": [self.line(group, part, total) for part in shown[:TOP]],
        }

    def line(self, group: str, part: Spent, total: Spent) -> dict[str, Any]:
        """One row; tenants, tasks, engines and models narrow the page."""
        url = "" if group == "day" or group in self.only else self.address(**{group: str(part.key)})
        return {
            "name": part.name,
            "url": url if part.key else "",
            "executions": f"{part.executions:,}",
            "requests": f"{part.requests:,}",
            "again": share(part.again, part.requests),
            "tokens": f"{part.tokens:,}",
            "each": f"{part.tokens / part.executions:,.0f}" if part.executions else "–",
            "cost": sums_text(part.cost),
            "again_cost": sums_text(part.again_cost),
            "percent": share(part.tokens, total.tokens),
        }

    def budgets(self) -> list[dict[str, Any]]:
        """The enabled budgets that have something to do with what is shown."""
        rows = budgets_for(viewer(self.request)).filter(enabled=True)
        if "tenant" in self.only:
            rows = rows.filter(tenant=self.only["tenant"])
        return [
            {
                "name": pace.budget.name,
                "value": pace.used,
                "max": pace.budget.hard or pace.budget.soft,
                "text": _("%(used)s of %(allowed)s")
                % {
                    "used": amount_text(pace.budget, pace.used),
                    "allowed": amount_text(pace.budget, pace.budget.hard or pace.budget.soft),
                },
            }
            for pace in paces(list(rows[:TOP]))
        ]

    def choices(self) -> dict[str, Any]:
        """What the form offers, and what is chosen."""
        user = viewer(self.request)
        asked = self.request.GET
        tenants = visible_tenants(user).order_by("name") if sees_several(user) else []
        fields = [
            ("tenant", _("Tenant"), [(str(tenant.pk), tenant.name) for tenant in tenants]),
            ("task", _("Task"), [(str(task.pk), task.title) for task in tasks_for(user)]),
            ("engine", _("Engine"), [(str(e.pk), e.name) for e in AIEngine.objects.order_by("name")]),
        ]
        return {
            "months": selectors.months_of(user),
            "month": asked.get("month", ""),
            "model": asked.get("model", ""),
            "fields": [
                {"name": name, "label": label, "options": options, "value": asked.get(name, "")}
                for name, label, options in fields
                if options
            ],
        }

    def links(self) -> list[dict[str, Any]]:
        """To what belongs to it."""
        user = viewer(self.request)
        found: list[dict[str, Any]] = [
            {"label": EXECUTIONS[0], "url": reverse("rails:executions"), "icon": "list-details"},
            {"label": _("Budgets"), "url": reverse("rails:budgets"), "icon": "gauge"},
        ]
        if "tenant" in self.only and user.has(Permission.SERVICE_LIMITS_EDIT):
            url = reverse("rails:rate", args=[self.only["tenant"]])
            found.append({"label": _("Rate"), "url": url, "icon": "adjustments-horizontal"})
        return found

    def address(self, **more: str) -> str:
        """This page with the same filters and ``more``."""
        query = self.request.GET.copy()
        for name, value in more.items():
            query[name] = value
        return f"?{query.urlencode()}"

    def export(self, rows: QuerySet[Any], table: str) -> HttpResponseBase:
        """One table with bare digits; money a line for each currency. Raises Http404 for an unknown one."""
        if table.startswith("ended-"):
            return self.export_ended(table.removeprefix("ended-"))
        if table not in self.groups:
            raise Http404
        parts = selectors.parts_of(rows, table)
        header = [
            str(GROUP_LABELS[table]), _("Executions"), _("Requests"), _("Repeated and repairs"), _("Prompt tokens"),
            _("Cached tokens"), _("Completion tokens"), _("Reasoning tokens"), _("Tokens of repetitions"), _("Currency"),
            _("Cost"), _("Cost of repetitions"),
        ]  # fmt: skip
        return csv_response(f"ai-{table}", header, (line for part in parts for line in cells_of(part)))

    def export_ended(self, name: str) -> HttpResponseBase:
        """How executions ended."""
        found = self.ended().get(name)
        if found is None:
            raise Http404
        header = [
            _("Name"), _("Engine"), _("Completed"), _("Failed"), _("Of these: answer unusable"), _("Skipped"),
            _("Outputs"), _("Missing outputs"),
        ]  # fmt: skip
        lines = (
            [
                e.name,
                e.engine if name == "task" else "",
                e.completed,
                e.failed,
                e.invalid,
                e.skipped,
                e.outputs,
                e.missing,
            ]
            for e in found
        )
        return csv_response(f"ai-success-{name}", header, lines)


def cells_of(part: Spent) -> Iterable[list[Any]]:
    """The cells of a file: figures stand in the first line of a part, so that columns can be added up."""
    figures: list[Any] = [getattr(part, name) for name in selectors.FIGURES]
    for number, currency in enumerate(sorted(part.cost) or [""]):
        shown = figures if not number else [0] * len(figures)
        cost, again = part.cost.get(currency, 0), part.again_cost.get(currency, 0)
        yield [part.name, *shown, currency, money_cell(cost), money_cell(again)]


def tiles_of(total: Spent, ended: Sequence[Ended]) -> list[dict[str, Any]]:
    """The figures that are looked for first."""
    completed, tried = sum(one.completed for one in ended), sum(one.tried for one in ended)
    outputs, missing = sum(one.outputs for one in ended), sum(one.missing for one in ended)
    return [
        {"label": _("Cost"), "value": sums_text(total.cost), "icon": "gauge", "note": ""},
        {
            "label": _("Tokens"),
            "value": f"{total.tokens:,}",
            "icon": "messages",
            "note": _("%(n)s cached") % {"n": f"{total.cached:,}"},
        },
        {"label": _("Executions"), "value": f"{total.executions:,}", "icon": "player-play", "note": ""},
        {
            "label": _("Repeated and repairs"),
            "value": share(total.again, total.requests),
            "icon": "refresh",
            "note": sums_text(total.again_cost),
        },
        {"label": _("Success"), "value": share(completed, tried), "icon": "circle-check", "note": ""},
        {"label": _("Missing outputs"), "value": share(missing, outputs), "icon": "alert-triangle", "note": ""},
    ]


def chart_of_days(days: Sequence[Spent]) -> dict[str, Any]:
    """Money by day where there is any, of the currency that was used most; else tokens."""
    sums = selectors.total_of(days).cost
    currency = max(sums, key=lambda name: sums[name], default="")
    if currency:
        title = _("Cost by day (%(currency)s)") % {"currency": currency}
        values = [float(day.cost.get(currency, 0) / MICRO) for day in days]
    else:
        title, values = _("Tokens by day"), [float(day.tokens) for day in days]
    shown = [
        DayValue(day.key, value, f"{day.name}: {value:,.10g} {currency}".strip())
        for day, value in zip(days, values, strict=True)
    ]
    return {"title": title, "drawn": chart_of(shown, scale=lambda value: f"{value:,.10g}")}


def ended_line(one: Ended) -> dict[str, Any]:
    """One row of how executions ended."""
    return {
        "name": one.name,
        "engine": one.engine,
        "completed": f"{one.completed:,}",
        "failed": f"{one.failed:,}",
        "invalid": f"{one.invalid:,}",
        "skipped": f"{one.skipped:,}",
        "success": share(one.completed, one.tried),
        "missing": share(one.missing, one.outputs),
    }


class ExecutionList(ListPage):
    """Executions, newest first."""

    title = EXECUTIONS[0]
    table_class = ExecutionTable
    filterset_class = ExecutionFilter
    live = True

    def breadcrumbs(self) -> Crumbs:
        """As in the menu."""
        return ROOT

    def get_queryset(self) -> QuerySet[Execution]:
        """Those of visible tenants."""
        return executions_for(viewer(self.request))

    def table_arguments(self) -> dict[str, Any]:
        """Whether tenants need naming."""
        return {"tenants": sees_several(viewer(self.request))}

    def empty(self) -> dict[str, Any]:
        """Nothing yet."""
        return {
            "icon": "messages",
            "title": _("No AI task was executed yet"),
            "text": _("Enable a task for a tenant and start a job of the AI Assistant."),
        }


def executions_for(user: User) -> QuerySet[Execution]:
    """The executions that ``user`` may see."""
    rows = Execution.objects.select_related("tenant")
    if user.everywhere and sees_several(user):
        return rows
    return rows.filter(tenant__in=visible_tenants(user).order_by().values("pk"))


class ExecutionPage(Page):
    """One execution: figures for all who may see it, request and answer for those who may read the conversation."""

    template_name = "aiassistant/execution.html"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the execution of the address, when the viewer may see it."""
        super().setup(request, *args, **kwargs)
        self.execution = get_object_or_404(executions_for(viewer(request)), pk=kwargs["pk"])

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return [*ROOT, EXECUTIONS]

    def get_title(self) -> Text:
        """The task."""
        return self.execution.task_label

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page."""
        one, user = self.execution, viewer(request)
        call = readable_call(user, one.tenant_id, one.record_id)
        return self.show(
            self.context(
                execution=one,
                cost=sums_text({one.currency: one.cost_micros} if one.currency else {}),
                look={"completed": "ok", "failed": "error"}.get(one.state, "disabled"),
                call_url=reverse("conversations:call", args=[call.pk]) if call is not None else "",
                exchanges=self.exchanges(call),
                elsewhere=user.stands_in != one.tenant_id,
                same_url=f"{EXECUTIONS[1]}?record={one.record_id}",
            )
        )

    def exchanges(self, call: Call | None) -> list[Exchange] | None:
        """What was asked and answered; None for those who may not read the conversation."""
        return exchanges_of(self.execution.pk) if call is not None else None


def readable_call(user: User, tenant_id: uuid.UUID, record_id: uuid.UUID) -> Call | None:
    """The conversation, when the viewer stands in its tenant and may read its words and all that tasks make of them."""
    rights = (Permission.FIELDS_VIEW, Permission.SUMMARY_VIEW, Permission.SENTIMENT_VIEW, Permission.TOPICS_VIEW)
    if user.stands_in != tenant_id or not all(user.has(right) for right in rights):
        return None
    try:
        call = call_for(user, record_id)
    except Http404:
        return None
    return call if may_read(user, call) else None
