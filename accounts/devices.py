"""Browsers that signed in before: a signed cookie an account, so that a lock-out caused elsewhere spares them."""

import hashlib
import secrets

from django.core import signing
from django.http import HttpRequest, HttpResponseBase

SALT = "accounts.known-device"
LASTS = 180 * 24 * 3600


def known_device(request: HttpRequest, account: str) -> str:
    """The id of this browser if it signed in to ``account`` before, else empty."""
    value = request.COOKIES.get(_cookie(account), "")
    try:
        named, device = signing.loads(value, salt=SALT, max_age=LASTS)
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return str(device) if named == account else ""


def remember_device(request: HttpRequest, response: HttpResponseBase, account: str) -> None:
    """Set the cookie after a complete sign-in; a browser that has one keeps its id and so its budget."""
    device = known_device(request, account) or secrets.token_urlsafe(16)
    response.set_cookie(
        _cookie(account),
        signing.dumps([account, device], salt=SALT),
        max_age=LASTS,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure(),
        path="/",
    )


def _cookie(account: str) -> str:
    return f"device_{hashlib.sha256(account.encode('utf-8', 'replace')).hexdigest()[:16]}"
