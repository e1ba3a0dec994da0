"""The outbound guard as the transport of httpx2 clients, for SDKs that are built on that library."""

import asyncio
from collections.abc import Iterable

import aiohttp
import httpx2

from core.outbound.addresses import AddressRefused
from core.outbound.client import ResponseRefused, request
from core.outbound.urls import ResolveFailed

# An SDK takes further headers from the environment of the process, and adds facts about the machine.
_PASSED = {"accept", "api-key", "authorization", "content-type"}
# The body is decompressed and whole already.
_DROPPED = {"content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive"}


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends each request through a session of ``guarded_session``, by its rules; the caller closes the session.

    What the guard refuses is raised as it is (AddressRefused, ResponseRefused, ResolveFailed); trouble of the network
    as the exceptions of httpx2, with the cause. At most ``max_body_bytes`` of an answer are read.
    """

    def __init__(self, session: aiohttp.ClientSession, *, max_body_bytes: int) -> None:
        self._session = session
        self._max_body_bytes = max_body_bytes

    async def handle_async_request(self, wanted: httpx2.Request) -> httpx2.Response:
        """Send one request; see the class."""
        headers = {name: value for name, value in wanted.headers.items() if name.lower() in _PASSED}
        try:
            answer = await request(
                self._session,
                wanted.method,
                str(wanted.url),
                headers=headers,
                data=await wanted.aread(),
                max_body_bytes=self._max_body_bytes,
            )
        except (AddressRefused, ResponseRefused, ResolveFailed, asyncio.CancelledError):
            raise
        except TimeoutError as error:
            raise httpx2.ReadTimeout("timeout", request=wanted) from error
        except (aiohttp.ClientError, OSError) as error:
            raise httpx2.ConnectError(type(error).__name__, request=wanted) from error
        return httpx2.Response(answer.status, headers=_kept(answer.headers.items()), content=answer.body)


def _kept(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in _DROPPED]
