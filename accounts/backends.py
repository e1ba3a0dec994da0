"""The user of a session. Passwords are checked by ``accounts.signin.services`` alone, behind the lock-out."""

import uuid

from django.contrib.auth.backends import BaseBackend

from accounts.models import User


class TenantUserBackend(BaseBackend):
    """Loads users; ``django.contrib.auth.authenticate`` finds nobody, so that no door goes past the lock-out."""

    def get_user(self, user_id: uuid.UUID) -> User | None:
        """The user of a session; a disabled one is no longer signed in."""
        return User.objects.filter(pk=user_id, is_active=True).first()
