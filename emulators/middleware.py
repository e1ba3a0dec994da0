"""What goes around every request to a stand-in: a fault where one waits, chaos where it is on, one line of the journal."""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from emulators.recogniser import Unheard
from emulators.serving import Stage
from emulators.working import STUCK
from speechserver.faults import Fault, faked, mangle
from speechserver.journal import now_text


def noted(stage: Stage) -> Middleware:
    """Handlers add what they understood to ``request["entry"]``; secrets, audio and speech are never in it.

    ``inFlight`` is how many requests were being answered, with this one.
    """
    in_flight = 0

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal in_flight
        in_flight += 1
        entry: dict[str, Any] = {"at": now_text(), "method": request.method, "path": request.path}
        entry |= {"query": dict(request.query), "inFlight": in_flight}
        request["entry"] = entry
        try:
            return await _answered(stage, request, handler)
        finally:
            in_flight -= 1

    return middleware


async def _answered(stage: Stage, request: web.Request, handler: Handler) -> web.StreamResponse:
    fault = _fault(stage, request)
    if fault is not None:
        await asyncio.sleep(fault.delay_ms / 1000)
        if fault.accept_then_drop and request.headers.get("Upgrade"):
            # A websocket has no reply that could be cut.
            fault.status = 503
    response = faked(fault) if fault is not None else None
    if response is None:
        try:
            made = await handler(request)
        except Unheard as error:
            made = web.json_response({"error": {"code": 503, "message": str(error)}}, status=503)
        if isinstance(made, web.WebSocketResponse):
            # It has ended by now.
            stage.journal.write({**request["entry"], "status": 101})
            return made
        assert isinstance(made, web.Response)
        response = made
    request["entry"]["status"] = response.status
    stage.journal.write(request["entry"])
    return response if fault is None else await mangle(request, response, fault)


def _fault(stage: Stage, request: web.Request) -> Fault | None:
    """What a test waits for comes before what is left to chance."""
    fault = stage.faults.take(request)
    if fault is not None:
        request["entry"]["fault"] = True
        return fault
    fate = stage.chaos.draw()
    if fate is None:
        return None
    request["entry"]["chaos"] = fate.name
    if fate.name == STUCK:
        request[STUCK] = True
    return fate.fault
