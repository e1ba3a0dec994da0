"""The door for the pairing server: signed requests in, signed answers out. No session, no cookie, no form."""

import functools
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from accounts.lockout import Attempt, TooManyAttempts, guard_door
from core.crypto import DecryptionFailed
from core.errors import InvalidInput
from core.policy import public
from core.signed_http import NONCE, Parties, Question, SignatureRefused, sign_answer, verify_request
from queues.replication.identity import installation, private_key
from queues.replication.models import Installation, Pairing
from queues.replication.peer import REFUSALS
from queues.replication.receiving import receive
from queues.replication.snapshots import MAX_BODY, read

# Requests of one network that may fail within a quarter of an hour before the door closes for as long.
LIMIT = 60
REMEMBER = """
INSERT INTO queues_seennonce (nonce, at) VALUES (%s, %s) ON CONFLICT DO NOTHING
"""
Handler = Callable[[Pairing, bytes], dict[str, Any]]
logger = logging.getLogger(__name__)


class _Refused(Exception):
    """The request is not taken; nothing was done."""

    def __init__(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.headers = status, code, dict(headers or {})


def signed(handle: Handler) -> Callable[[HttpRequest], HttpResponse]:
    """A view for ``handle``: 401, 405, 413 or 429 unsigned, with one reason; 200 and 422 signed by our key."""

    # Exempt from CSRF: no cookie gives any right here, only the signature.
    @public
    @csrf_exempt
    @functools.wraps(handle)
    def view(request: HttpRequest) -> HttpResponse:
        try:
            attempt = _admit(request)
            body = _body(request)
            own, key = _own_key()
            pairing, question = _prove(request, body, own)
            attempt.succeeded()
        except _Refused as refused:
            logger.warning("A request of a pairing server was refused: %s", refused.code)
            said = {"error": refused.code, "message": str(REFUSALS.get(refused.code, refused.code))}
            return _json(orjson.dumps(said), refused.status, refused.headers)
        status, said = 200, {}
        try:
            said = handle(pairing, body)
        except InvalidInput as error:
            status, said = 422, {"error": error.code, "field": error.field, "message": error.message}
        answer = orjson.dumps({"name": own.name, **said})
        parties = Parties(own.identity, pairing.identity)
        proof = sign_answer(key, question, status, answer, parties, now=int(time.time()), nonce=request.headers[NONCE])
        return _json(answer, status, proof)

    return view


def _admit(request: HttpRequest) -> Attempt:
    if request.method != "POST":
        raise _Refused(405, "method", {"Allow": "POST"})
    try:
        return guard_door("pairing", LIMIT)
    except TooManyAttempts as error:
        raise _Refused(429, error.code, {"Retry-After": str(error.retry_after)}) from None


def _body(request: HttpRequest) -> bytes:
    """At most MAX_BODY bytes, whatever length is claimed; more is not read."""
    try:
        body: bytes = request.read(MAX_BODY + 1)
    except UnreadablePostError:
        raise _Refused(400, "unreadable") from None
    if len(body) > MAX_BODY:
        raise _Refused(413, "too_large")
    return body


def _own_key() -> tuple[Installation, Ed25519PrivateKey]:
    own = installation()
    try:
        return own, private_key(own)
    except DecryptionFailed:
        logger.error("The key of this installation does not open with its master keys")
        raise _Refused(401, "not_paired") from None


def _prove(request: HttpRequest, body: bytes, own: Installation) -> tuple[Pairing, Question]:
    """Who asks, and that it was asked just now and not before."""
    pairing = Pairing.objects.filter(confirmed_at__isnull=False).first()
    if pairing is None:
        raise _Refused(401, "not_paired")
    question = Question("POST", request.path_info, body)
    parties = Parties(pairing.identity, own.identity)
    try:
        nonce = verify_request(request.headers, question, parties, bytes(pairing.public_key), now=int(time.time()))
    except SignatureRefused as error:
        raise _Refused(401, error.code) from None
    with connection.cursor() as cursor:
        cursor.execute(REMEMBER, [nonce, timezone.now()])
        if not cursor.rowcount:
            raise _Refused(401, "replay")
    return pairing, question


def _json(body: bytes, status: int, headers: Mapping[str, str]) -> HttpResponse:
    return HttpResponse(body, status=status, content_type="application/json", headers=dict(headers))


@signed
def ping(pairing: Pairing, body: bytes) -> dict[str, Any]:
    """Say who we are; changes nothing but when the other side was last seen."""
    Pairing.objects.filter(pk=pairing.pk).update(seen_at=timezone.now())
    return {"outcome": "applied"}


@signed
def queues(pairing: Pairing, body: bytes) -> dict[str, Any]:
    """Take in one snapshot of a queue."""
    snapshot = read(body)
    outcome = receive(pairing.identity, snapshot)
    Pairing.objects.filter(pk=pairing.pk).update(seen_at=timezone.now(), name=snapshot.origin_name)
    return {"outcome": outcome.outcome, "reason": outcome.reason}
