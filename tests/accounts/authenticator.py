"""A passkey in software: makes the answers of ``navigator.credentials``, on request wrong in one way."""

import hashlib
import json
import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_encode


class SoftAuthenticator:
    """One passkey for one host."""

    def __init__(self, origin: str, host: str) -> None:
        self.origin, self.host = origin, host
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.identity, self.counter = os.urandom(32), 0

    def create(self, options: str) -> str:
        """Answer to ``create``."""
        public = ES256.from_cryptography_key(self.key.public_key())
        credential = bytes(16) + struct.pack(">H", len(self.identity)) + self.identity + cbor.encode(dict(public))
        data = self._data(0x41) + credential
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", json.loads(options)["challenge"])
        return self._answer(
            {"clientDataJSON": websafe_encode(client), "attestationObject": websafe_encode(attestation)}
        )

    def get(self, options: str, wrong: str = "") -> str:
        """Answer to ``get``."""
        self.counter += 0 if wrong == "counter" else 1
        challenge = websafe_encode(os.urandom(32)) if wrong == "challenge" else json.loads(options)["challenge"]
        origin = "http://evil.example" if wrong == "origin" else self.origin
        kind = "webauthn.create" if wrong == "type" else "webauthn.get"
        client, data = self._client(kind, challenge, origin), self._data(0x01)
        key = ec.generate_private_key(ec.SECP256R1()) if wrong == "key" else self.key
        signature = key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {
                "clientDataJSON": websafe_encode(client),
                "authenticatorData": websafe_encode(data),
                "signature": websafe_encode(signature),
            }
        )

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + struct.pack(">BI", flags, self.counter)

    def _client(self, kind: str, challenge: str, origin: str = "") -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": origin or self.origin}).encode()

    def _answer(self, response: dict[str, str]) -> str:
        identity = websafe_encode(self.identity)
        return json.dumps({"id": identity, "rawId": identity, "type": "public-key", "response": response})
