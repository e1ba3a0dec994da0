"""Control plane for tests, on a port of its own: journal, faults, hold. Never reachable on the port of the API."""

from aiohttp import web
from pydantic import ValidationError

from speechserver.faults import Fault, FaultQueue
from speechserver.journal import Journal
from speechserver.runner import Runner


def control_app(*, journal: Journal, faults: FaultQueue, runner: Runner) -> web.Application:
    """The routes of ``plane``, and ``POST /_emu/hold``."""

    async def set_hold(request: web.Request) -> web.Response:
        data = await request.json()
        if not isinstance(data, dict) or not isinstance(data.get("hold"), bool):
            return web.json_response({"detail": "hold: must be true or false"}, status=400)
        runner.hold(data["hold"])
        return web.json_response({"hold": data["hold"]})

    app = plane(journal=journal, faults=faults)
    app.router.add_post("/_emu/hold", set_hold)
    return app


def plane(*, journal: Journal, faults: FaultQueue) -> web.Application:
    """What every server that stands in for a provider has: ``GET /_emu/journal``, ``GET|POST|DELETE /_emu/faults``."""

    async def read_journal(request: web.Request) -> web.Response:
        return web.json_response({"entries": journal.entries()})

    async def add_faults(request: web.Request) -> web.Response:
        data = await request.json()
        try:
            added = [Fault.model_validate(item) for item in (data if isinstance(data, list) else [data])]
        except ValidationError as error:
            return web.json_response({"detail": str(error)}, status=400)
        faults.waiting.extend(added)
        return web.json_response({"waiting": len(faults.waiting)})

    async def list_faults(request: web.Request) -> web.Response:
        return web.json_response({"faults": [fault.model_dump() for fault in faults.waiting]})

    async def clear_faults(request: web.Request) -> web.Response:
        faults.waiting.clear()
        return web.Response(status=204)

    app = web.Application()
    app.router.add_get("/_emu/journal", read_journal)
    app.router.add_post("/_emu/faults", add_faults)
    app.router.add_get("/_emu/faults", list_faults)
    app.router.add_delete("/_emu/faults", clear_faults)
    return app
