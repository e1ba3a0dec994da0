"""Signing in with organisation, user name and password."""

import uuid
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

from accounts.models import User
from tenants.models import Tenant


class TenantUserBackend(BaseBackend):
    """Finds the user inside the named tenant. ``master`` is an alias of the System tenant (domain C46)."""

    def authenticate(
        self,
        request: HttpRequest | None,
        organisation: str | None = None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return the user, or None for every reason alike; an unknown user costs the same hash as a known one."""
        if organisation is None or username is None or password is None:
            return None
        slug = organisation.strip().lower()
        tenant = {"is_system": True} if slug == "master" else {"slug": slug}
        user = User.objects.filter(
            **{f"tenant__{key}": value for key, value in tenant.items()},
            tenant__state=Tenant.State.READY,
            username_key=username.strip().casefold(),
        ).first()
        if user is None:
            make_password(password)
            return None
        return user if user.check_password(password) and user.is_active else None

    def get_user(self, user_id: uuid.UUID) -> User | None:
        """The user of a session; a disabled one is no longer signed in."""
        return User.objects.filter(pk=user_id, is_active=True).first()
