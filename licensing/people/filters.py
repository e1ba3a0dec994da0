"""Filters of the list of users."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Role, User
from accounts.roles.selectors import is_platform_staff, visible_roles
from accounts.services import key_of
from core.filters import LabelledChoiceFilter
from licensing.models import Bundle, UserLicence
from licensing.people.selectors import over_cap
from tenants.models import Tenant
from tenants.selectors import visible_tenants

ANY = ("any", _("Any licence"))


def _tenants(request: Any) -> QuerySet[Tenant]:
    return visible_tenants(request.user).order_by("name") if request is not None else Tenant.objects.none()


def _roles(request: Any) -> QuerySet[Role]:
    if request is None:
        return Role.objects.none()
    return visible_roles(request.user).order_by("tenant__name", "pk")


class UserFilter(django_filters.FilterSet):
    """Tenant, name, role, group, licence held or not, over the cap, status, never signed in.

    Users of deleted tenants, who name nobody any more, show only when their tenant is asked for.
    """

    q = django_filters.CharFilter(label=_("Name"), method="named", max_length=150)
    tenant = LabelledChoiceFilter(label=_("Tenant"), queryset=_tenants)
    role = django_filters.ModelChoiceFilter(label=_("Role"), queryset=_roles)
    group = django_filters.CharFilter(label=_("Group"), field_name="group", lookup_expr="icontains", max_length=120)
    enabled = django_filters.ChoiceFilter(
        label=_("Status"), method="in_state", choices=[("1", _("Enabled")), ("0", _("Disabled"))]
    )
    licence = django_filters.ChoiceFilter(label=_("Holds the licence"), method="holding", choices=Bundle.choices)
    no_licence = django_filters.ChoiceFilter(label=_("Lacks the licence"), method="lacking", choices=Bundle.choices)
    over = django_filters.ChoiceFilter(
        label=_("Over the seat cap"), method="without_seat", choices=[ANY, *Bundle.choices]
    )
    never = django_filters.ChoiceFilter(
        label=_("Signed in"), method="signed_in", choices=[("1", _("Never")), ("0", _("At least once"))]
    )

    class Meta:
        model = User
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.request is None or not is_platform_staff(self.request.user):
            del self.filters["tenant"]

    def filter_queryset(self, queryset: Any) -> Any:
        """Without those of deleted tenants, unless their tenant is asked for."""
        users = super().filter_queryset(queryset)
        return users if self.form.cleaned_data.get("tenant") else users.exclude(tenant__state=Tenant.State.DELETED)

    def named(self, users: QuerySet[User], name: str, value: str) -> QuerySet[User]:
        """User name, full name or email address."""
        return users.filter(
            Q(username_key__contains=key_of(value)) | Q(full_name__icontains=value) | Q(email__icontains=value)
        )

    def in_state(self, users: QuerySet[User], name: str, value: str) -> QuerySet[User]:
        """Enabled or disabled."""
        return users.filter(is_active=value == "1")

    def holding(self, users: QuerySet[User], name: str, value: str) -> QuerySet[User]:
        """Who has the licence."""
        return users.filter(pk__in=UserLicence.objects.filter(bundle=value).values("user"))

    def lacking(self, users: QuerySet[User], name: str, value: str) -> QuerySet[User]:
        """Who has it not."""
        return users.exclude(pk__in=UserLicence.objects.filter(bundle=value).values("user"))

    def without_seat(self, users: QuerySet[User], name: str, value: str) -> QuerySet[User]:
        """Who has the licence and no seat."""
        tenants = visible_tenants(self.request.user)
        return users.filter(pk__in=over_cap("" if value == "any" else value, tenants))

    def signed_in(self, users: QuerySet[User], name: str, value: str) -> QuerySet[User]:
        """Never, or at least once."""
        return users.filter(last_sign_in_at__isnull=value == "1")
