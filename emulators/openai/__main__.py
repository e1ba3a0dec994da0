"""``python -m emulators.openai``: a stand-in for OpenAI's API."""

from emulators import serving
from emulators.openai.app import Server
from emulators.openai.control import control_app
from emulators.openai.settings import Settings


async def build(stage: serving.Stage) -> serving.Faces:
    """The API and its control plane."""
    settings = Settings(flavour=stage.given.flavour)
    server = Server(stage, settings, tuple(stage.given.key))
    return serving.Faces(server.application(), control_app(stage, server))


if __name__ == "__main__":
    arguments = serving.parser("openai", "A stand-in for OpenAI's API.")
    arguments.add_argument("--key", action="append", default=[], help="accepted key; without one, none is asked for")
    arguments.add_argument("--flavour", default="openai")
    serving.run(arguments, build)
