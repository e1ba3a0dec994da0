"""``python -m speechserver``: reads the options, starts children and listeners, stops cleanly on SIGTERM."""

import argparse
import asyncio
import hashlib
import importlib.util
import ipaddress
import json
import logging
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from speechserver.app import Limits, SpeechApi, Tokens
from speechserver.control import control_app
from speechserver.faults import FaultQueue
from speechserver.journal import Journal
from speechserver.pool import Pool, WorkerCrashed
from speechserver.recognisers.base import PROFILES, Profile
from speechserver.runner import Runner
from speechserver.store import Store


class StartError(Exception):
    """The server cannot start; the message says what to do in one line."""


@dataclass(frozen=True)
class Options:
    """Checked command line."""

    host: str
    port: int
    control_port: int | None
    data: Path
    profile: Profile
    model_path: Path | None
    tokens: Tokens
    workers: int
    limits: Limits


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m speechserver", description="Reference server of the Speech API v2."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8600, help="0 takes any free port")
    parser.add_argument("--data", type=Path, required=True, help="directory for jobs, audio, results and the journal")
    parser.add_argument("--recogniser", choices=sorted(PROFILES), default="pocketsphinx")
    parser.add_argument("--model-path", type=Path, help="model directory of the operator (faster-whisper)")
    parser.add_argument("--token-file", type=Path, help="accepted bearer tokens, one a line")
    parser.add_argument("--workers", type=int, default=2, help="child processes that recognise")
    parser.add_argument("--max-bytes", type=int, default=500 * 1024 * 1024)
    parser.add_argument("--max-duration-ms", type=int, default=4 * 3600 * 1000)
    parser.add_argument("--max-queued", type=int, default=1000, help="more waiting jobs are answered 503")
    parser.add_argument("--control-port", type=int, help="loopback port of the test control plane; off without it")
    parser.add_argument("--print-ready", action="store_true", help="the ready line is always printed; kept for scripts")
    return parser


def read_options(arguments: list[str]) -> Options:
    """Options from the command line. Raises ``StartError`` for values that cannot work together."""
    given = _parser().parse_args(arguments)
    profile = PROFILES[given.recogniser]
    if profile.requires and importlib.util.find_spec(profile.requires) is None:
        raise StartError(
            f"recogniser {profile.name} needs the Python package {profile.requires}, which is not installed"
        )
    if profile.needs_model_path and (given.model_path is None or not given.model_path.is_dir()):
        raise StartError(f"recogniser {profile.name} needs --model-path with an existing model directory")
    tokens = _tokens(given.token_file)
    if not tokens.digests and not _is_loopback(given.host):
        raise StartError(f"--token-file is required to listen on {given.host}; without it only loopback is served")
    for name in ("workers", "max_bytes", "max_duration_ms", "max_queued"):
        if getattr(given, name) < 1:
            raise StartError(f"--{name.replace('_', '-')} must be at least 1")
    limits = Limits(given.max_bytes, given.max_duration_ms, given.max_queued)
    return Options(
        given.host, given.port, given.control_port, given.data, profile, given.model_path, tokens, given.workers, limits
    )


def _tokens(path: Path | None) -> Tokens:
    if path is None:
        return Tokens(())
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"--token-file {path} cannot be read: {type(error).__name__}") from None
    found = tuple(hashlib.sha256(line.encode()).digest() for line in lines if line)
    if not found:
        raise StartError(f"--token-file {path} contains no token")
    return Tokens(found)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def serve(options: Options) -> None:
    """Run until SIGTERM or SIGINT. Raises ``StartError`` when a port is taken or the recogniser does not start."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    store, journal, faults = _open(options.data)
    model_path = str(options.model_path or "")
    pool = Pool(recogniser=options.profile.name, model_path=model_path, size=options.workers)
    probes = Pool(recogniser="", model_path="", size=1)
    runner = Runner(
        store=store,
        pool=pool,
        profile=options.profile,
        lanes=options.workers,
        max_duration_ms=options.limits.max_duration_ms,
    )
    api = SpeechApi(
        store=store,
        runner=runner,
        pool=pool,
        probes=probes,
        profile=options.profile,
        limits=options.limits,
        tokens=options.tokens,
        journal=journal,
        faults=faults,
    )
    runners: list[web.AppRunner] = []
    try:
        await _warm(pool, probes, options.profile)
        runner.start()
        ready = {"url": await _listen(runners, api.application(), options.host, options.port), "control_url": None}
        if options.control_port is not None:
            control = control_app(journal=journal, faults=faults, runner=runner)
            ready["control_url"] = await _listen(runners, control, "127.0.0.1", options.control_port)
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await asyncio.gather(runner.stop(), pool.close(), probes.close(), *(item.cleanup() for item in runners))
        journal.close()


def _open(data: Path) -> tuple[Store, Journal, FaultQueue]:
    try:
        store = Store(data)
        return store, Journal(data / "journal.jsonl"), FaultQueue()
    except BlockingIOError:
        raise StartError(f"--data {data} is in use by another speech server") from None
    except OSError as error:
        raise StartError(f"--data {data} cannot be used: {error.strerror}") from None


async def _warm(pool: Pool, probes: Pool, profile: Profile) -> None:
    try:
        await asyncio.gather(pool.warm(), probes.warm())
    except WorkerCrashed as error:
        raise StartError(f"recogniser {profile.name} did not start: {error}") from None


async def _listen(runners: list[web.AppRunner], app: web.Application, host: str, port: int) -> str:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    runners.append(runner)
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    address = runner.addresses[0]
    shown = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"http://{shown}:{address[1]}"


def main() -> int:
    """Entry point; exit code 2 with one line on stderr when the server cannot start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    try:
        asyncio.run(serve(read_options(sys.argv[1:])))
    except StartError as error:
        sys.stderr.write(f"speechserver: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
