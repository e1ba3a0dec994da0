"""``python -m emulators.google``: a stand-in for Google Cloud. It makes a service account and says where its key is."""

from aiohttp import web

from emulators import serving
from emulators.control import adjustable_plane
from emulators.google.app import Server
from emulators.google.keys import Account


async def build(stage: serving.Stage) -> serving.Faces:
    """The API and its control plane."""
    account = Account(stage.given.data)
    server = Server(stage, account, set(stage.given.bucket))
    more = {"key_file": str(account.key_file)}

    async def jobs(request: web.Request) -> web.Response:
        return web.json_response(
            {"jobs": list(server.operations), "objects": [name for _bucket, name in server.storage.objects]}
        )

    control = adjustable_plane(stage, server)
    control.router.add_get("/_emu/jobs", jobs)
    return serving.Faces(server.application(), control, more)


if __name__ == "__main__":
    arguments = serving.parser("google", "A stand-in for Google Cloud Speech-to-Text and Cloud Storage.")
    arguments.add_argument("--bucket", action="append", default=[], help="a bucket that exists")
    serving.run(arguments, build)
