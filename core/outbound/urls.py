"""An address as somebody typed it: taken apart strictly, put together again, resolved and judged."""

import re
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import SplitResult, urlsplit

import idna

from core.outbound.addresses import AddressRefused, OutboundPolicy, judge, port_is_open

LOOKUP_TIMEOUT_S = 5.0
_MAX_URL_CHARS = 2000
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\]|\s")

Lookup = Callable[[str, int], Sequence[str]]
"""Resolves (host, port) to addresses as text; raises OSError when it cannot."""


class ResolveFailed(Exception):
    """The name could not be resolved just now. Try again later; the check is never skipped (hostile-inputs 3G6)."""

    code = "resolve_failed"

    def __init__(self) -> None:
        super().__init__("The server's name could not be resolved.")


@dataclass(frozen=True)
class CheckedUrl:
    """An address that passed: ``url`` is the normal form to store and show (host as punycode, hostile-inputs 3G10)."""

    url: str
    scheme: str
    host: str
    port: int


def check_url(
    url: str,
    policy: OutboundPolicy,
    *,
    field: str = "server_address",
    lookup: Lookup | None = None,
    timeout_s: float = LOOKUP_TIMEOUT_S,
) -> CheckedUrl:
    """Judge an address at save time: syntax, scheme, port, and **all** addresses its host resolves to.

    Raises :class:`AddressRefused` naming ``field`` and the rule. A name that does not resolve within ``timeout_s``
    seconds is refused with the same message as one that resolves to a forbidden address.
    """
    try:
        checked = parse_url(url, policy)
        for address in _lookup_in_time(lookup or system_lookup, checked, timeout_s):
            judge(address, checked.port, policy)
        return checked
    except AddressRefused as refused:
        refused.field = field
        raise


def parse_url(url: str, policy: OutboundPolicy) -> CheckedUrl:
    """Check everything about an address that needs no network; raises :class:`AddressRefused`."""
    if len(url) > _MAX_URL_CHARS:
        raise AddressRefused("host", f"The address is longer than {_MAX_URL_CHARS} characters.")
    if _FORBIDDEN.search(url):
        raise AddressRefused("host", "The address contains spaces, control characters or backslashes.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused("port", "The address or its port cannot be read.") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise AddressRefused("scheme", "The address must start with http:// or https://.")
    if "@" in parts.netloc:
        raise AddressRefused("credentials", "The address must not contain a user name or password.")
    if parts.fragment:
        raise AddressRefused("host", "The address must not contain a fragment (#).")
    host = _normal_host(parts)
    port = _DEFAULT_PORTS[parts.scheme] if port is None else port
    if not (1 <= port <= 65535) or not (port_is_open(port) or policy.lists_port(port)):
        raise AddressRefused("port", f"Port {port} is not allowed.")
    shown = host if port == _DEFAULT_PORTS[parts.scheme] else f"{host}:{port}"
    query = f"?{parts.query}" if parts.query else ""
    return CheckedUrl(f"{parts.scheme}://{shown}{parts.path}{query}", parts.scheme, host.strip("[]"), port)


def system_lookup(host: str, port: int) -> list[str]:
    """Ask the system's resolver. Odd spellings (127.1, 0x7f.1, 2130706433) come out as the address they mean."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in answers))


def _normal_host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        try:
            return f"[{IPv6Address(host).compressed}]" if "%" not in host else _refuse_host()
        except ValueError:
            _refuse_host()
    try:
        ascii_host = host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError:
        _refuse_host()
    ascii_host = ascii_host.lower().removesuffix(".")
    labels = ascii_host.split(".")
    if len(ascii_host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        _refuse_host()
    return ascii_host


def _refuse_host() -> str:
    raise AddressRefused("host", "The host name in the address is not valid.")


def _lookup_in_time(lookup: Lookup, checked: CheckedUrl, timeout_s: float) -> Sequence[str]:
    """Resolve within a deadline. getaddrinfo has none of its own, so it gets a thread that may be left behind."""
    answers: list[Sequence[str]] = []

    def work() -> None:
        try:
            answers.append(lookup(checked.host, checked.port))
        except OSError:
            answers.append(())

    thread = threading.Thread(target=work, name="outbound-lookup", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not answers or not answers[0]:
        raise AddressRefused("address")
    return answers[0]
