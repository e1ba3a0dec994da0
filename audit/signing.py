"""Ed25519 signatures of this installation: audit checkpoints and monthly statements.

Anybody can check a signature with the public key. ``verify`` asks for more: the private key in the database must open
with the master key, so who can write to the database but does not hold the master key cannot bring a key of his own.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

from audit.models import SigningKey
from core.crypto import DecryptionFailed, Keyring

CONTEXT = b"parlance/signing-key/"


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature: the id of the key and the base64 of 64 bytes."""

    key_id: str
    signature_b64: str


def sign(data: bytes) -> Signed:
    """Sign with the newest key; the first use makes one. Raises DecryptionFailed under another master key."""
    row = _newest() or _make()
    signature = _private(row).sign(data)
    return Signed(row.pk, base64.b64encode(signature).decode())


def current_key_id() -> str:
    """The id of the key that the next signature is made with, for data that name it."""
    return (_newest() or _make()).pk


def verify(key_id: str, data: bytes, signature_b64: str) -> bool:
    """Whether this installation signed ``data`` with the key ``key_id``. False for everything malformed."""
    return Verifier().verify(key_id, data, signature_b64)


class Verifier:
    """``verify`` for many signatures: each key is loaded and opened once."""

    def __init__(self) -> None:
        self._keys: dict[str, Ed25519PublicKey | None] = {}

    def verify(self, key_id: str, data: bytes, signature_b64: str) -> bool:
        """As the function of this name."""
        if key_id not in self._keys:
            self._keys[key_id] = _proven(key_id)
        key = self._keys[key_id]
        if key is None:
            return False
        try:
            key.verify(base64.b64decode(signature_b64, validate=True), data)
        except (InvalidSignature, ValueError):
            return False
        return True


def _proven(key_id: str) -> Ed25519PublicKey | None:
    """The public half of the key, if it is ours: taken from the private half that the master key opens."""
    row = SigningKey.objects.filter(pk=key_id).first()
    try:
        return _private(row).public_key() if row is not None else None
    except (DecryptionFailed, ValueError):
        return None


def public_key_pem(key_id: str = "") -> str:
    """The public key, the newest or the named one, as PEM for whoever checks signatures elsewhere.

    Raises SigningKey.DoesNotExist for an unknown id.
    """
    row = SigningKey.objects.get(pk=key_id) if key_id else _newest() or _make()
    public = Ed25519PublicKey.from_public_bytes(bytes(row.public_key))
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _newest() -> SigningKey | None:
    return SigningKey.objects.order_by("-created_at", "pk").first()


@transaction.atomic
def _make() -> SigningKey:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('signing-key', 7))")
    made = _newest()
    if made is not None:
        return made
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key_id = hashlib.sha256(public).hexdigest()[:32]
    wrapped = _keyring().wrap(private.private_bytes_raw(), CONTEXT + key_id.encode())
    return SigningKey.objects.create(pk=key_id, public_key=public, wrapped_private_key=wrapped)


def _private(row: SigningKey) -> Ed25519PrivateKey:
    raw = _keyring().unwrap(bytes(row.wrapped_private_key), CONTEXT + row.pk.encode())
    return Ed25519PrivateKey.from_private_bytes(raw)


@lru_cache(maxsize=1)
def _keyring() -> Keyring:
    if not settings.MASTER_KEYS:
        raise ImproperlyConfigured("Set PARLANCE_MASTER_KEYS (name:base64 of 32 bytes).")
    return Keyring.from_string(settings.MASTER_KEYS)
