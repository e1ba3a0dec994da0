"""Data keys: one per tenant, wrapped by a master key; forgetting the wrapped key shreds the tenant (security D1)."""

from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from core.crypto import Keyring, new_data_key
from tenants.models import Tenant


@lru_cache(maxsize=1)
def keyring() -> Keyring:
    """The master keys of this installation."""
    if not settings.MASTER_KEYS:
        raise ImproperlyConfigured("Set PARLANCE_MASTER_KEYS (name:base64 of 32 bytes).")
    return Keyring.from_string(settings.MASTER_KEYS)


def new_wrapped_key(tenant: Tenant) -> bytes:
    """Make a data key for a new tenant, wrapped and bound to its id."""
    return keyring().wrap(new_data_key(), tenant.pk.bytes)


def data_key(tenant: Tenant) -> bytes:
    """The 32-byte data key of ``tenant``. Raises DecryptionFailed when the master key is not the right one."""
    return keyring().unwrap(bytes(tenant.wrapped_data_key), tenant.pk.bytes)
