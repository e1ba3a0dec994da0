"""Asking the pairing server: one signed request through the outbound guard, one answer that its key must have signed."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from django.utils.translation import gettext_lazy as _

from core.crypto import DecryptionFailed
from core.outbound import AddressRefused, ResolveFailed, Response, ResponseRefused, guarded_session, request
from core.signed_http import Parties, Question, SignatureRefused, new_nonce, sign_request, verify_answer
from queues.replication.identity import private_key
from queues.replication.models import Installation, Pairing
from tenants.selectors import outbound_policy

PING = "/pairing/v1/ping"
QUEUES = "/pairing/v1/queues"
# Of one request from start to end, in seconds.
DEADLINE_S = 5.0
MAX_ANSWER = 16 * 1024
ANSWERED = frozenset({200, 422})

# What may be wrong with the connection, as codes that are stored and in words. The first ones are what the other side
# says; it cannot prove them, because it refuses who it does not know.
REFUSALS = {
    "not_paired": _("The other installation is not paired with this one, or has not confirmed its fingerprint yet."),
    "unknown_sender": _("The other installation is paired with another key than ours."),
    "wrong_recipient": _("The other installation has another key than the one pasted here."),
    "signature": _("The signature does not fit: a key differs, or something on the way changes messages."),
    "clock": _("The clocks of the two installations differ by more than five minutes."),
    "replay": _("The other installation had seen the request already."),
    "unsigned": _("Something on the way removes the headers that prove who sends."),
    "too_many_attempts": _("The other installation asks us to wait: too many requests failed."),
}
FAILURES = {
    **REFUSALS,
    "address": _("The address is not allowed or cannot be reached. Inside addresses must be listed."),
    "unreachable": _("The other installation does not answer."),
    "redirected": _("The address leads elsewhere (a redirect). Enter the address it leads to."),
    "http": _("What answers at the address is no installation that can be paired."),
    "answer": _("The answer is not signed by the key of the pairing server, so it was not believed."),
    "key": _("The own private key does not open with the master keys of this installation."),
}


class PeerFailed(Exception):
    """The pairing server cannot be used just now. ``code`` is one of FAILURES; no answer is ever quoted."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """What the pairing server said and signed: 200, or 422 with the field and rule it did not like."""

    status: int
    said: dict[str, Any]

    def text(self, name: str, longest: int) -> str:
        """A text of the answer, cut; empty when it is none."""
        value = self.said.get(name)
        return value[:longest].replace("\x00", "") if isinstance(value, str) else ""


def ask(own: Installation, pairing: Pairing, path: str, body: bytes) -> Answer:
    """Send ``body`` to ``path`` of the pairing server. Raises PeerFailed. Takes up to DEADLINE_S: in no transaction."""
    question = Question("POST", path, body)
    parties = Parties(own.identity, pairing.identity)
    nonce = new_nonce()
    try:
        headers = sign_request(private_key(own), question, parties, now=int(time.time()), nonce=nonce)
    except DecryptionFailed:
        raise PeerFailed("key") from None
    response = _send(pairing.address.rstrip("/") + path, body, headers)
    try:
        verify_answer(
            response.headers,
            question,
            response.status,
            response.body,
            parties.turned(),
            bytes(pairing.public_key),
            now=int(time.time()),
            nonce=nonce,
        )
    except SignatureRefused as error:
        raise PeerFailed(_refusal(response, error)) from None
    said = _object(response.body)
    if said is None or response.status not in ANSWERED:
        raise PeerFailed("answer")
    return Answer(response.status, said)


def _send(url: str, body: bytes, headers: dict[str, str]) -> Response:
    policy = outbound_policy()

    async def main() -> Response:
        async with asyncio.timeout(DEADLINE_S):
            async with guarded_session(
                policy, verify_tls=True, total_timeout_s=DEADLINE_S, user_agent="Parlance"
            ) as session:
                kind = {"Content-Type": "application/json", "Accept": "application/json"}
                return await request(
                    session, "POST", url, data=body, headers={**kind, **headers}, max_body_bytes=MAX_ANSWER
                )

    try:
        return asyncio.run(main())
    except AddressRefused:
        raise PeerFailed("address") from None
    except ResponseRefused:
        raise PeerFailed("http") from None
    except (ResolveFailed, TimeoutError, aiohttp.ClientError, OSError):
        raise PeerFailed("unreachable") from None


def _refusal(response: Response, error: SignatureRefused) -> str:
    """Why there is no answer that can be believed: what the other side claims, if it is one of the words we know."""
    if 300 <= response.status < 400:
        return "redirected"
    if response.status in ANSWERED:
        return "clock" if error.code == "clock" else "answer"
    said = (_object(response.body) or {}).get("error")
    return said if isinstance(said, str) and said in REFUSALS else "http"


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
