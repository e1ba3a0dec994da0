"""Tokens that a service account's key signs by itself (providers §1.4).

The vendor's own credentials ask further services (token endpoints named in the key, access boundaries) past our guard;
these ask nobody.
"""

import time
from collections.abc import Mapping
from typing import Any

import jwt
from google.auth.credentials import Credentials

LIFETIME_S = 3600
# Renewed this long before it ends, so that no request carries one that ends on its way.
EARLY_S = 300


class SelfSigned(Credentials):
    """For the audience of a service, or for a scope of services that go by scopes."""

    def __init__(self, key: Mapping[str, Any], *, audience: str = "", scope: str = "") -> None:
        super().__init__()
        self._key = key
        self._claim = {"scope": scope} if scope else {"aud": audience}
        self._ends = 0.0

    @property
    def valid(self) -> bool:
        """While the token is not about to end."""
        return self.token is not None and time.time() < self._ends - EARLY_S

    @property
    def expired(self) -> bool:
        """As ``valid``."""
        return not self.valid

    def refresh(self, request: object) -> None:
        """Sign another token; ``request`` is not used. Raises ValueError for a key that cannot sign."""
        now = int(time.time())
        email = self._key["client_email"]
        claims = {"iss": email, "sub": email, "iat": now, "exp": now + LIFETIME_S, **self._claim}
        headers = {"kid": str(self._key.get("private_key_id", ""))}
        self.token = jwt.encode(claims, self._key["private_key"], algorithm="RS256", headers=headers)
        self._ends = now + LIFETIME_S
