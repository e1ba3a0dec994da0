"""The tokens of a realm: what they say and how they are judged. Signatures are PyJWT's business (R2.4–R2.6)."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from django.conf import settings

from accounts.models import User
from accounts.oidc.tokens import MAX_TOKEN
from accounts.realms.keys import public_keys, signing_key
from accounts.realms.models import REFRESH_SECONDS
from tenants.models import Tenant

MASTER, CLIENT, ACCOUNT = "master", "browser_client", "account"
ACCESS, REFRESH, IDENTITY = "Bearer", "Refresh", "ID"
ALGORITHM = "RS256"
REQUIRED = ["exp", "iat", "iss", "aud", "sub", "jti", "typ", "sid"]
# The clocks of two of our own machines may differ by so much.
LEEWAY_S = 30


class TokenInvalid(Exception):
    """The token proves nothing. ``expired``: it did once."""

    def __init__(self, *, expired: bool = False) -> None:
        super().__init__("expired" if expired else "invalid")
        self.expired = expired


@dataclass(frozen=True, slots=True)
class Session:
    """What all tokens of one session share."""

    id: uuid.UUID
    user: User
    client: str
    scope: str


def realm_of(tenant: Tenant) -> str:
    """The name of a tenant's realm: its short name; ``master`` for the System tenant."""
    return MASTER if tenant.is_system else tenant.slug


def issuer_of(tenant: Tenant) -> str:
    """What tokens and discovery name as the issuer: from the public address in the settings, never from ``Host`` (R2.5)."""
    return f"{settings.BASE_URL.rstrip('/')}/realms/{realm_of(tenant)}"


def profile_of(user: User) -> dict[str, Any]:
    """Who somebody is, as access tokens and userinfo say it; the last word of the full name is the family's."""
    names = user.full_name.split()
    return {
        "preferred_username": user.username,
        "email": user.email,
        "email_verified": bool(user.email),
        "name": user.full_name,
        "given_name": " ".join(names[:-1]),
        "family_name": names[-1] if names else "",
    }


def access_token(session: Session, *, now: datetime, seconds: int) -> str:
    """For the API; says who somebody is and what roles he has. ``seconds`` is its life."""
    user = session.user
    claims = _common(session, now, seconds) | {
        "typ": ACCESS,
        "aud": ACCOUNT,
        "acr": "1",
        "allowed-origins": [],
        "realm_access": {"roles": [str(user.role.key or user.role.name)]},
        "resource_access": {ACCOUNT: {"roles": ["manage-account", "view-profile"]}},
        "tenant": user.tenant.slug,
    }
    return _signed(user.tenant, claims | profile_of(user))


def refresh_token(session: Session, *, identity: uuid.UUID, now: datetime, seconds: int) -> str:
    """For a new pair of tokens, once; ``identity`` is the id that the session keeps of it."""
    claims = _common(session, now, seconds) | {"typ": REFRESH, "aud": issuer_of(session.user.tenant)}
    return _signed(session.user.tenant, claims | {"jti": str(identity)})


def id_token(session: Session, *, now: datetime, seconds: int) -> str:
    """For clients that ask for the scope ``openid``."""
    user = session.user
    claims = _common(session, now, seconds) | {"typ": IDENTITY, "aud": session.client}
    return _signed(user.tenant, claims | {"preferred_username": user.username, "name": user.full_name})


def claims_of(token: str, tenant: Tenant, *, kind: str) -> dict[str, Any]:
    """The claims of a token of this realm and ``kind``. Raises TokenInvalid; of the session it knows nothing."""
    key = _verifying_key(token, public_keys(tenant))
    audience = issuer_of(tenant) if kind == REFRESH else ACCOUNT
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=issuer_of(tenant),
            # A token lives no longer than it says; only its beginning may lie ahead of our clock.
            leeway=0,
            options={"require": REQUIRED, "verify_iat": False},
        )
    except jwt.ExpiredSignatureError as error:
        raise TokenInvalid(expired=True) from error
    except (jwt.PyJWTError, ValueError, OverflowError) as error:
        raise TokenInvalid from error
    begun, life = claims["iat"], int(claims["exp"]) - claims["iat"] if isinstance(claims["iat"], int) else None
    if claims["typ"] != kind or life is None or life > REFRESH_SECONDS[1] or begun - time.time() > LEEWAY_S:
        raise TokenInvalid
    return claims


def header_of(token: str) -> dict[str, Any]:
    """The header, of which only the choice among our own keys is believed. Raises TokenInvalid."""
    if len(token) > MAX_TOKEN:
        raise TokenInvalid
    try:
        return dict(jwt.get_unverified_header(token))
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenInvalid from error


def _verifying_key(token: str, keys: Sequence[Mapping[str, Any]]) -> Any:
    header = header_of(token)
    if header.get("alg") != ALGORITHM or "crit" in header or header.get("b64", True) is not True:
        raise TokenInvalid
    found = next((key for key in keys if key["kid"] == header.get("kid")), None)
    if found is None:
        raise TokenInvalid
    return jwt.PyJWK(dict(found), ALGORITHM).key


def _common(session: Session, now: datetime, seconds: int) -> dict[str, Any]:
    return {
        "exp": int((now + timedelta(seconds=seconds)).timestamp()),
        "iat": int(now.timestamp()),
        "jti": str(uuid.uuid4()),
        "iss": issuer_of(session.user.tenant),
        "sub": str(session.user.pk),
        "azp": session.client,
        "sid": str(session.id),
        "session_state": str(session.id),
        "scope": session.scope,
    }


def _signed(tenant: Tenant, claims: Mapping[str, Any]) -> str:
    kid, private = signing_key(tenant)
    return jwt.encode(dict(claims), private, algorithm=ALGORITHM, headers={"kid": kid})
