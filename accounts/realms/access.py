"""Who calls with ``Authorization: Bearer``: the one place that turns a token into a user (R3.1, R3.2)."""

import ipaddress
import re
import uuid
from dataclasses import dataclass
from typing import Any

import jwt
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from accounts.oidc.tokens import MAX_TOKEN
from accounts.realms import tokens, trust
from accounts.realms.models import RealmSession
from accounts.realms.tokens import ACCESS, TokenInvalid
from accounts.signin.services import tenant_named
from core.logs import client_ip
from tenants.models import Tenant

HEADER = re.compile(r"(?i:bearer) +([A-Za-z0-9_.~+/=-]+)\s*\Z")


class BearerRefused(Exception):
    """The call is nobody's. ``realm`` is what the token claimed, for the answer's header; empty without a token.

    ``several``: there was more than one ``Authorization`` header, which is no question of who but a broken request (400).
    """

    def __init__(self, realm: str = "", *, several: bool = False) -> None:
        super().__init__("refused")
        self.realm = realm
        self.several = several


@dataclass(frozen=True, slots=True)
class Caller:
    """A user behind a valid token, loaded with tenant and role. ``system``: his realm is ``master``, he acts for all."""

    user: User

    @property
    def tenant(self) -> Tenant:
        """That of his realm."""
        return self.user.tenant

    @property
    def system(self) -> bool:
        """Whether he is platform staff."""
        return self.user.tenant.is_system


def tls_missing(request: HttpRequest) -> bool:
    """Whether passwords and tokens may not travel so: plain http from outside, or from anywhere, by setting."""
    if request.is_secure() or settings.REALMS_TLS == "none":
        return False
    address = client_ip.get()
    inside = address is None or ipaddress.ip_address(address).is_private
    return settings.REALMS_TLS == "all" or not inside


def authenticate(header: str) -> Caller:
    """The caller of the header's token, ours or that of an issuer that a tenant trusts. Raises BearerRefused for every
    reason alike.

    A session that ended, a user who was disabled, a tenant that was suspended or has the API off count at once.
    """
    if "," in header:
        # No token holds a comma: servers join two headers of one name with it.
        raise BearerRefused(several=True)
    match = HEADER.match(header.strip())
    if match is None or len(match[1]) > MAX_TOKEN:
        raise BearerRefused
    unproved = _unproved(match[1])
    tenant = _tenant_of(unproved.get("iss"))
    realm = tokens.realm_of(tenant) if tenant is not None else ""
    if tenant is None or unproved["iss"] != tokens.issuer_of(tenant):
        user = trust.user_of(match[1], unproved)
        if user is None:
            raise BearerRefused(realm)
        return Caller(user)
    return Caller(_of_session(match[1], tenant, realm))


def _of_session(token: str, tenant: Tenant, realm: str) -> User:
    """Whose session one of our own tokens belongs to."""
    try:
        claims = tokens.claims_of(token, tenant, kind=ACCESS)
        identity, subject = uuid.UUID(claims["sid"]), uuid.UUID(claims["sub"])
    except (TokenInvalid, ValueError, AttributeError, TypeError) as error:
        raise BearerRefused(realm) from error
    rows = RealmSession.objects.select_related("user__tenant", "user__role")
    row = rows.filter(
        pk=identity,
        user_id=subject,
        user__tenant=tenant,
        user__is_active=True,
        user__must_change_password=False,
        user__tenant__state=Tenant.State.READY,
        user__tenant__realm__enabled=True,
        ended_at=None,
        ends_at__gt=timezone.now(),
    ).first()
    if row is None:
        raise BearerRefused(realm)
    return row.user


def _unproved(token: str) -> dict[str, Any]:
    """What the token says of itself: good for choosing the keys that have to prove it, and for nothing else."""
    try:
        return dict(jwt.decode(token, options={"verify_signature": False}))
    except (jwt.PyJWTError, ValueError, RecursionError):
        return {}


def _tenant_of(issuer: Any) -> Tenant | None:
    """The tenant whose realm an issuer is named after."""
    _base, found, realm = issuer.rpartition("/realms/") if isinstance(issuer, str) else ("", "", "")
    # Short names are ASCII; what else a token claims may be no text that a database takes.
    if not found or not realm.isascii() or not realm.isprintable() or not 0 < len(realm) <= 40:
        return None
    tenant = tenant_named(realm)
    return tenant if tenant is not None and tokens.realm_of(tenant) == realm else None
