"""Who is looking. The check itself is ``core.policy.requires``."""

from django.http import HttpRequest

from accounts.models import User
from core.policy import requires

__all__ = ["requires", "viewer"]


def viewer(request: HttpRequest) -> User:
    """The signed-in user of a guarded view."""
    user = request.user
    assert isinstance(user, User)
    return user
