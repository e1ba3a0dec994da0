"""``python -m emulators.deepgram``: a stand-in for Deepgram."""

from emulators import serving
from emulators.control import adjustable_plane
from emulators.deepgram.app import Server


async def build(stage: serving.Stage) -> serving.Faces:
    """The API and its control plane."""
    server = Server(stage, stage.given.key)
    return serving.Faces(server.application(), adjustable_plane(stage, server))


if __name__ == "__main__":
    arguments = serving.parser("deepgram", "A stand-in for Deepgram's API.")
    arguments.add_argument("--key", required=True)
    serving.run(arguments, build)
