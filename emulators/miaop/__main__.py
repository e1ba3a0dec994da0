"""``python -m emulators.miaop``: a server of the offline-task API."""

from emulators import serving
from emulators.miaop.app import Server, Settings
from emulators.miaop.control import control_app
from emulators.miaop.identity import Identity


async def build(stage: serving.Stage) -> serving.Faces:
    """The API and its control plane."""
    given = stage.given
    identity = Identity(given.realm, given.user, given.password, given.access_s)
    server = Server(stage, identity, Settings(stt_s=given.stt_s, access_s=given.access_s))
    return serving.Faces(server.application(), control_app(stage, server))


if __name__ == "__main__":
    arguments = serving.parser("miaop", "A server of the offline-task API.")
    arguments.add_argument("--realm", default="demo")
    arguments.add_argument("--user", default="integrator")
    arguments.add_argument("--password", required=True)
    arguments.add_argument("--access-s", type=float, default=300.0, help="lifetime of access tokens, seconds")
    arguments.add_argument("--stt-s", type=float, default=0.2, help="how long a task is processed, seconds")
    serving.run(arguments, build)
