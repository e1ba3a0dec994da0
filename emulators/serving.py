"""How a stand-in runs: ``python -m emulators.NAME`` listens on loopback and says where, as one line of JSON on stdout.

It stops on SIGTERM or when its time is over, so that none outlives the tests that started it.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from emulators.chaos import Chaos
from emulators.hearing import listen_with
from emulators.recogniser import Recogniser
from speechserver.faults import FaultQueue
from speechserver.journal import Journal


@dataclass
class Stage:
    """What a stand-in is built on: its journal, its faults, its chaos, and where it may put files."""

    given: argparse.Namespace
    journal: Journal
    chaos: Chaos
    faults: FaultQueue = field(default_factory=FaultQueue)
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)


@dataclass(frozen=True)
class Faces:
    """The application of the vendor's API and that of the control plane; further addresses by name."""

    api: web.Application
    control: web.Application
    more: dict[str, str] = field(default_factory=dict)


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """The arguments that all stand-ins have; ``@FILE`` reads some from a file, one a line: keys are no one else's."""
    made = argparse.ArgumentParser(
        prog=f"python -m emulators.{name}", description=description, fromfile_prefix_chars="@"
    )
    made.add_argument("--port", type=int, default=0, help="0 takes any free port")
    made.add_argument("--control-port", type=int, default=0)
    made.add_argument("--data", type=Path, required=True, help="directory for the journal and the settings of chaos")
    made.add_argument("--lifetime-s", type=float, default=3600.0, help="ends itself after so many seconds; 0: never")
    recogniser = "http://HOST:PORT of a Native Speech API v2 server that hears what has no tone words"
    made.add_argument("--recogniser", metavar="URL", help=recogniser)
    made.add_argument("--recogniser-key-file", type=Path, metavar="FILE", help="its bearer token")
    return made


def run(arguments: argparse.ArgumentParser, build: Callable[[Stage], Awaitable[Faces]]) -> None:
    """Parse the command line, build the stand-in and serve it."""
    asyncio.run(_serve(arguments.parse_args(), build))


async def _serve(given: argparse.Namespace, build: Callable[[Stage], Awaitable[Faces]]) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    given.data.mkdir(parents=True, exist_ok=True)
    if given.recogniser:
        listen_with(Recogniser(given.recogniser, given.recogniser_key_file))
    stage = Stage(given, Journal(given.data / "journal.jsonl"), Chaos(given.data / "chaos.json"))
    try:
        async with stage.closing:
            faces = await build(stage)
            url = await listen(stage, faces.api, given.port)
            control_url = await listen(stage, faces.control, given.control_port)
            sys.stdout.write(json.dumps({"url": url, "control_url": control_url, **faces.more}) + "\n")
            sys.stdout.flush()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), given.lifetime_s or None)
    finally:
        stage.journal.close()


async def listen(stage: Stage, app: web.Application, port: int = 0) -> str:
    """Serve an application on loopback until the stand-in stops; its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    stage.closing.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"
