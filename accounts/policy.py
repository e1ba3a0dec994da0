"""Who is looking. The check itself is ``core.policy.requires``."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from accounts.models import User
from core.policy import requires

__all__ = ["everywhere", "requires", "viewer"]

View = Callable[..., HttpResponseBase]


def viewer(request: HttpRequest) -> User:
    """The signed-in user of a guarded view."""
    user = request.user
    assert isinstance(user, User)
    return user


def everywhere(view: View) -> View:
    """Policy, inside ``requires``, of routes that change what concerns all tenants at once: 403 for narrower scopes."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not viewer(request).everywhere:
            raise PermissionDenied(_("This concerns all tenants: it needs a role with the access scope “System”."))
        return view(request, *args, **kwargs)

    return guarded
