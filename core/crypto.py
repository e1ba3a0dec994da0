"""Envelope encryption: a master keyring wraps one data key a tenant, data keys seal small secrets (security D1, D2).

Everything is AES-256-GCM from ``cryptography``. No blob says what it belongs to: the caller names a *context*
(tenant and purpose), which is authenticated, so a blob copied to another row or tenant does not open.
Needs no Django.
"""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16

_WRAP_VERSION = 1
_SEAL_VERSION = 1
_WRAP_PURPOSE = b"parlance/wrap\x00"
_SEAL_PURPOSE = b"parlance/seal\x00"
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class DecryptionFailed(Exception):
    """The bytes do not open with this key and context. Deliberately without detail: a reason would be an oracle."""

    def __init__(self) -> None:
        super().__init__("The data could not be decrypted.")


class KeyringInvalid(ValueError):
    """The text given as master keys is malformed. The message names the rule and never repeats key material."""


def new_data_key() -> bytes:
    """Return a fresh random data key (32 bytes)."""
    return os.urandom(KEY_BYTES)


def seal(data_key: bytes, plaintext: bytes, context: bytes) -> bytes:
    """Encrypt a small secret under ``data_key``, bound to ``context``; open it with :func:`open_sealed`.

    Nonces are random, so one data key must not seal more than 2**32 values.
    """
    nonce = os.urandom(NONCE_BYTES)
    header = bytes([_SEAL_VERSION])
    return header + nonce + AESGCM(data_key).encrypt(nonce, plaintext, _SEAL_PURPOSE + header + context)


def open_sealed(data_key: bytes, blob: bytes, context: bytes) -> bytes:
    """Return what :func:`seal` was given; raise :class:`DecryptionFailed` for another key, context or byte."""
    if len(blob) < 1 + NONCE_BYTES + TAG_BYTES or blob[0] != _SEAL_VERSION:
        raise DecryptionFailed
    nonce, ciphertext = blob[1 : 1 + NONCE_BYTES], blob[1 + NONCE_BYTES :]
    try:
        return AESGCM(data_key).decrypt(nonce, ciphertext, _SEAL_PURPOSE + blob[:1] + context)
    except (InvalidTag, ValueError) as exc:
        raise DecryptionFailed from exc


@dataclass(frozen=True)
class Keyring:
    """The master keys by id. New data keys are wrapped with the current one; older ones only unwrap (security D2)."""

    current_id: str
    _keys: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def from_string(cls, text: str) -> "Keyring":
        """Read ``"id:base64,id:base64"``: 32-byte keys, the first is current. Raises :class:`KeyringInvalid`."""
        keys: dict[str, bytes] = {}
        for position, entry in enumerate((part.strip() for part in text.split(",")), start=1):
            key_id, colon, encoded = entry.partition(":")
            if not colon or not _KEY_ID.fullmatch(key_id):
                raise KeyringInvalid(f"Master key {position}: write id:base64, the id of 1-32 letters, digits, _ or -.")
            if key_id in keys:
                raise KeyringInvalid(f"Master key {position}: the id is used twice.")
            keys[key_id] = _decode_key(encoded, position)
        return cls(next(iter(keys)), keys)

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """Encrypt a data key with the current master key, bound to ``context``; the blob carries the key's id."""
        if len(data_key) != KEY_BYTES:
            raise ValueError(f"A data key has {KEY_BYTES} bytes.")
        key_id = self.current_id.encode()
        header = bytes([_WRAP_VERSION, len(key_id)]) + key_id
        nonce = os.urandom(NONCE_BYTES)
        master = AESGCM(self._keys[self.current_id])
        return header + nonce + master.encrypt(nonce, data_key, _WRAP_PURPOSE + header + context)

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """Return the data key; raise :class:`DecryptionFailed` for a retired master key, another context or a changed
        byte."""
        key_id = self._key_id(blob)
        master = self._keys.get(key_id)
        header_end = 2 + len(key_id)
        body = blob[header_end:]
        if master is None or len(body) != NONCE_BYTES + KEY_BYTES + TAG_BYTES:
            raise DecryptionFailed
        try:
            return AESGCM(master).decrypt(
                body[:NONCE_BYTES], body[NONCE_BYTES:], _WRAP_PURPOSE + blob[:header_end] + context
            )
        except InvalidTag as exc:
            raise DecryptionFailed from exc

    def is_current(self, blob: bytes) -> bool:
        """Say whether the blob was wrapped with the current master key; rotation re-wraps those that were not."""
        return self._key_id(blob) == self.current_id

    @staticmethod
    def _key_id(blob: bytes) -> str:
        if len(blob) < 2 or blob[0] != _WRAP_VERSION:
            raise DecryptionFailed
        try:
            return blob[2 : 2 + blob[1]].decode("ascii")
        except UnicodeDecodeError as exc:
            raise DecryptionFailed from exc


def _decode_key(encoded: str, position: int) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        # Without "from": the original message may quote the text.
        raise KeyringInvalid(f"Master key {position}: the part after the colon is not base64.") from None
    if len(key) != KEY_BYTES:
        raise KeyringInvalid(f"Master key {position}: the key has {len(key)} bytes, {KEY_BYTES} are needed.")
    return key
