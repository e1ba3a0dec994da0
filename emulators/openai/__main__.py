"""``python -m emulators.openai``: listens on loopback, says where on stdout, stops on SIGTERM or when its time is over."""

import argparse
import asyncio
import json
import signal
import sys
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from emulators.openai.app import Server
from emulators.openai.control import control_app
from emulators.openai.settings import Settings
from speechserver.faults import FaultQueue
from speechserver.journal import Journal


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m emulators.openai", description="A stand-in for OpenAI's API.")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--data", type=Path, required=True, help="directory for the journal")
    parser.add_argument("--key", action="append", default=[], help="accepted key; without one, none is asked for")
    parser.add_argument("--flavour", default="openai")
    parser.add_argument("--lifetime-s", type=float, default=3600.0, help="ends itself after so many seconds")
    return parser


async def serve(given: argparse.Namespace) -> None:
    """Run until told to stop."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    given.data.mkdir(parents=True, exist_ok=True)
    journal = Journal(given.data / "journal.jsonl")
    settings = Settings(flavour=given.flavour)
    server = Server(settings=settings, keys=tuple(given.key), journal=journal, faults=FaultQueue())
    runners: list[web.AppRunner] = []
    try:
        ready = {
            "url": await _listen(runners, server.application(), given.port),
            "control_url": await _listen(runners, control_app(server), given.control_port),
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), given.lifetime_s)
    finally:
        await asyncio.gather(*(runner.cleanup() for runner in runners))
        journal.close()


async def _listen(runners: list[web.AppRunner], app: web.Application, port: int) -> str:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    runners.append(runner)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


if __name__ == "__main__":
    asyncio.run(serve(_parser().parse_args()))
