"""The outbound guard as the adapter of sessions of ``requests``, for SDKs that are built on that library.

Such SDKs block: they are called in a thread, and each request is handed to the guarded session of the event loop.
"""

import asyncio
import io
from typing import Any

import aiohttp
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from core.outbound.client import ResponseRefused, request

# The body is decompressed and whole already.
_DROPPED = {"content-encoding", "transfer-encoding", "connection", "keep-alive"}
# Said by the guarded session itself.
_OURS = {"user-agent", "accept-encoding", "connection", "content-length", "transfer-encoding"}


class GuardedAdapter(BaseAdapter):
    """Sends each request through a session of ``guarded_session`` that lives in ``loop``; the caller closes it there.

    What the guard refuses and trouble of the network are raised as ``core.outbound.request`` raises them; a redirect is
    refused. At most ``max_body_bytes`` of an answer are read. Proxies, certificates and time limits are the session's.
    """

    def __init__(self, session: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop, *, max_body_bytes: int) -> None:
        super().__init__()
        self._session, self._loop, self._max_body_bytes = session, loop, max_body_bytes

    def send(self, request: requests.PreparedRequest, *_given: Any, **_ignored: Any) -> requests.Response:
        """Send one request and wait for the whole answer; never call this in the loop's own thread."""
        return asyncio.run_coroutine_threadsafe(self._send(request), self._loop).result()

    async def _send(self, wanted: requests.PreparedRequest) -> requests.Response:
        assert wanted.method is not None
        assert wanted.url is not None
        given = {name: _text(value) for name, value in wanted.headers.items()}
        headers = {name: value for name, value in given.items() if name.lower() not in _OURS}
        answer = await request(
            self._session,
            wanted.method,
            wanted.url,
            headers=headers,
            data=wanted.body,
            max_body_bytes=self._max_body_bytes,
        )
        # Of a redirect nothing but the status is kept.
        if 300 <= answer.status < 400 and not answer.headers:
            raise ResponseRefused("redirect", f"HTTP {answer.status}")
        made = requests.Response()
        made.status_code, made.request, made.url = answer.status, wanted, wanted.url
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _DROPPED]
        made.headers = CaseInsensitiveDict(kept)
        made.raw = io.BytesIO(answer.body)
        return made

    def close(self) -> None:
        """Nothing is held."""


def _text(value: str | bytes) -> str:
    """Some SDKs write a header as bytes."""
    return value.decode("latin-1") if isinstance(value, bytes) else value
