"""Control plane of stand-ins that have settings: read them, change them, take all changes back; and chaos."""

from collections.abc import Callable
from typing import Any, Protocol

from aiohttp import web
from pydantic import BaseModel, ValidationError

from emulators.chaos import ChaosSettings, told
from emulators.serving import Stage
from speechserver.control import plane


class Adjustable(Protocol):
    """A server whose ``settings`` can be replaced while it runs."""

    settings: Any


def adjustable_plane(
    stage: Stage, server: Adjustable, *, also_lifted: Callable[[], None] = lambda: None
) -> web.Application:
    """``GET|POST|DELETE`` of ``/_emu/settings`` and ``/_emu/chaos`` beside what every server has.

    DELETE of the settings lifts faults, and what ``also_lifted`` lifts. A POST of settings changes what it names; one of chaos names all that
    shall go wrong.
    """
    start: BaseModel = server.settings

    async def read(request: web.Request) -> web.Response:
        return web.json_response(server.settings.model_dump())

    async def change(request: web.Request) -> web.Response:
        try:
            server.settings = type(start).model_validate({**server.settings.model_dump(), **await request.json()})
        except ValidationError as error:
            return web.json_response({"detail": str(error)}, status=400)
        return web.json_response(server.settings.model_dump())

    async def reset(request: web.Request) -> web.Response:
        server.settings = start
        stage.faults.waiting.clear()
        also_lifted()
        return web.Response(status=204)

    app = plane(journal=stage.journal, faults=stage.faults)
    app.router.add_get("/_emu/settings", read)
    app.router.add_post("/_emu/settings", change)
    app.router.add_delete("/_emu/settings", reset)
    _chaos_routes(app, stage)
    return app


def _chaos_routes(app: web.Application, stage: Stage) -> None:
    def shown() -> web.Response:
        return web.json_response({"settings": stage.chaos.settings.model_dump(), "done": stage.chaos.done})

    async def read(request: web.Request) -> web.Response:
        return shown()

    async def change(request: web.Request) -> web.Response:
        try:
            stage.chaos.change(ChaosSettings.model_validate(await request.json()))
        except ValidationError as error:
            return web.json_response({"detail": told(error)}, status=400)
        return shown()

    async def lift(request: web.Request) -> web.Response:
        stage.chaos.change(ChaosSettings())
        return web.Response(status=204)

    app.router.add_get("/_emu/chaos", read)
    app.router.add_post("/_emu/chaos", change)
    app.router.add_delete("/_emu/chaos", lift)
