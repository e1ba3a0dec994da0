"""Signing keys of realms: made when first needed, rotated, published (R2.7). RSA 2048, RS256."""

import json
import uuid
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from django.db import transaction
from django.utils import timezone
from jwt.algorithms import RSAAlgorithm

from accounts.realms.models import REFRESH_SECONDS, RealmKey
from audit.services import append
from core.crypto import open_sealed, seal
from tenants.keys import data_key
from tenants.models import Tenant

BITS = 2048
# What a retired key has signed lives as long as a refresh token at most.
KEPT = timedelta(seconds=REFRESH_SECONDS[1]) + timedelta(hours=1)
ROTATED_AFTER = timedelta(days=90)

# Opened keys by their id: which one signs is asked of the database each time, so that a process never signs with a key
# that was rotated or destroyed elsewhere.
_opened: dict[str, RSAPrivateKey] = {}
OPENED_MOST = 1000


def forget() -> None:
    """Forget the keys that this process has in memory."""
    _opened.clear()


def signing_key(tenant: Tenant) -> tuple[str, RSAPrivateKey]:
    """The id and the private half of the key that signs for the realm; made when there is none."""
    row = RealmKey.objects.filter(tenant=tenant, retired_at=None).first() or _first(tenant)
    cached = _opened.get(row.kid)
    if cached is not None:
        return row.kid, cached
    plain = open_sealed(data_key(tenant), bytes(row.private), _context(row.kid))
    private = serialization.load_der_private_key(plain, password=None)
    assert isinstance(private, RSAPrivateKey)
    if len(_opened) >= OPENED_MOST:
        forget()
    _opened[row.kid] = private
    return row.kid, private


def public_keys(tenant: Tenant) -> list[dict[str, Any]]:
    """The JWKs that verify tokens of the realm: the one that signs first, then those retired that may still be met."""
    rows = RealmKey.objects.filter(tenant=tenant).order_by("-created_at")
    limit = timezone.now() - KEPT
    return [row.public for row in rows if row.retired_at is None or row.retired_at > limit]


def rotate(*, tenant: Tenant, actor: str) -> str:
    """Let a new key sign from now on; tokens of the old one stay valid. Returns the new key's id."""
    made = _made(tenant)
    with transaction.atomic():
        # Two who rotate come one after the other, and so does the first key of a realm.
        Tenant.objects.select_for_update().get(pk=tenant.pk)
        RealmKey.objects.filter(tenant=tenant, retired_at=None).update(retired_at=timezone.now())
        RealmKey.objects.filter(tenant=tenant, retired_at__lt=timezone.now() - KEPT).delete()
        made.save(force_insert=True)
        append(
            tenant_id=tenant.pk,
            actor=actor,
            action="realm.key_rotated",
            target_type="realm",
            target_id=str(tenant.pk),
            details={"kid": made.kid},
        )
    return made.kid


def rotate_old() -> int:
    """Rotate the keys that have signed for 90 days; return how many."""
    old = RealmKey.objects.filter(retired_at=None, created_at__lt=timezone.now() - ROTATED_AFTER)
    due = old.filter(tenant__state=Tenant.State.READY).select_related("tenant").order_by("pk")
    for key in due:
        rotate(tenant=key.tenant, actor="system")
    return len(due)


def _first(tenant: Tenant) -> RealmKey:
    """The first key of a realm; another process may have been faster."""
    made = _made(tenant)
    with transaction.atomic():
        Tenant.objects.select_for_update().get(pk=tenant.pk)
        there = RealmKey.objects.filter(tenant=tenant, retired_at=None).first()
        if there is None:
            made.save(force_insert=True)
    return there or made


def _made(tenant: Tenant) -> RealmKey:
    kid, private = uuid.uuid4().hex, generate_private_key(public_exponent=65537, key_size=BITS)
    der = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = json.loads(RSAAlgorithm.to_jwk(private.public_key()))
    jwk = {"kid": kid, "kty": "RSA", "alg": "RS256", "use": "sig", "n": public["n"], "e": public["e"]}
    return RealmKey(
        kid=kid, tenant=tenant, private=seal(data_key(tenant), der, _context(kid)), public=jwk, retired_at=None
    )


def _context(kid: str) -> bytes:
    return b"realm-key:" + kid.encode()
