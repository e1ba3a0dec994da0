"""Reading how a tenant's realm is set up, and the sessions behind its tokens."""

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import Role
from accounts.realms.models import RealmSession, RealmSetting
from tenants.models import Tenant


def setting_of(tenant: Tenant) -> RealmSetting:
    """How the tenant's realm is set up; off when nothing was stored."""
    return RealmSetting.objects.filter(tenant=tenant).first() or RealmSetting(tenant=tenant, version=0)


def listed_anywhere(origin: str) -> bool:
    """Whether a tenant that offers the API lets pages of this origin call it: all that a preflight can be asked."""
    if not origin or len(origin) > 300 or not origin.isprintable():
        return False
    return RealmSetting.objects.filter(enabled=True, cors_origins__contains=[origin]).exists()


def sessions_of(tenant: Tenant) -> QuerySet[RealmSession]:
    """The sessions of the API of a tenant's users that are alive, newest first."""
    alive = RealmSession.objects.filter(user__tenant=tenant, ended_at=None, ends_at__gt=timezone.now())
    return alive.select_related("user__tenant").order_by("-started_at", "-pk")


def roles_of(tenant: Tenant) -> list[Role]:
    """The roles that a tenant's people may have."""
    return list(Role.objects.filter(Q(tenant=None) | Q(tenant=tenant), platform=tenant.is_system).order_by("pk"))
