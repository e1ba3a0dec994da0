"""The outbound client connects only to checked addresses and trusts no answer (hostile-inputs 3G5-3G7, 3G12, F4)."""

import asyncio
import gzip
import ssl
import threading
import tracemalloc
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.outbound import (
    AddressRefused,
    AllowedTarget,
    Lookup,
    OutboundPolicy,
    ResolveFailed,
    Response,
    ResponseRefused,
    guarded_session,
    request,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\nConnection: close\r\n\r\nhello"
Writer = asyncio.StreamWriter


@dataclass
class Server:
    """A raw HTTP server of one answer that counts its connections and keeps what it was sent."""

    port: int = 0
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)


def talk(
    session_and_requests: Callable[[Server], Awaitable[object]],
    answer: bytes | Callable[[Writer], Awaitable[None]] = OK,
    tls: ssl.SSLContext | None = None,
) -> tuple[object, Server]:
    """Start a server on the loopback, run the coroutine against it, return its result and the server's record."""
    server = Server()

    async def serve(reader: asyncio.StreamReader, writer: Writer) -> None:
        server.connections += 1
        try:
            server.heads.append(await reader.readuntil(b"\r\n\r\n"))
            if callable(answer):
                await answer(writer)
            else:
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def main() -> object:
        listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        server.port = listener.sockets[0].getsockname()[1]
        try:
            return await session_and_requests(server)
        finally:
            listener.close()

    return asyncio.run(main()), server


def listed(port: int) -> OutboundPolicy:
    return OutboundPolicy(frozenset({AllowedTarget(ip_network("127.0.0.1/32"), port)}))


