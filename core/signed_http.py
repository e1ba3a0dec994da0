"""Requests and answers between two installations, each signed with Ed25519. Needs no Django.

What is signed names method, path, digest of the body, time, a nonce and both installations, so that nothing of it can
be changed, sent to somebody else or sent again later. An answer repeats the nonce of its request and names its status:
it fits no other question. An installation is named by its public key: its id is the beginning of the key's SHA-256.
"""

import base64
import binascii
import hashlib
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

# Seconds by which two clocks may differ; a nonce has to be remembered for twice as long.
WINDOW_S = 300
KEY_BYTES = 32
PREFIX = "ed25519:"
FROM, TO, TIME, NONCE, SIGNATURE = (
    "Parlance-From",
    "Parlance-To",
    "Parlance-Time",
    "Parlance-Nonce",
    "Parlance-Signature",
)
_NONCE = re.compile(r"[0-9a-f]{32}")
_TIME = re.compile(r"[1-9][0-9]{0,11}")
# The y of the points of small order (RFC 7748 §6.1 and their spellings above p): under such a "key" anybody can sign.
_P = 2**255 - 19
_SMALL_ORDER = frozenset(
    {0, 1, _P - 1, _P, _P + 1}
    | {
        int.from_bytes(bytes.fromhex(text), "little")
        for text in (
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        )
    }
)


class SignatureRefused(Exception):
    """The message is not what it claims to be. ``code``: unsigned, wrong_recipient, unknown_sender, signature, clock."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class KeyMalformed(ValueError):
    """The text is no public key of an installation."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Who sends and who receives, by the ids of the installations."""

    sender: uuid.UUID
    receiver: uuid.UUID

    def turned(self) -> "Parties":
        """The parties of the answer."""
        return Parties(self.receiver, self.sender)


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks: method, path (without the address of the server) and body."""

    method: str
    path: str
    body: bytes


def installation_id(public_key: bytes) -> uuid.UUID:
    """The id that follows from the key, so that no id can be claimed with another key."""
    return uuid.UUID(bytes=hashlib.sha256(public_key).digest()[:16])


def fingerprint(public_key: bytes) -> str:
    """The SHA-256 of the key as people compare it: 16 groups of four hexadecimal digits."""
    digest = hashlib.sha256(public_key).hexdigest()
    return " ".join(digest[start : start + 4] for start in range(0, 64, 4))


def key_text(public_key: bytes) -> str:
    """The key in one line, as it is shown, copied and pasted."""
    return PREFIX + base64.b64encode(public_key).decode()


def read_key(text: str) -> bytes:
    """The 32 bytes of a pasted key. Raises KeyMalformed, also for keys under which everybody could sign."""
    packed = "".join(text.split())
    if not packed.startswith(PREFIX):
        raise KeyMalformed
    try:
        key = base64.b64decode(packed.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise KeyMalformed from None
    if len(key) != KEY_BYTES or int.from_bytes(key, "little") & ~(1 << 255) in _SMALL_ORDER:
        raise KeyMalformed
    return key


def new_nonce() -> str:
    """128 random bits in hexadecimal."""
    return secrets.token_hex(16)


def sign_request(
    key: Ed25519PrivateKey, question: Question, parties: Parties, *, now: int, nonce: str
) -> dict[str, str]:
    """The headers that prove a request; ``now`` in seconds since 1970."""
    return _signed(key, ["request", *_of(question)], parties, now, nonce)


def verify_request(headers: Mapping[str, str], question: Question, parties: Parties, key: bytes, *, now: int) -> str:
    """The nonce of a request that ``parties.sender`` signed for ``parties.receiver``; the caller refuses a repeated one.

    Raises SignatureRefused. The time is judged after the signature: who has no key learns nothing of our clock.
    """
    return _verified(headers, ["request", *_of(question)], parties, key, now)


def sign_answer(
    key: Ed25519PrivateKey, question: Question, status: int, body: bytes, parties: Parties, *, now: int, nonce: str
) -> dict[str, str]:
    """The headers that prove an answer to the request with ``nonce``; ``parties`` as of the answer."""
    return _signed(key, _answer(question, status, body), parties, now, nonce)


def verify_answer(
    headers: Mapping[str, str],
    question: Question,
    status: int,
    body: bytes,
    parties: Parties,
    key: bytes,
    *,
    now: int,
    nonce: str,
) -> None:
    """Raise SignatureRefused unless ``parties.sender`` gave this answer to the request with ``nonce``."""
    if _verified(headers, _answer(question, status, body), parties, key, now) != nonce:
        raise SignatureRefused("signature")


def _of(question: Question) -> list[str]:
    return [question.method, question.path, hashlib.sha256(question.body).hexdigest()]


def _answer(question: Question, status: int, body: bytes) -> list[str]:
    return ["answer", *_of(question), str(status), hashlib.sha256(body).hexdigest()]


def _text(what: list[str], parties: Parties, now: int, nonce: str) -> bytes:
    lines = ["parlance-signed-http-1", *what, str(parties.sender), str(parties.receiver), str(now), nonce]
    return "\n".join(lines).encode()


def _signed(key: Ed25519PrivateKey, what: list[str], parties: Parties, now: int, nonce: str) -> dict[str, str]:
    return {
        FROM: str(parties.sender),
        TO: str(parties.receiver),
        TIME: str(now),
        NONCE: nonce,
        SIGNATURE: base64.b64encode(key.sign(_text(what, parties, now, nonce))).decode(),
    }


def _verified(headers: Mapping[str, str], what: list[str], parties: Parties, key: bytes, now: int) -> str:
    sender, receiver, time, nonce, signature = (headers.get(name, "") for name in (FROM, TO, TIME, NONCE, SIGNATURE))
    if not (_TIME.fullmatch(time) and _NONCE.fullmatch(nonce) and sender and receiver and signature):
        raise SignatureRefused("unsigned")
    if receiver != str(parties.receiver):
        raise SignatureRefused("wrong_recipient")
    if sender != str(parties.sender):
        raise SignatureRefused("unknown_sender")
    try:
        proof = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(key).verify(proof, _text(what, parties, int(time), nonce))
    except (InvalidSignature, ValueError):
        raise SignatureRefused("signature") from None
    if abs(int(time) - now) > WINDOW_S:
        raise SignatureRefused("clock")
    return nonce
