"""Control plane: what every stand-in has, and tricks and the bill of this one."""

from aiohttp import web
from pydantic import ValidationError

from emulators.control import adjustable_plane
from emulators.openai.app import Server
from emulators.openai.settings import Behaviour
from emulators.serving import Stage


def control_app(stage: Stage, server: Server) -> web.Application:
    """``POST|DELETE /_emu/behaviours``, ``GET /_emu/bill``, and the plane's; DELETE of the settings lifts tricks, too."""

    async def add_behaviours(request: web.Request) -> web.Response:
        data = await request.json()
        try:
            added = [Behaviour.model_validate(item) for item in (data if isinstance(data, list) else [data])]
        except ValidationError as error:
            return web.json_response({"detail": str(error)}, status=400)
        server.behaviours.waiting.extend(added)
        return web.json_response({"waiting": len(server.behaviours.waiting)})

    async def clear_behaviours(request: web.Request) -> web.Response:
        server.behaviours.waiting.clear()
        return web.Response(status=204)

    async def bill(request: web.Request) -> web.Response:
        return web.json_response(server.bill)

    app = adjustable_plane(stage, server, also_lifted=server.behaviours.waiting.clear)
    app.router.add_post("/_emu/behaviours", add_behaviours)
    app.router.add_delete("/_emu/behaviours", clear_behaviours)
    app.router.add_get("/_emu/bill", bill)
    return app