def to_loopback(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def ask(
    url: str,
    *,
    allowed: bool = True,
    lookup: Lookup = to_loopback,
    verify_tls: bool = True,
    timeout_s: float = 10,
    times: int = 1,
    **options: object,
) -> Callable[[Server], Awaitable[Response]]:
    async def run(server: Server) -> Response:
        policy = listed(server.port) if allowed else OutboundPolicy()
        async with guarded_session(
            policy, verify_tls=verify_tls, total_timeout_s=timeout_s, user_agent="Parlance-test", lookup=lookup
        ) as session:
            for _ in range(times):
                response = await request(session, "GET", url.format(port=server.port), **options)
            return response

    return run


def test_a_listed_address_is_reached_and_an_unlisted_one_gets_no_connection() -> None:
    for url in ("http://127.0.0.1:{port}/x", "http://stt.example:{port}/x"):
        response, server = talk(ask(url))
        assert (response.status, response.body, server.connections) == (200, b"hello", 1)
        server = Server()

        async def refused(running: Server, url: str = url) -> int:
            with pytest.raises(AddressRefused):
                await ask(url, allowed=False)(running)
            return running.connections

        assert talk(refused)[0] == 0


def test_the_socket_itself_refuses_when_everything_before_it_was_passed_by() -> None:
    async def around(server: Server) -> int:
        async with guarded_session(
            OutboundPolicy(), verify_tls=True, total_timeout_s=5, user_agent="t", lookup=to_loopback
        ) as session:
            with pytest.raises(AddressRefused):
                await session.get(f"http://127.0.0.1:{server.port}/")
        return server.connections

    assert talk(around)[0] == 0


def test_a_name_that_rebinds_gets_no_connection_to_the_inside() -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1", "10.0.0.1"]])

    def rebinding(host: str, port: int) -> Sequence[str]:
        return next(answers)

    async def run(server: Server) -> None:
        response = await ask("http://stt.example:{port}/", lookup=rebinding)(server)
        assert response.status == 200
        for _ in range(2):
            with pytest.raises(AddressRefused):
                await ask("http://stt.example:{port}/", lookup=rebinding)(server)

    assert talk(run)[1].connections == 1


def test_each_connection_is_resolved_and_judged_anew() -> None:
    asked: list[str] = []

    def counting(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    talk(ask("http://stt.example:{port}/", lookup=counting, times=3))
    assert asked == ["stt.example"] * 3


def test_a_resolve_failure_is_retryable_and_skips_no_check() -> None:
    def failing(host: str, port: int) -> Sequence[str]:
        raise OSError("temporary failure in name resolution")

    for lookup in (failing, lambda host, port: []):

        async def run(server: Server, lookup: Lookup = lookup) -> int:
            with pytest.raises(ResolveFailed):
                await ask("http://stt.example:{port}/", lookup=lookup)(server)
            return server.connections

        assert talk(run)[0] == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["http://169.254.169.254/latest", "file:///etc/passwd", "http://stt.example/"])
def test_a_redirect_is_not_followed_and_only_its_status_is_shown(status: int, location: str) -> None:
    answer = f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 6\r\n\r\nsecret".encode()
    response, server = talk(ask("http://stt.example:{port}/"), answer)
    assert (response.status, dict(response.headers), response.body) == (status, {}, b"")
    assert server.connections == 1


def test_nothing_from_the_environment_and_no_cookie_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    _, server = talk(ask("http://stt.example:{port}/", times=2))
    assert server.connections == 2
    assert all(b"Cookie" not in head and b"User-Agent: Parlance-test" in head for head in server.heads)


def test_options_that_would_open_the_guard_are_refused() -> None:
    for option in ({"allow_redirects": True}, {"proxy": "http://127.0.0.1"}, {"ssl": False}):

        async def run(server: Server, option: dict[str, object] = option) -> None:
            with pytest.raises(TypeError, match="guard"):
                await ask("http://stt.example:{port}/", **option)(server)

        assert talk(run)[1].connections == 0


def test_a_plain_session_is_refused() -> None:
    async def run() -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(TypeError):
                await request(session, "GET", "http://127.0.0.1/")

    asyncio.run(run())


def refused_answer(answer: bytes | Callable[[Writer], Awaitable[None]], limit: int = 100_000) -> str:
    async def run(server: Server) -> str:
        with pytest.raises(ResponseRefused) as caught:
            await ask("http://stt.example:{port}/", max_body_bytes=limit)(server)
        return caught.value.code

    code, _ = talk(run, answer)
    return str(code)


def with_body(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_passes() -> None:
    response, _ = talk(ask("http://stt.example:{port}/", max_body_bytes=100_000), with_body(b"x" * 100_000))
    assert len(response.body) == 100_000
    assert refused_answer(with_body(b"x" * 100_001)) == "too_large"


def test_an_endless_body_is_refused() -> None:
    async def endless(writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            await writer.drain()

    assert refused_answer(endless) == "too_large"


def test_a_compressed_answer_is_counted_after_decompression() -> None:
    packed = with_body(gzip.compress(b"hello" * 1000), "Content-Encoding: gzip")
    response, _ = talk(ask("http://stt.example:{port}/"), packed)
    assert response.body == b"hello" * 1000
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        assert refused_answer(with_body(bomb, "Content-Encoding: gzip")) == "too_large"
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_damaged_cut_or_unknown_encoding_is_refused() -> None:
    packed = gzip.compress(b"hello" * 1000)
    for body, encoding in ((b"not gzip", "gzip"), (packed[:-9], "gzip"), (b"x", "br"), (b"x", "gzip, gzip")):
        assert refused_answer(with_body(body, f"Content-Encoding: {encoding}")) == "encoding"


def test_a_server_that_drips_is_cut_by_the_total_deadline() -> None:
    async def drip(writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async def run(server: Server) -> None:
        with pytest.raises(TimeoutError):
            await ask("http://stt.example:{port}/", timeout_s=0.3)(server)

    talk(run, drip)


def test_a_resolver_that_hangs_is_cut_by_the_total_deadline() -> None:
    release = threading.Event()

    def hanging(host: str, port: int) -> Sequence[str]:
        release.wait(5)
        return ["127.0.0.1"]

    async def run(server: Server) -> int:
        with pytest.raises(TimeoutError):
            await ask("http://stt.example:{port}/", lookup=hanging, timeout_s=0.1)(server)
        release.set()
        return server.connections

    assert talk(run)[0] == 0


@dataclass(frozen=True)
class Certificate:
    """A self-made certificate on disk."""

    path: Path

    def server(self, highest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        if highest is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = highest
        return context


def certificate(folder: Path, name: str, days: int = 1) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}{days}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return Certificate(path)


@contextmanager
def quiet_handshakes() -> Iterator[None]:
    """The server's side of a refused handshake may complain while its loop closes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield


def tls_result(server_tls: ssl.SSLContext, *, verify_tls: bool) -> int | None:
    """Return the status over TLS, or None when the handshake was refused."""

    async def run(server: Server) -> int | None:
        try:
            response = await ask("https://stt.example:{port}/", verify_tls=verify_tls)(server)
        except aiohttp.ClientConnectorError:
            return None
        return response.status

    with quiet_handshakes():
        status, _ = talk(run, tls=server_tls)
    return status


def test_the_certificate_is_checked_against_the_name_though_the_address_is_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = certificate(tmp_path, "stt.example")
    wrong_name = certificate(tmp_path, "other.example")
    expired = certificate(tmp_path, "stt.example", days=-1)
    assert tls_result(right.server(), verify_tls=True) is None
    for trusted, expected in ((right, 200), (wrong_name, None), (expired, None)):
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted.path))
        assert tls_result(trusted.server(), verify_tls=True) == expected


def test_verify_off_drops_the_certificate_check_but_neither_tls_1_2_nor_the_address_check(tmp_path: Path) -> None:
    own = certificate(tmp_path, "other.example", days=-1)
    assert tls_result(own.server(), verify_tls=False) == 200
    assert tls_result(own.server(ssl.TLSVersion.TLSv1_1), verify_tls=False) is None

    async def run(server: Server) -> int:
        with pytest.raises(AddressRefused):
            await ask("https://stt.example:{port}/", allowed=False, verify_tls=False)(server)
        return server.connections

    assert talk(run, tls=own.server())[0] == 0
