"""Users: one public table for all tenants."""

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.permissions import ROLE_PERMISSIONS, Role
from tenants.models import Tenant, validate_time_zone


class UserManager(BaseUserManager["User"]):
    """Users are made by ``accounts.services.create_user``; this manager only loads them with their tenant."""

    def get_queryset(self) -> models.QuerySet["User"]:
        """The tenant is needed on every request."""
        return super().get_queryset().select_related("tenant")


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
    role = models.CharField(_("role"), max_length=20, choices=Role, default=Role.AGENT)
    group = models.CharField(_("group"), max_length=120, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, validators=[validate_time_zone])
    is_active = models.BooleanField(_("active"), default=True)
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

    def has(self, permission: str) -> bool:
        """The one place that knows what a user may do. An inactive user may nothing."""
        return self.is_active and permission in ROLE_PERMISSIONS.get(self.role, frozenset())

    @property
    def zone(self) -> str:
        """The time zone of this viewer: user, else tenant (domain C28)."""
        return self.time_zone or self.tenant.time_zone

    @property
    def actor(self) -> str:
        """How audit rows name this user."""
        return f"{self.username}@{self.tenant.slug}"
