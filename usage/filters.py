"""Filters of the usage pages."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from core.filters import DayFilter
from core.outcomes import Reason
from licensing.models import Denial
from tenants.models import Tenant, TenantGroup
from tenants.selectors import groups_open_to

DENYING = [
    Reason.TENANT_DISABLED,
    Reason.NO_LICENSE,
    Reason.SEAT_EXCEEDED,
    Reason.LIMIT_USER_MONTH,
    Reason.LIMIT_ORG_MONTH,
    Reason.LIMIT_USER_LIFETIME,
    Reason.LIMIT_ORG_LIFETIME,
]


class UsageFilter(django_filters.FilterSet):
    """Month, name, group, percent used. The percentage is compared by the page, which knows the figures."""

    month = django_filters.ChoiceFilter(choices=[], label=_("Month"), method="kept", empty_label=_("Current month"))
    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label=_("Tenant"))
    group = django_filters.ModelChoiceFilter(field_name="groups", queryset=TenantGroup.objects.none(), label=_("Group"))
    over = django_filters.NumberFilter(label=_("At least … % used"), method="kept", min_value=0, max_value=1_000_000)

    class Meta:
        model = Tenant
        fields: list[str] = []

    def __init__(self, *args: Any, months: list[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["month"].extra["choices"] = [(month, month) for month in months or []]
        self.filters["group"].queryset = groups_open_to(self.request.user)

    def kept(self, rows: QuerySet[Tenant], _name: str, _value: Any) -> QuerySet[Tenant]:
        """Does not narrow the tenants."""
        return rows


class DenialFilter(django_filters.FilterSet):
    """Reason, user, days."""

    reason = django_filters.ChoiceFilter(choices=[(r.value, r.label) for r in DENYING], label=_("Reason"))
    user = django_filters.CharFilter(method="by_user", label=_("User"))
    since = DayFilter(field_name="at", lookup_expr="gte", label=_("From"))
    until = DayFilter(field_name="at", lookup_expr="lt", label=_("To"))

    class Meta:
        model = Denial
        fields: list[str] = []

    def __init__(self, *args: Any, tenant: Tenant | None = None, **kwargs: Any) -> None:
        self.tenant = tenant
        super().__init__(*args, **kwargs)

    def by_user(self, rows: QuerySet[Denial], _name: str, value: str) -> QuerySet[Denial]:
        """A part of the user name, of users of the tenant only."""
        users = User.objects.filter(tenant=self.tenant, username__icontains=value)
        return rows.filter(user_id__in=users.order_by().values("pk"))
