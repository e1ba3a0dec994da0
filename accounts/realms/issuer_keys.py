"""The keys of trusted issuers, as this process knows them: kept for ten minutes, never asked for too often (R2.9)."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from accounts.oidc import provider
from accounts.oidc.provider import FAILURE_KEPT_S, KEPT_S, ProviderFailed
from accounts.realms.models import TrustedIssuer
from core.outbound import OutboundPolicy

# A key id that nobody knows makes us ask again, but anybody can invent one.
ASKED_AGAIN_S = 30.0


@dataclass
class _Kept:
    keys: list[dict[str, Any]] = field(default_factory=list)
    until: float = 0.0
    asked_again_from: float = 0.0
    failed_until: float = 0.0


# By issuer and address: two tenants may name different addresses for one issuer.
_kept: dict[tuple[str, str], _Kept] = defaultdict(_Kept)
_locks: dict[tuple[str, str], Lock] = defaultdict(Lock)


def forget() -> None:
    """Forget all keys."""
    _kept.clear()


def keys_of(row: TrustedIssuer, policy: OutboundPolicy, *, newer: bool = False) -> list[dict[str, Any]]:
    """The issuer's keys. ``newer``: the known ones will not do; asked for anew when that was not done for 30 seconds.

    Raises ProviderFailed when the issuer cannot be reached and nothing is kept that is still good.
    """
    name = (row.issuer, row.jwks_uri)
    # Who comes while another asks gets that answer, not a question of his own.
    with _locks[name]:
        kept, now = _kept[name], time.monotonic()
        good = kept.until > now
        if good and not (newer and kept.asked_again_from <= now):
            return kept.keys
        if kept.failed_until > now:
            raise ProviderFailed("provider_unreachable")
        kept.asked_again_from = now + ASKED_AGAIN_S
        try:
            address = row.jwks_uri or provider.discover(row.issuer, policy).jwks_uri
            kept.keys = provider.keys_at(address, policy)
        except ProviderFailed:
            if good:
                return kept.keys
            kept.failed_until = time.monotonic() + FAILURE_KEPT_S
            raise
        kept.until = time.monotonic() + KEPT_S
        return kept.keys
