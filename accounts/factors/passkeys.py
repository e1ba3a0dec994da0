"""Passkeys (WebAuthn) by fido2: options for the browser, and what it answered, judged.

A passkey belongs to the host name that the browser shows, so an installation that changes its name loses them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.utils.translation import gettext as _
from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from core.errors import InvalidInput

STATE = "passkey_state"
MAX_ANSWER = 20_000


@dataclass(frozen=True, slots=True)
class Credential:
    """A passkey as it is stored: ``data`` holds id and public key."""

    identity: bytes
    data: bytes
    sign_count: int


def creation_options(*, request: HttpRequest, user_id: bytes, name: str, shown: str, held: Sequence[bytes]) -> str:
    """JSON for ``navigator.credentials.create``; the challenge is kept in the session."""
    options, state = _server(request).register_begin(
        PublicKeyCredentialUserEntity(id=user_id, name=name, display_name=shown),
        credentials=[AttestedCredentialData(data) for data in held],
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    request.session[STATE] = {"for": "create", **_plain(state)}
    return json.dumps(dict(options)["publicKey"], default=dict)


def created(*, request: HttpRequest, answer: str) -> Credential:
    """Judge the answer to :func:`creation_options`, once. Raises InvalidInput (field ``credential``)."""
    state = _state(request, "create")
    try:
        found = _server(request).register_complete(state, _parsed(answer))
    except Exception as error:
        # The library raises ValueError, KeyError, TypeError or its own for what a browser would never send.
        raise InvalidInput("credential", _("The passkey did not answer as it should. Try again.")) from error
    data = found.credential_data
    if data is None:
        raise InvalidInput("credential", _("The passkey did not answer as it should. Try again."))
    return Credential(data.credential_id, bytes(data), found.counter)


def request_options(*, request: HttpRequest, held: Sequence[bytes]) -> str:
    """JSON for ``navigator.credentials.get``; the challenge is kept in the session."""
    options, state = _server(request).authenticate_begin(
        [AttestedCredentialData(data) for data in held], user_verification=UserVerificationRequirement.PREFERRED
    )
    request.session[STATE] = {"for": "get", **_plain(state)}
    return json.dumps(dict(options)["publicKey"], default=dict)


def signed(*, request: HttpRequest, answer: str, held: Sequence[bytes]) -> tuple[bytes, int]:
    """Judge the answer to :func:`request_options`, once; return credential id and counter. Raises InvalidInput."""
    state = _state(request, "get")
    try:
        parsed = _parsed(answer)
        credentials = [AttestedCredentialData(data) for data in held]
        found = _server(request).authenticate_complete(state, credentials, parsed)
        counter = AuthenticationResponse.from_dict(parsed).response.authenticator_data.counter
    except Exception as error:
        raise InvalidInput("credential", _("The passkey did not answer as it should. Try again.")) from error
    return found.credential_id, counter


def _server(request: HttpRequest) -> Fido2Server:
    origin = f"{request.scheme}://{request.get_host()}"
    host = urlsplit(origin).hostname or ""
    return Fido2Server(
        PublicKeyCredentialRpEntity(id=host, name="Parlance"), verify_origin=lambda given: given == origin
    )


def _state(request: HttpRequest, purpose: str) -> dict[str, Any]:
    state = request.session.pop(STATE, None)
    if not isinstance(state, dict) or state.pop("for", "") != purpose:
        raise InvalidInput("credential", _("This page was too old. Try again."))
    return state


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    verification = state["user_verification"]
    return {"challenge": state["challenge"], "user_verification": str(verification.value) if verification else None}


def _parsed(answer: str) -> dict[str, Any]:
    if len(answer) > MAX_ANSWER:
        raise ValueError("too long")
    parsed = json.loads(answer)
    if not isinstance(parsed, dict):
        raise TypeError("no object")
    return parsed
