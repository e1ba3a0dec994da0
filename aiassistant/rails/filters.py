"""Filters of executions, budgets, and of what was spent."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from aiassistant.executing.flags import Flag
from aiassistant.executing.models import Execution
from aiassistant.library.models import AITask
from aiassistant.models import AIEngine
from aiassistant.rails.models import Budget
from core.filters import DayFilter
from core.outcomes import Reason
from tenants.models import Tenant
from tenants.selectors import visible_tenants

ENDINGS = [
    Reason.INVALID_OUTPUT,
    Reason.REFUSED,
    Reason.TOO_LONG,
    Reason.BUDGET_EXHAUSTED,
    Reason.FILTERED,
    Reason.ENGINE_CONFIG,
    Reason.ENGINE_INPUT,
    Reason.ENGINE_RATE,
    Reason.ENGINE_TRANSIENT,
]


class OfTenant(django_filters.FilterSet):
    """Base: one of the visible tenants, and an engine."""

    tenant = django_filters.ModelChoiceFilter(queryset=Tenant.objects.none(), label=_("Tenant"))
    engine = django_filters.ModelChoiceFilter(queryset=AIEngine.objects.order_by("name"), label=_("Engine"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["tenant"].queryset = visible_tenants(self.request.user).order_by("name")


class ExecutionFilter(OfTenant):
    """How it ended, why, task, record, days."""

    state = django_filters.ChoiceFilter(choices=Execution.State.choices, label=_("Status"))
    reason = django_filters.ChoiceFilter(
        choices=[(reason.value, reason.label) for reason in ENDINGS], label=_("Reason"), lookup_expr="startswith"
    )
    task = django_filters.ModelChoiceFilter(
        queryset=AITask.objects.order_by("title", "pk"), label=_("Task"), method="of_task"
    )
    record = django_filters.UUIDFilter(field_name="record_id", label=_("Conversation"))
    flag = django_filters.ChoiceFilter(choices=Flag.choices, label=_("Flag"), method="flagged")
    since = DayFilter(field_name="ended_at", lookup_expr="gte", label=_("From"))
    until = DayFilter(field_name="ended_at", lookup_expr="lt", label=_("To"))

    class Meta:
        model = Execution
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["task"].queryset = tasks_for(self.request.user)

    def of_task(self, rows: QuerySet[Execution], _name: str, value: AITask) -> QuerySet[Execution]:
        """All versions of the task; a tenant's own one names that tenant."""
        own = {} if value.tenant_id is None else {"tenant": value.tenant_id}
        return rows.filter(task_key=value.key, **own)

    def flagged(self, rows: QuerySet[Execution], _name: str, value: str) -> QuerySet[Execution]:
        """What was noticed."""
        return rows.filter(flags__contains=[value])


class BudgetFilter(OfTenant):
    """Name, whose, status."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label=_("Name"), max_length=120)
    enabled = django_filters.ChoiceFilter(
        choices=[("1", _("Enabled")), ("0", _("Disabled"))], label=_("Status"), method="by_status"
    )

    class Meta:
        model = Budget
        fields: list[str] = []

    def by_status(self, rows: QuerySet[Budget], _name: str, value: str) -> QuerySet[Budget]:
        """Enabled or not."""
        return rows.filter(enabled=value == "1")


def tasks_for(user: Any) -> QuerySet[AITask]:
    """The tasks of all tenants and those of visible ones, archived ones too: they were executed."""
    own = AITask.objects.filter(tenant__in=visible_tenants(user).order_by().values("pk"))
    return (AITask.objects.filter(tenant=None) | own).order_by("title", "pk")
