"""Filters of the audit trail."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from audit.models import AuditEntry
from audit.selectors import sees_several_chains, visible_tenants
from audit.words import actions_called
from core.filters import DayFilter, LabelledChoiceFilter


def _tenants(request: Any) -> QuerySet[Any]:
    tenants = visible_tenants(request.user)
    return tenants.order_by("name") if sees_several_chains(request.user) else tenants.none()


class AuditFilter(django_filters.FilterSet):
    """Period, who, action, object, tenant, text and request id. A word in ``action`` finds all whose code or words begin with it."""

    primary = ("date_from", "date_to", "actor", "action", "q")

    date_from = DayFilter(field_name="at", lookup_expr="gte", label=_("From"))
    date_to = DayFilter(field_name="at", lookup_expr="lt", label=_("To"))
    actor = django_filters.CharFilter(lookup_expr="icontains", label=_("Who"), max_length=200)
    action = django_filters.CharFilter(method="by_action", label=_("Action"), max_length=100)
    q = django_filters.CharFilter(method="by_text", label=_("Text in details and reason"), max_length=200)
    target_type = django_filters.CharFilter(lookup_expr="iexact", label=_("Object type"), max_length=50)
    target_id = django_filters.CharFilter(method="by_object", label=_("Object id"), max_length=64)
    tenant = LabelledChoiceFilter(queryset=_tenants, label=_("Tenant"), method="by_tenant")
    ip = django_filters.CharFilter(method="by_ip", label=_("IP address"), max_length=45)
    request_id = django_filters.CharFilter(lookup_expr="exact", label=_("Request id"), max_length=64)

    class Meta:
        model = AuditEntry
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.request is not None and not sees_several_chains(self.request.user):
            del self.filters["tenant"]

    def by_action(self, queryset: QuerySet[AuditEntry], name: str, value: str) -> QuerySet[AuditEntry]:
        """By the code, or by the words that the list shows for it."""
        return queryset.filter(Q(action__istartswith=value) | Q(action__in=actions_called(value)))

    def by_text(self, queryset: QuerySet[AuditEntry], name: str, value: str) -> QuerySet[AuditEntry]:
        """In the reason, or anywhere in details, before and after as they are written in JSON."""
        columns = ("details", "before", "after")
        texts = queryset.alias(**{f"{column}_text": Cast(column, TextField()) for column in columns})
        where = Q(reason__icontains=value)
        for column in columns:
            where |= Q(**{f"{column}_text__icontains": value})
        return texts.filter(where)

    def by_object(self, queryset: QuerySet[AuditEntry], name: str, value: str) -> QuerySet[AuditEntry]:
        """Entries of the object, and of batches that name it among their ``ids``.

        No index helps either half: the chain that one sees is read along its own. Rows with an object of their own are
        done with before their details are looked at.
        """
        return queryset.filter(Q(target_id__iexact=value) | Q(target_id="", details__contains={"ids": [value.lower()]}))

    def by_tenant(self, queryset: QuerySet[AuditEntry], name: str, value: Any) -> QuerySet[AuditEntry]:
        """Entries of the chain of the tenant."""
        return queryset.filter(tenant_id=value.pk)

    def by_ip(self, queryset: QuerySet[AuditEntry], name: str, value: str) -> QuerySet[AuditEntry]:
        """Addresses that begin so."""
        return queryset.filter(ip__startswith=value)
