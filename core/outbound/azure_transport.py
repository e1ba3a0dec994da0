"""The outbound guard as the transport of azure-core's asynchronous clients, for the SDKs of that vendor."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp.payload import AsyncIterablePayload
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import HttpRequest
from azure.core.rest._http_response_impl_async import AsyncHttpResponseImpl
from multidict import CIMultiDict

from core.outbound.client import Response
from core.outbound.client import request as guarded_request

# The body is decompressed and whole already.
_DROPPED = {"content-encoding", "transfer-encoding", "connection", "keep-alive"}
# Said by the guarded session itself.
_OURS = {"user-agent", "accept-encoding", "connection"}


class SizedStream:
    """Bytes of a known number, in pieces: what is sent without being held in memory."""

    def __init__(self, pieces: AsyncIterator[bytes], size: int) -> None:
        self._pieces, self.size = pieces, size

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces


class GuardedAzureTransport(AsyncHttpTransport[HttpRequest, Any]):
    """Sends each request through a session of ``guarded_session``, by its rules; the caller closes the session.

    What the guard refuses and trouble of the network are raised as ``core.outbound.request`` raises them. At most
    ``max_body_bytes`` of an answer are read. Proxies, certificates and time limits are the session's. A part of a
    multipart body may be a :class:`SizedStream`.
    """

    def __init__(self, session: aiohttp.ClientSession, *, max_body_bytes: int) -> None:
        self._session, self._max_body_bytes = session, max_body_bytes

    async def send(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Send one request; see the class."""
        headers = {name: str(value) for name, value in request.headers.items() if name.lower() not in _OURS}
        body = _body(request)
        answer = await guarded_request(
            self._session,
            request.method,
            request.url,
            headers=headers,
            data=body,
            # Signatures cover the type, and there is none where nothing is sent.
            skip_auto_headers=[] if body else ["Content-Type"],
            max_body_bytes=self._max_body_bytes,
        )
        return _Answer(request, answer)

    async def open(self) -> None:
        """The session is open."""

    async def close(self) -> None:
        """Nothing is held."""

    async def __aenter__(self) -> "GuardedAzureTransport":
        return self

    async def __aexit__(self, *_given: object) -> None:
        """Nothing is held."""


class _Answer(AsyncHttpResponseImpl):
    """An answer that was read to its end."""

    def __init__(self, wanted: HttpRequest, answer: Response) -> None:
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _DROPPED]
        headers = CIMultiDict(kept)
        super().__init__(
            request=wanted,
            internal_response=None,
            status_code=answer.status,
            reason="",
            content_type=headers.get("Content-Type", ""),
            headers=headers,
            stream_download_generator=None,
        )
        self._content, self._is_closed = answer.body, True

    def _body(self) -> bytes:
        """What older code of the SDKs asks for."""
        return self.content


def _body(wanted: HttpRequest) -> Any:
    files = wanted._files
    if not files:
        return wanted._data
    form = aiohttp.FormData()
    for name, (file_name, content, *kind) in files.items() if isinstance(files, dict) else files:
        content_type = kind[0] if kind else None
        if isinstance(content, SizedStream):
            content = _SizedPayload(content, content_type=content_type)
        form.add_field(name, content, filename=file_name, content_type=content_type)
    return form


class _SizedPayload(AsyncIterablePayload):
    """A stream whose length is told, so that the request has one."""

    def __init__(self, stream: SizedStream, **given: Any) -> None:
        super().__init__(stream, **given)
        self._size = stream.size
