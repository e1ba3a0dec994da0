"""Tokens of issuers outside that tenants trust: which row judges, what must be proved, who the user is (R2.9)."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import jwt

from accounts.models import Role, User
from accounts.oidc.provider import ProviderFailed
from accounts.oidc.tokens import LEEWAY_S, MAX_TOKEN, TokenRefused, UnknownKey, key_of
from accounts.permissions import AccessScope
from accounts.realms import issuer_keys
from accounts.realms.models import TrustedIssuer
from accounts.realms.tokens import ACCESS, realm_of
from accounts.services import key_of as name_key
from tenants.models import Tenant
from tenants.selectors import outbound_policy

# Fixed: what the token says of itself chooses among these and nothing else.
ALGORITHMS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
REQUIRED = ["exp", "iss", "typ"]


def user_of(token: str, unproved: Mapping[str, Any]) -> User | None:
    """The user of a tenant whom a trusted issuer's access token names; None for every reason why it lets nobody in.

    ``unproved`` are the claims before any proof; they choose the row whose keys have to prove them. The user's role may
    be one for this request alone, which cannot be stored.
    """
    issuer = unproved.get("iss")
    # Lone surrogates and NUL are not printable either: no database takes them.
    if not isinstance(issuer, str) or len(issuer) > 500 or not issuer.isprintable() or len(token) > MAX_TOKEN:
        return None
    row = _chosen(issuer, unproved)
    if row is None:
        return None
    try:
        claims = _claims(token, row)
    except (ProviderFailed, TokenRefused):
        return None
    # Once more with what is proved: both were read from one token, and this one counts.
    if claims["typ"] != ACCESS or claims.get("azp") not in row.clients or not _is_for(row, claims):
        return None
    user = _found(row, claims)
    return user if user is not None and _take_role(user, row, claims) else None


def _chosen(issuer: str, claims: Mapping[str, Any]) -> TrustedIssuer | None:
    """The one row that may judge: whose tenant the token names; else that of the tenant that owns the whole issuer."""
    rows = TrustedIssuer.objects.select_related("tenant").filter(
        issuer=issuer, enabled=True, tenant__state=Tenant.State.READY, tenant__realm__enabled=True
    )
    fitting = [row for row in rows if _is_for(row, claims)]
    named = [row for row in fitting if row.mapping != TrustedIssuer.Mapping.FIXED] or fitting
    return named[0] if len(named) == 1 else None


def _is_for(row: TrustedIssuer, claims: Mapping[str, Any]) -> bool:
    realm = realm_of(row.tenant)
    if row.mapping == TrustedIssuer.Mapping.REALM:
        path = urlsplit(row.issuer).path.rstrip("/")
        return unquote(path.rpartition("/")[2]).lower() == realm
    if row.mapping == TrustedIssuer.Mapping.CLAIM:
        named = _inside(claims, row.tenant_claim)
        return isinstance(named, str) and named.lower() == realm
    return True


def _claims(token: str, row: TrustedIssuer) -> dict[str, Any]:
    """The proved claims. Raises TokenRefused, or ProviderFailed when there are no keys to prove them with."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenRefused("token_malformed") from error
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or "crit" in header or "b64" in header:
        raise TokenRefused("algorithm_refused")
    key = _key(row, header.get("kid"), algorithm)
    try:
        return dict(
            jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=row.issuer,
                leeway=LEEWAY_S,
                # Whom an access token is for is said by azp here: servers of this kind write "account" as audience.
                options={"require": REQUIRED, "verify_aud": False},
            )
        )
    except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
        raise TokenRefused("token_refused") from error


def _key(row: TrustedIssuer, identity: Any, algorithm: str) -> Any:
    policy, kind = outbound_policy(), ALGORITHMS[algorithm]
    try:
        return key_of(_fitting(issuer_keys.keys_of(row, policy), algorithm), identity, algorithm, kind)
    except UnknownKey:
        # Issuers change their keys: ask once more.
        newer = issuer_keys.keys_of(row, policy, newer=True)
        return key_of(_fitting(newer, algorithm), identity, algorithm, kind)


def _fitting(keys: Sequence[Mapping[str, Any]], algorithm: str) -> list[Mapping[str, Any]]:
    """ES256 is of one curve alone."""
    return [key for key in keys if algorithm != "ES256" or key.get("crv") == "P-256"]


def _found(row: TrustedIssuer, claims: Mapping[str, Any]) -> User | None:
    named = claims.get(row.user_claim)
    if not isinstance(named, str) or not named.strip() or not named.isprintable() or len(named) > 254:
        return None
    users = User.objects.filter(tenant=row.tenant_id, is_active=True)
    if row.user_claim == TrustedIssuer.UserClaim.USERNAME:
        return users.filter(username_key=name_key(named)).first()
    if claims.get("email_verified") is not True:
        return None
    matching = list(users.filter(email__iexact=named.strip())[:2])
    return matching[0] if len(matching) == 1 else None


def _take_role(user: User, row: TrustedIssuer, claims: Mapping[str, Any]) -> bool:
    """Give ``user`` the rights that the token's roles leave him; False when none of them is mapped."""
    if not row.role_claim:
        return True
    said = _inside(claims, row.role_claim)
    values = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    wanted = next((identity for value, identity in row.roles if value in values), None)
    role = Role.objects.filter(pk=wanted, platform=row.tenant.is_system).first() if wanted is not None else None
    if role is None or role.tenant_id not in (None, row.tenant_id):
        return False
    own, rights, reach = user.role, role.permissions, role.reach
    if row.role_mode == TrustedIssuer.RoleMode.NARROW:
        rights, reach = rights & own.permissions, own.reach if AccessScope.within(own.reach, reach) else reach
    # Without a key in the database, so that nothing can store it with the user by mistake.
    user.role = Role(tenant=row.tenant, name=str(role), platform=role.platform, scope=reach, granted=sorted(rights))
    return True


def _inside(claims: Mapping[str, Any], path: str) -> Any:
    """The value of a claim; dots lead into objects unless a claim has just this name."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
