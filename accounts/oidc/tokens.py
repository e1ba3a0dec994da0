"""Judging an ID token. Signatures and claims are PyJWT's business; which keys and algorithms may serve is ours."""

import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

# Fixed: what the token says of itself chooses among these and nothing else (hostile 3B11).
ALGORITHMS = {"RS256": "RSA", "ES256": "EC"}
LEEWAY_S = 30
MAX_TOKEN = 32_000
REQUIRED = ["iss", "aud", "sub", "exp", "iat", "nonce"]


class TokenRefused(Exception):
    """The token proves nothing; ``reason`` is a word for the audit trail."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownKey(TokenRefused):
    """No key of the provider has the id that the token names: perhaps it has changed its keys."""


def verified_claims(
    token: str, *, keys: Sequence[Mapping[str, Any]], issuer: str, client_id: str, nonce: str
) -> dict[str, Any]:
    """The claims of ``token``. Raises TokenRefused unless signature, iss, aud, azp, exp, iat and nonce are right."""
    if len(token) > MAX_TOKEN:
        raise TokenRefused("token_too_large")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError) as error:
        raise TokenRefused("token_malformed") from error
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or "crit" in header:
        raise TokenRefused("algorithm_refused")
    key = key_of(keys, header.get("kid"), algorithm, ALGORITHMS[algorithm])
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=client_id,
            issuer=issuer,
            leeway=LEEWAY_S,
            options={"require": REQUIRED},
        )
    except jwt.ExpiredSignatureError as error:
        raise TokenRefused("token_expired") from error
    except jwt.InvalidAudienceError as error:
        raise TokenRefused("wrong_audience") from error
    except jwt.InvalidIssuerError as error:
        raise TokenRefused("wrong_issuer") from error
    except (jwt.PyJWTError, ValueError, OverflowError) as error:
        raise TokenRefused("token_refused") from error
    _check_claims(claims, client_id, nonce)
    return claims


def _check_claims(claims: Mapping[str, Any], client_id: str, nonce: str) -> None:
    try:
        # JSON can hold halves of a character, which nothing else here can take.
        json.dumps(claims, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise TokenRefused("token_refused") from error
    audience = claims["aud"]
    party = claims.get("azp")
    if (isinstance(audience, list) and len(audience) > 1 and party is None) or party not in (None, client_id):
        raise TokenRefused("wrong_authorised_party")
    if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
        raise TokenRefused("wrong_nonce")
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255 or "\x00" in claims["sub"]:
        raise TokenRefused("wrong_subject")


def key_of(keys: Sequence[Mapping[str, Any]], identity: Any, algorithm: str, kind: str) -> Any:
    """The published key of this id that is meant for signatures by ``algorithm``; ``kind`` is the type of its keys.

    Raises UnknownKey when there is none, or no id and a choice, TokenRefused when the key is malformed.
    """
    fitting = [
        key
        for key in keys
        if key.get("kty") == kind
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (identity is None or key.get("kid") == identity)
    ]
    # Without a key id there must be no choice.
    if not fitting or (identity is None and len(fitting) != 1):
        raise UnknownKey("unknown_key")
    try:
        return jwt.PyJWK(dict(fitting[0]), algorithm).key
    except (jwt.PyJWTError, ValueError) as error:
        raise TokenRefused("key_malformed") from error
