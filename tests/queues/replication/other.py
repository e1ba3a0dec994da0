"""The other installation, as the tests need it: a key, and requests signed with it."""

import time
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client
from django.utils import timezone

from core import signed_http as http
from queues.replication.identity import installation
from queues.replication.models import Pairing

SETTINGS = {
    "name": "Theirs",
    "enabled": True,
    "scope": "global",
    "tenant": "",
    "tenant_groups": [],
    "record_type": "call",
    "events": ["call.recording_finished"],
}


def snapshot(kind: str = "saved", *, queue: int = 7, version: int = 1, **settings: Any) -> dict[str, Any]:
    """A message with ``settings`` over the usual ones."""
    said = {"format": 1, "origin_name": "Alpha", "kind": kind, "queue": queue, "version": version}
    return {**said, "settings": {**SETTINGS, **settings}}


@dataclass
class Other:
    """It signs with ``key``; ``ask`` posts to our door and gives status and JSON, after checking who signed."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    client: Client = field(default_factory=Client)

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    @property
    def parties(self) -> http.Parties:
        return http.Parties(http.installation_id(self.public), installation().identity)

    def pair(self, **values: Any) -> Pairing:
        """Make it our confirmed pairing server."""
        defaults = {"address": "https://93.184.216.34", "confirmed_at": timezone.now()}
        return Pairing.objects.create(public_key=self.public, **{**defaults, **values})

    def headers(self, path: str, body: bytes, *, now: int | None = None) -> dict[str, str]:
        question = http.Question("POST", path, body)
        now = int(time.time()) if now is None else now
        return http.sign_request(self.key, question, self.parties, now=now, nonce=http.new_nonce())

    def post(self, path: str, body: bytes, headers: dict[str, str], **extra: Any) -> Any:
        return self.client.post(path, body, content_type="application/json", headers=headers, **extra)

    def ask(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        headers = self.headers(path, body)
        answer = self.post(path, body, headers)
        http.verify_answer(
            answer.headers,
            http.Question("POST", path, body),
            answer.status_code,
            answer.content,
            self.parties.turned(),
            bytes(installation().public_key),
            now=int(time.time()),
            nonce=headers[http.NONCE],
        )
        return answer.status_code, orjson.loads(answer.content)

    def send(self, said: dict[str, Any]) -> str:
        """Send one snapshot that must be understood; return what became of it."""
        status, answer = self.ask("/pairing/v1/queues", orjson.dumps(said))
        assert status == 200, answer
        return f"{answer['outcome']} {answer['reason']}".strip()
