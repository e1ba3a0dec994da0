"""The key pair of this installation: made at first use, its private half wrapped by the master key (security D1)."""

from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import connection, transaction

from core.signed_http import installation_id
from queues.replication.models import Installation
from tenants.keys import keyring

CONTEXT = b"parlance/pairing-key/"


def installation() -> Installation:
    """This installation; the first use makes its key pair."""
    return Installation.objects.first() or _make()


def private_key(own: Installation) -> Ed25519PrivateKey:
    """The private half. Raises DecryptionFailed under another master key."""
    return Ed25519PrivateKey.from_private_bytes(keyring().unwrap(bytes(own.wrapped_private_key), _context(own)))


@transaction.atomic
def _make() -> Installation:
    with connection.cursor() as cursor:
        # Two first uses at a time would make two keys.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('pairing-key', 7))")
    made = Installation.objects.first()
    if made is not None:
        return made
    private = Ed25519PrivateKey.generate()
    own = Installation(
        name=(urlsplit(settings.BASE_URL).hostname or "Parlance")[:80],
        public_key=private.public_key().public_bytes_raw(),
    )
    own.wrapped_private_key = keyring().wrap(private.private_bytes_raw(), _context(own))
    own.save(force_insert=True)
    return own


def _context(own: Installation) -> bytes:
    return CONTEXT + installation_id(bytes(own.public_key)).bytes
