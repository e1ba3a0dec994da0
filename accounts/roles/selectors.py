"""Reading roles: which ones a person sees, who has a right, who changed a role last."""

from django.db.models import Count, Q, QuerySet
from django.shortcuts import get_object_or_404

from accounts.models import Role, User
from accounts.permissions import GRID, PLATFORM_CODES, ROLE_PERMISSIONS, Permission, Row
from audit.models import AuditEntry
from tenants.models import Tenant
from tenants.selectors import visible_tenants

# Who holds both can make every other right appear again; a tenant needs one such person (hostile 3F9).
ADMINISTERING = frozenset({Permission.USERS_EDIT, Permission.ROLES_EDIT})


def is_platform_staff(user: User) -> bool:
    """A user of System who does not look at a tenant through the eyes of its administrator."""
    return user.tenant.is_system and user.viewing is None


def visible_roles(user: User) -> QuerySet[Role]:
    """The roles that ``user`` may see.

    Of the built-in ones those that fit the tenant one stands in (platform staff: all), and those of the tenants one
    sees; platform staff see their own tenant's too, whatever groups they manage.
    """
    own = Q(tenant__in=visible_tenants(user)) | Q(tenant=user.stands_in)
    built_in = Q(tenant=None) if is_platform_staff(user) else Q(tenant=None, platform=False)
    return Role.objects.select_related("tenant").filter(own | built_in)


def role_for_pages(user: User, pk: int) -> Role:
    """One visible role. Raises Http404, the same for an unknown and a foreign one."""
    return get_object_or_404(visible_roles(user), pk=pk)


def roles_with_people(user: User) -> QuerySet[Role]:
    """The visible roles annotated with ``people``: how many visible users have each."""
    return visible_roles(user).annotate(people=Count("users", filter=Q(users__in=visible_people(user))))


def visible_people(user: User) -> QuerySet[User]:
    """The users of the tenants that ``user`` sees, and those of the tenant one stands in."""
    return User.objects.filter(Q(tenant__in=visible_tenants(user)) | Q(tenant=user.stands_in))


def holding(code: str) -> Q:
    """The condition on roles of granting ``code``. What built-in ones grant is in the code, not in their rows."""
    keys = [key for key, codes in ROLE_PERMISSIONS.items() if code in codes]
    own = Q(key="", granted__contains=[code])
    return Q(key__in=keys) | (own & Q(platform=True) if code in PLATFORM_CODES else own)


def administrators(tenant: Tenant) -> QuerySet[User]:
    """Active users of the tenant who may edit users and roles."""
    roles = Role.objects.all()
    for code in sorted(ADMINISTERING):
        roles = roles.filter(holding(code))
    return User.objects.filter(tenant=tenant, is_active=True, role__in=roles.values("pk"))


def administers(role: Role) -> bool:
    """Whether users of this role may edit users and roles."""
    return role.permissions >= ADMINISTERING


def grid_of(*, platform: bool) -> list[Row]:
    """The rows of the grid that a role can have: a tenant's role cannot have those of the platform."""
    return [row for row in GRID if platform or not row.platform]


def offered_codes(row: Row, *, platform: bool) -> list[str]:
    """The boxes of a row that a role can have."""
    return [code for code in row.codes if platform or code not in PLATFORM_CODES]


def last_change(role: Role) -> AuditEntry | None:
    """The audit row of the newest change of the role, or None."""
    if role.tenant_id is None:
        return None
    entries = AuditEntry.objects.filter(tenant_id=role.tenant_id, target_type="role", target_id=str(role.pk))
    return entries.order_by("-position").first()
