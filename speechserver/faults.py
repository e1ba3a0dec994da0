"""Faults on demand, for tests of clients: applied to the next requests that match, set through the control plane."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field


class Match(BaseModel):
    """Which requests a fault is for; empty means every request."""

    model_config = ConfigDict(extra="forbid")
    method: str | None = None
    path_prefix: str = ""

    def hits(self, request: web.Request) -> bool:
        """Whether the request is meant."""
        return self.method in (None, request.method) and request.path.startswith(self.path_prefix)


class Fault(BaseModel):
    """One fault.

    ``delay_ms`` waits first. ``status`` (with ``headers`` and ``body``) answers instead of the server, which never sees
    the request. ``drop_after_bytes`` cuts the connection after that many bytes of the reply's body. ``accept_then_drop``
    lets the server do its work and cuts the connection without a reply. Used up after ``times`` requests.
    """

    model_config = ConfigDict(extra="forbid")
    match: Match = Match()
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    headers: dict[str, str] = {}
    body: str | dict[str, Any] | list[Any] = ""
    delay_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    drop_after_bytes: Annotated[int, Field(ge=0)] | None = None
    accept_then_drop: bool = False
    times: Annotated[int, Field(ge=1)] = 1


@dataclass
class FaultQueue:
    """Faults waiting for their requests, first set, first used."""

    waiting: list[Fault] = field(default_factory=list)

    def take(self, request: web.Request) -> Fault | None:
        """The fault for this request, counted down."""
        for fault in self.waiting:
            if fault.match.hits(request):
                fault.times -= 1
                if fault.times <= 0:
                    self.waiting.remove(fault)
                return fault
        return None


def faked(fault: Fault) -> web.Response | None:
    """The reply a fault gives instead of the server's, or None when the server answers."""
    if fault.status is None:
        return None
    headers = dict(fault.headers)
    if isinstance(fault.body, str):
        headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        return web.Response(status=fault.status, headers=headers, body=fault.body.encode())
    headers.setdefault("Content-Type", "application/json")
    return web.Response(status=fault.status, headers=headers, text=web.json_response(fault.body).text)


async def mangle(request: web.Request, response: web.Response, fault: Fault) -> web.StreamResponse:
    """Send a reply the way the fault wants it; ``delay_ms`` has been waited already."""
    if fault.accept_then_drop:
        if request.transport is not None:
            request.transport.abort()
        return response
    if fault.drop_after_bytes is None:
        return response
    body = response.body if isinstance(response.body, bytes | bytearray) else b""
    headers = response.headers.copy()
    headers["Content-Length"] = str(max(len(body), fault.drop_after_bytes + 1))
    cut = web.StreamResponse(status=response.status, headers=headers)
    await cut.prepare(request)
    await cut.write(bytes(body[: fault.drop_after_bytes]))
    if request.transport is not None:
        # Closing sends what is buffered and then ends the connection short of the promised length.
        request.transport.close()
    await asyncio.sleep(0)
    return cut
