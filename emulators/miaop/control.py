"""Control plane: what every stand-in has, and the tasks and sessions of this one."""

from aiohttp import web

from emulators.control import adjustable_plane
from emulators.miaop.app import Server
from emulators.serving import Stage


def control_app(stage: Stage, server: Server) -> web.Application:
    """``GET /_emu/tasks``, ``DELETE /_emu/sessions``, and the plane's."""

    async def tasks(request: web.Request) -> web.Response:
        rows = [
            {"id": name, "archive": task.archive, "members": task.members, "status": task.status}
            for name, task in server.tasks.items()
        ]
        return web.json_response({"tasks": rows})

    async def sign_out(request: web.Request) -> web.Response:
        server.identity.sessions.clear()
        return web.Response(status=204)

    app = adjustable_plane(stage, server)
    app.router.add_get("/_emu/tasks", tasks)
    app.router.add_delete("/_emu/sessions", sign_out)
    return app
