"""``python -m emulators.speechmatics --key KEY --data DIRECTORY``."""

from aiohttp import web

from emulators.control import adjustable_plane
from emulators.serving import Faces, Stage, parser, run
from emulators.speechmatics.app import Server, api


async def build(stage: Stage) -> Faces:
    """The API, and the control plane with the jobs that were not deleted."""
    server = Server(stage, stage.given.key)
    control = adjustable_plane(stage, server)

    async def jobs(request: web.Request) -> web.Response:
        return web.json_response({"jobs": [job.facts() for job in server.jobs.values() if not job.deleted]})

    control.router.add_get("/_emu/jobs", jobs)
    return Faces(api(server), control)


if __name__ == "__main__":
    arguments = parser("speechmatics", __doc__ or "")
    arguments.add_argument("--key", required=True, help="the API key that is let in")
    run(arguments, build)
