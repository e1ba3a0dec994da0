"""``python -m emulators.azure``: a stand-in for Azure Speech to Text."""

from aiohttp import web

from emulators import serving
from emulators.azure.app import Server
from emulators.azure.storage import Storage
from emulators.control import adjustable_plane


async def build(stage: serving.Stage) -> serving.Faces:
    """The API and its control plane."""
    server = Server(stage, stage.given.key, Storage(stage.given.storage_key, set(stage.given.container)))

    async def jobs(request: web.Request) -> web.Response:
        known = [{"id": job.id, "name": job.wish.displayName} for job in server.batch.jobs.values()]
        return web.json_response({"jobs": known, "blobs": [name for _container, name in server.storage.blobs]})

    control = adjustable_plane(stage, server)
    control.router.add_get("/_emu/jobs", jobs)
    return serving.Faces(server.application(), control)


if __name__ == "__main__":
    arguments = serving.parser("azure", "A stand-in for Azure Speech to Text.")
    arguments.add_argument("--key", required=True)
    arguments.add_argument("--storage-key", default="", help="of the storage account, in Base64")
    arguments.add_argument("--container", action="append", default=[], help="a container that exists")
    serving.run(arguments, build)
