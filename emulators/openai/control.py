"""Control plane: what every stand-in has, and settings, tricks and the bill of this one."""

from aiohttp import web
from pydantic import ValidationError

from emulators.openai.app import Server
from emulators.openai.settings import Behaviour, Settings
from speechserver.control import plane


def control_app(server: Server) -> web.Application:
    """``GET|POST|DELETE /_emu/settings``, ``POST|DELETE /_emu/behaviours``, ``GET /_emu/bill``, and the plane's."""
    start = server.settings

    async def read_settings(request: web.Request) -> web.Response:
        return web.json_response(server.settings.model_dump())

    async def change_settings(request: web.Request) -> web.Response:
        try:
            server.settings = Settings.model_validate({**server.settings.model_dump(), **await request.json()})
        except ValidationError as error:
            return web.json_response({"detail": str(error)}, status=400)
        return web.json_response(server.settings.model_dump())

    async def reset(request: web.Request) -> web.Response:
        server.settings = start
        server.behaviours.waiting.clear()
        server.faults.waiting.clear()
        return web.Response(status=204)

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

    app = plane(journal=server.journal, faults=server.faults)
    app.router.add_get("/_emu/settings", read_settings)
    app.router.add_post("/_emu/settings", change_settings)
    app.router.add_delete("/_emu/settings", reset)
    app.router.add_post("/_emu/behaviours", add_behaviours)
    app.router.add_delete("/_emu/behaviours", clear_behaviours)
    app.router.add_get("/_emu/bill", bill)
    return app
