"""Roles and users: public tables for all tenants."""

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.permissions import (
    PLATFORM_CODES,
    ROLE_PERMISSIONS,
    ROLE_SCOPES,
    SYSTEM_CODES,
    TENANT_CODES,
    VIEWING_PERMISSIONS,
    AccessScope,
    DefaultRole,
    Permission,
    label_of,
)
from tenants.models import Tenant, TenantGroup, validate_time_zone


class Role(models.Model):
    """What its users may do and how far that reaches (domain L10).

    A built-in role has a ``key``, belongs to no tenant, is offered in all of them and takes its rights from the code, so
    that an upgrade brings new rights along; it cannot be changed, only cloned. ``platform``: for users of System only.
    """

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, null=True, blank=True, related_name="roles", verbose_name=_("tenant")
    )
    key = models.CharField(max_length=20, blank=True, editable=False)
    name = models.CharField(_("name"), max_length=80)
    platform = models.BooleanField(default=False, editable=False)
    scope = models.CharField(_("access scope"), max_length=20, choices=AccessScope, default=AccessScope.USER)
    granted = ArrayField(models.CharField(max_length=60), default=list, blank=True, verbose_name=_("permissions"))
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=~models.Q(key=""), name="role_key_unique"),
            models.UniqueConstraint(
                Lower("name"),
                "tenant",
                name="role_name_unique_in_tenant",
                violation_error_message=_("A role of this name is there already."),
            ),
            models.CheckConstraint(
                condition=models.Q(key="", tenant__isnull=False) | (~models.Q(key="") & models.Q(tenant__isnull=True)),
                name="role_is_built_in_or_of_a_tenant",
            ),
        ]

    def __str__(self) -> str:
        return str(DefaultRole(self.key).label) if self.key else self.name

    @property
    def permissions(self) -> frozenset[str]:
        """The codes; codes that no longer exist are ignored.

        A tenant's role never holds the platform's, and one of a narrower scope none that concern all tenants.
        """
        if self.key:
            return ROLE_PERMISSIONS.get(self.key, frozenset())
        if not self.platform:
            return frozenset(self.granted) & TENANT_CODES
        return frozenset(self.granted) - (SYSTEM_CODES if self.scope != AccessScope.SYSTEM else frozenset())

    @property
    def reach(self) -> str:
        """The access scope."""
        return ROLE_SCOPES.get(self.key, AccessScope.USER) if self.key else self.scope


class UserManager(BaseUserManager["User"]):
    """Users are made by ``accounts.services.create_user``; this manager only loads them with their tenant."""

    def get_queryset(self) -> models.QuerySet["User"]:
        """Tenant and role are needed on every request."""
        return super().get_queryset().select_related("tenant", "role")


class User(AbstractBaseUser):
    """A person or service of one tenant; the user name is unique in the tenant, whatever its case."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="users", verbose_name=_("tenant"))
    username = models.CharField(
        _("user name"),
        max_length=150,
        validators=[RegexValidator(r"^[\w.@+-]+\Z", _("Use letters, digits and the signs . @ + - _ only."))],
    )
    username_key = models.CharField(max_length=300, editable=False)
    full_name = models.CharField(_("full name"), max_length=150, blank=True)
    email = models.EmailField(_("email"), blank=True)
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="users", verbose_name=_("role"))
    group = models.CharField(_("group"), max_length=120, blank=True)
    managed_groups = ArrayField(
        models.CharField(max_length=120), default=list, blank=True, verbose_name=_("managed groups")
    )
    managed_tenant_groups = models.ManyToManyField(
        TenantGroup, blank=True, related_name="managers", verbose_name=_("managed tenant groups")
    )
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, validators=[validate_time_zone])
    language = models.CharField(_("language"), max_length=10, blank=True)
    must_change_password = models.BooleanField(_("must change the password"), default=False, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    last_sign_in_at = models.DateTimeField(_("last sign-in"), null=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "username_key"],
                name="user_name_unique_in_tenant",
                violation_error_message=_("This user name is taken in the tenant."),
            )
        ]

    def __str__(self) -> str:
        return self.full_name or self.username

    # Set by the web door while platform staff view a tenant as its administrator would.
    viewing: Tenant | None = None

    @property
    def rights(self) -> frozenset[str]:
        """All codes this user holds now. An inactive user holds none; who views a tenant only reads."""
        if not self.is_active:
            return frozenset()
        held = self.role.permissions
        return held & VIEWING_PERMISSIONS if self.viewing is not None else held

    def has(self, permission: str) -> bool:
        """The one place that knows what a user may do."""
        return permission in self.rights

    def lacking(self, *codes: str) -> str:
        """The sentences that refuse whoever holds none of ``codes``: the rights as the grid calls them, and who gives them."""
        named = gettext(" or ").join(f"“{label_of(code)}” ({code})" for code in codes)
        if self.viewing is not None:
            who = gettext("While you view a tenant you see what its administrator sees, and change nothing.")
        elif not self.tenant.is_system and PLATFORM_CODES.issuperset(codes):
            who = gettext("It is a right of the platform: only the provider's staff can have it.")
        elif self.tenant.is_system and not self.everywhere and SYSTEM_CODES.issuperset(codes):
            who = gettext("It needs a role with the access scope “System”.")
        else:
            who = gettext("Who may edit roles and holds it can give it: User Management > Roles, “%(right)s”.")
            who %= {"right": label_of(Permission.ROLES_EDIT)}
        return gettext("This needs the right %(rights)s.") % {"rights": named} + " " + who

    @property
    def scope(self) -> str:
        """How far the rights reach: system, managed_groups or user."""
        return self.role.reach

    @property
    def everywhere(self) -> bool:
        """Whether the rights reach all tenants: platform staff of the scope "system" while they view none of them."""
        return self.tenant.is_system and self.scope == AccessScope.SYSTEM and self.viewing is None

    @property
    def stands_in(self) -> uuid.UUID:
        """The tenant whose conversations this user sees: the own one, or the one viewed."""
        return self.viewing.pk if self.viewing is not None else self.tenant_id

    @property
    def zone(self) -> str:
        """The time zone of this viewer: user, else tenant (domain C28)."""
        return self.time_zone or self.tenant.time_zone

    @property
    def actor(self) -> str:
        """How audit rows name this user."""
        return f"{self.username}@{self.tenant.slug}"


# At the end, because those models point here; so that all models of the app are known by the module Django loads.
from accounts import security_models  # noqa: E402, F401
from accounts.realms import models as realm_models  # noqa: E402, F401
