"""Talking to a provider: discovery, keys, code exchange. Only through the outbound guard, each with a deadline of its own."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp

from core.outbound import (
    AddressRefused,
    OutboundPolicy,
    ResolveFailed,
    ResponseRefused,
    guarded_session,
    request,
)

# One request from start to end; a sign-in makes at most four, so a worker is never held for long.
DEADLINE_S = 5.0
KEPT_S = 600.0
FAILURE_KEPT_S = 10.0
MAX_ANSWER = 256 * 1024
MAX_KEYS = 50
DISCOVERY = "/.well-known/openid-configuration"
Answer = TypeVar("Answer")


class ProviderFailed(Exception):
    """The provider cannot be used just now; ``reason`` is a word for the audit trail, never what it answered."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Provider:
    """What discovery says. ``basic``: the client authenticates with a header, else in the body."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    basic: bool
    names_itself: bool


@dataclass
class _Cached:
    provider: Provider
    until: float
    keys: list[dict[str, Any]] = field(default_factory=list)
    keys_until: float = 0.0


_cache: dict[str, _Cached] = {}
_failures: dict[str, float] = {}


def forget() -> None:
    """Forget what was learned of providers."""
    _cache.clear()
    _failures.clear()


def discover(issuer: str, policy: OutboundPolicy) -> Provider:
    """What the provider says about itself, kept for 10 minutes. Raises ProviderFailed."""
    return _entry(issuer, policy).provider


def keys_of(issuer: str, policy: OutboundPolicy, *, fresh: bool = False) -> list[dict[str, Any]]:
    """Its public keys, kept for 10 minutes unless ``fresh`` ones are asked for. Raises ProviderFailed."""
    entry = _entry(issuer, policy)
    if fresh or entry.keys_until < time.monotonic():
        entry.keys = keys_at(entry.provider.jwks_uri, policy)
        entry.keys_until = time.monotonic() + KEPT_S
    return entry.keys


def keys_at(address: str, policy: OutboundPolicy) -> list[dict[str, Any]]:
    """The public keys that are published there, asked for each time. Raises ProviderFailed."""
    found = _run(policy, lambda session: _json(session, "GET", address))
    keys = found.get("keys")
    if not isinstance(keys, list):
        raise ProviderFailed("keys_malformed")
    return [key for key in keys[:MAX_KEYS] if isinstance(key, dict)]


def exchange(
    provider: Provider,
    policy: OutboundPolicy,
    *,
    code: str,
    verifier: str,
    redirect_uri: str,
    client_id: str,
    secret: str,
) -> str:
    """Trade the code for an ID token. Raises ProviderFailed."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    headers = {"Accept": "application/json"}
    if provider.basic:
        headers["Authorization"] = aiohttp.encode_basic_auth(quote(client_id, safe=""), quote(secret, safe=""))
    else:
        form |= {"client_id": client_id, "client_secret": secret}
    found = _run(policy, lambda session: _json(session, "POST", provider.token_endpoint, data=form, headers=headers))
    token = found.get("id_token")
    if not isinstance(token, str):
        raise ProviderFailed("no_id_token")
    return token


def _entry(issuer: str, policy: OutboundPolicy) -> _Cached:
    entry, now = _cache.get(issuer), time.monotonic()
    if entry is not None and entry.until > now:
        return entry
    # Strangers can start a sign-in: a provider that is down is asked again only after a pause.
    if _failures.get(issuer, 0.0) > now:
        raise ProviderFailed("provider_unreachable")
    try:
        found = _run(policy, lambda session: _json(session, "GET", issuer.rstrip("/") + DISCOVERY))
        entry = _Cached(_provider(found, issuer), now + KEPT_S)
    except ProviderFailed:
        _failures[issuer] = now + FAILURE_KEPT_S
        raise
    if len(_cache) > 1000:
        forget()
    _cache[issuer] = entry
    return entry


def _provider(found: dict[str, Any], issuer: str) -> Provider:
    if found.get("issuer") != issuer:
        raise ProviderFailed("issuer_mismatch")
    addresses = [found.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    if not all(_is_address(text, issuer) for text in addresses) or not isinstance(methods, list):
        raise ProviderFailed("discovery_malformed")
    authorization, token, keys = (str(text) for text in addresses)
    return Provider(
        issuer=issuer,
        authorization_endpoint=authorization,
        token_endpoint=token,
        jwks_uri=keys,
        basic="client_secret_post" not in methods or "client_secret_basic" in methods,
        names_itself=found.get("authorization_response_iss_parameter_supported") is True,
    )


def _is_address(text: Any, issuer: str) -> bool:
    """Whether it is an address of https, or of what the issuer itself uses."""
    if not isinstance(text, str) or not text.isascii() or not text.isprintable():
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.hostname) and parts.scheme in {"https", urlsplit(issuer).scheme}


def _run(policy: OutboundPolicy, ask: Callable[[aiohttp.ClientSession], Awaitable[Answer]]) -> Answer:
    async def main() -> Answer:
        async with asyncio.timeout(DEADLINE_S):
            async with guarded_session(
                policy, verify_tls=True, total_timeout_s=DEADLINE_S, user_agent="Parlance"
            ) as session:
                return await ask(session)

    try:
        return asyncio.run(main())
    except AddressRefused as error:
        raise ProviderFailed("address_refused") from error
    except (ResolveFailed, ResponseRefused, TimeoutError, aiohttp.ClientError, OSError) as error:
        raise ProviderFailed("provider_unreachable") from error


async def _json(session: aiohttp.ClientSession, method: str, url: str, **options: Any) -> dict[str, Any]:
    answer = await request(session, method, url, max_body_bytes=MAX_ANSWER, **options)
    if answer.status != 200:
        raise ProviderFailed("provider_refused" if 400 <= answer.status < 500 else "provider_failed")
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise ProviderFailed("answer_malformed") from error
    if not isinstance(found, dict):
        raise ProviderFailed("answer_malformed")
    return found
