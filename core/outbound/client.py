"""The HTTP client that connects only where the guard lets it.

Two walls: the resolver judges all answers for a name before any of them is tried, and the socket itself is made only
for an address that passes, which also covers addresses written as numbers (aiohttp asks no resolver for those) and
names whose answer changed in between (hostile-inputs 3G5).
"""

import asyncio
import socket
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from core.outbound.addresses import OutboundPolicy, judge
from core.outbound.urls import Lookup, ResolveFailed, parse_url, system_lookup

MAX_BODY_BYTES = 8 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_REDIRECTS = range(300, 400)


class ResponseRefused(Exception):
    """The server's answer cannot be used. ``code`` is too_large or encoding; the body is never quoted."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Response:
    """An answer, read to its end. Of a redirect only the status is kept (hostile-inputs 3G7)."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class GuardedResolver(AbstractResolver):
    """Resolves a name and lets its answers pass only if **all** of them may be connected to."""

    def __init__(self, policy: OutboundPolicy, lookup: Lookup = system_lookup) -> None:
        self._policy = policy
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of ``host``; raises AddressRefused, or ResolveFailed, which may be retried."""
        try:
            answers = await asyncio.get_running_loop().run_in_executor(None, self._lookup, host, port)
        except OSError as exc:
            raise ResolveFailed from exc
        if not answers:
            raise ResolveFailed
        for answer in answers:
            judge(answer, port, self._policy)
        return [_result(host, answer, port) for answer in answers]

    async def close(self) -> None:
        """Nothing is held."""


class _GuardedConnector(aiohttp.TCPConnector):
    """Connects to judged addresses only."""

    def __init__(self, policy: OutboundPolicy, lookup: Lookup, tls: ssl.SSLContext) -> None:
        super().__init__(
            resolver=GuardedResolver(policy, lookup),
            use_dns_cache=False,
            ssl=tls,
            socket_factory=self._judged_socket,
        )
        self.policy = policy

    def _judged_socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        judge(address[0], address[1], self.policy)
        return socket.socket(family, kind, protocol)


def guarded_session(
    policy: OutboundPolicy,
    *,
    verify_tls: bool,
    total_timeout_s: float,
    user_agent: str,
    lookup: Lookup = system_lookup,
) -> aiohttp.ClientSession:
    """Make a session (inside a running loop; the caller closes it) for :func:`request`.

    No proxies or credentials from the environment, no cookies, TLS 1.2 or newer. ``verify_tls=False`` drops the check
    of the certificate only, never a check of the address. ``total_timeout_s``: seconds for one whole request.
    """
    tls = ssl.create_default_context()
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify_tls:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    return aiohttp.ClientSession(
        connector=_GuardedConnector(policy, lookup, tls),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": user_agent, "Accept-Encoding": "gzip"},
        timeout=aiohttp.ClientTimeout(total=total_timeout_s),
        trust_env=False,
        auto_decompress=False,
    )


async def request(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    max_body_bytes: int = MAX_BODY_BYTES,
    **options: Any,
) -> Response:
    """Send one request and read the whole answer, following no redirect.

    ``options`` go to aiohttp (headers, params, data, json). Raises AddressRefused; ResolveFailed; TimeoutError when the
    session's total time is over, whatever it was spent on; ResponseRefused for a body of more than ``max_body_bytes``
    bytes (counted after decompression) or one that does not decompress; aiohttp.ClientError for the rest.
    """
    connector = session.connector
    if not isinstance(connector, _GuardedConnector):
        raise TypeError("Outbound requests need a session made by guarded_session().")
    forbidden = options.keys() & {"allow_redirects", "proxy", "ssl", "auto_decompress", "timeout", "server_hostname"}
    if forbidden:
        raise TypeError(f"The guard decides on {', '.join(sorted(forbidden))}.")
    target = parse_url(url, connector.policy)
    async with asyncio.timeout(session.timeout.total):
        async with session.request(method, target.url, allow_redirects=False, **options) as response:
            if _leads_elsewhere(response):
                response.close()
                return Response(response.status, {}, b"")
            body = await _read(response, max_body_bytes)
            return Response(response.status, response.headers, body)


def _leads_elsewhere(response: aiohttp.ClientResponse) -> bool:
    """A 308 without an address is Google's word for an upload that goes on."""
    if response.status == 308:
        return "Location" in response.headers
    return response.status in _REDIRECTS and response.status != 304


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    inflate = _inflater(response.headers.get("Content-Encoding", ""))
    body = bytearray()
    received = 0
    async for piece in response.content.iter_chunked(_PIECE_BYTES):
        received += len(piece)
        if inflate is not None:
            piece = _inflate(inflate, piece, limit + 1 - len(body))
        body += piece
        if len(body) > limit or received > limit:
            # Without close() aiohttp would read the rest to keep the connection.
            response.close()
            raise ResponseRefused("too_large", f"The answer is larger than {limit} bytes.")
    if inflate is not None and received and not inflate.eof:
        raise ResponseRefused("encoding", "The compressed answer is cut short.")
    return bytes(body)


def _inflater(encoding: str) -> "zlib._Decompress | None":
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip"):
        return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    raise ResponseRefused("encoding", "The answer has a content encoding that was not asked for.")


def _inflate(inflate: "zlib._Decompress", piece: bytes, room: int) -> bytes:
    # max_length bounds what one small piece can grow to; what is left over then means that the limit is passed.
    try:
        return inflate.decompress(piece, room)
    except zlib.error:
        raise ResponseRefused("encoding", "The compressed answer is damaged.") from None


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)
