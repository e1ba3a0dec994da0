"""``python -m emulators.assemblyai``: a stand-in for AssemblyAI."""

from aiohttp import web

from emulators import serving
from emulators.assemblyai.app import Server
from emulators.control import adjustable_plane


async def build(stage: serving.Stage) -> serving.Faces:
    """The API and its control plane."""
    server = Server(stage, stage.given.key)

    async def jobs(request: web.Request) -> web.Response:
        living = [job.id for job in server.jobs.values() if not job.deleted]
        return web.json_response({"jobs": living, "uploads": list(server.uploads)})

    control = adjustable_plane(stage, server)
    control.router.add_get("/_emu/jobs", jobs)
    return serving.Faces(server.application(), control)


if __name__ == "__main__":
    arguments = serving.parser("assemblyai", "A stand-in for AssemblyAI's API.")
    arguments.add_argument("--key", required=True)
    serving.run(arguments, build)
