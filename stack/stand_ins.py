"""The stand-in of a speech vendor that this stack runs beside it: which one, its ports, its keys, its control plane.

At most one at a time. What is wanted stands in a file of the data directory; the supervisor keeps the process that the
file names, so that it comes back with the stack. Everything of a stand-in lies in a directory of its own, closed to others;
its keys are random and in files of mode 0600.
"""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stack import datadir
from stack.environment import python_environment
from stack.errors import StackError
from stack.files import read_json, write_json, write_private
from stack.paths import ROOT, StackPaths
from stack.ports import first_free, is_free
from stack.processes import wait_until
from stack.supervisor import Service, Supervisor, command_service

# By engine type: the package of ``emulators`` that stands in for its vendor.
STAND_INS = {
    "assemblyai": "assemblyai",
    "azure": "azure",
    "deepgram": "deepgram",
    "google": "google",
    "miaop": "miaop",
    "openai": "openai",
    "openai_compatible": "openai",
    "speechmatics": "speechmatics",
}
PORTS_FROM = 8700
START_S = 30.0
REQUEST_S = 10.0
TIER = 3
# Names that mean something to one stand-in alone; none of them is secret.
BUCKET, REALM, USER = "parlance-demo", "demo", "integrator"


@dataclass(frozen=True)
class Wanted:
    """The stand-in that shall run: for which engine type, and its two ports on loopback.

    ``moved``: the ports are others than those that the engine in the product was told.
    """

    engine_type: str
    port: int
    control_port: int
    moved: bool = False

    @property
    def name(self) -> str:
        """Of the package, and of the process."""
        return STAND_INS[self.engine_type]


def wanted(paths: StackPaths) -> Wanted | None:
    """What the file says; None when no stand-in shall run, or the file is damaged."""
    found = read_json(paths.stand_in)
    try:
        read = Wanted(**found)
    except TypeError:
        return None
    ports = all(isinstance(port, int) and 0 < port <= 65535 for port in (read.port, read.control_port))
    return read if ports and read.engine_type in STAND_INS else None


def want(paths: StackPaths, engine_type: str) -> Wanted:
    """Have the supervisor run the stand-in of an engine type; one that runs for it already stays as it is."""
    known = wanted(paths)
    if known is not None and known.engine_type == engine_type:
        return known
    if known is not None and known.name == STAND_INS[engine_type]:
        made = Wanted(engine_type, known.port, known.control_port)
    else:
        port = first_free(PORTS_FROM)
        made = Wanted(engine_type, port, first_free(port + 1))
    _write_arguments(paths, made)
    write_json(paths.stand_in, asdict(made))
    return made


def unwant(paths: StackPaths) -> None:
    """Have the supervisor stop the stand-in; its directory stays."""
    paths.stand_in.unlink(missing_ok=True)


def settle_ports(paths: StackPaths, *, but: int) -> None:
    """Before a start, with nothing of ours running: take other ports when somebody else has the stand-in's by now."""
    known = wanted(paths)
    if known is None or (
        is_free(known.port) and is_free(known.control_port) and but not in (known.port, known.control_port)
    ):
        return
    port = first_free(PORTS_FROM, but=but)
    write_json(paths.stand_in, asdict(Wanted(known.engine_type, port, first_free(port + 1, but=but), moved=True)))


def settled(paths: StackPaths) -> None:
    """The engine in the product knows the ports now."""
    known = wanted(paths)
    if known is not None:
        write_json(paths.stand_in, asdict(Wanted(known.engine_type, known.port, known.control_port)))


def service(paths: StackPaths, known: Wanted) -> Service:
    """The process; it has nothing of the product's environment, and its keys are not on its command line."""
    folder = paths.stand_ins / known.name
    command = [sys.executable, "-m", f"emulators.{known.name}", f"@{folder / 'arguments'}", "--data", str(folder)]
    command += ["--port", str(known.port), "--control-port", str(known.control_port), "--lifetime-s", "0"]
    command += ["--recogniser", f"http://127.0.0.1:{datadir.speech_port(paths)}"]
    command += ["--recogniser-key-file", str(paths.speech_token)]
    return command_service(process_name(known), command, env=python_environment(), cwd=ROOT, tier=TIER)


def process_name(known: Wanted) -> str:
    """As ``status`` and ``logs`` call it."""
    return f"stand-in-{known.name}"


def facts_file(paths: StackPaths, known: Wanted) -> Path:
    """Write what an engine of the product has to know, keys included, to a file of mode 0600."""
    folder = paths.stand_ins / known.name
    found = folder / "facts.json"
    facts = {
        "engine_type": known.engine_type,
        "address": f"http://127.0.0.1:{known.port}",
        **_keys(folder),
        "bucket": BUCKET,
        "realm": REALM,
        "user": USER,
        "key_file": str(folder / "key.json"),
    }
    write_json(found, facts)
    return found


def await_ready(known: Wanted) -> None:
    """Return when its control plane answers. Raises :class:`StackError` when it does not."""
    if not wait_until(lambda: _answers(known), START_S, poll_s=0.2):
        raise StackError(f"The stand-in did not start; see ./parlance logs {process_name(known)}")


def chaos(known: Wanted, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the control plane says of chaos: ``settings`` in force, and what was ``done``; ``settings`` are set first.

    Raises :class:`StackError` with the words of a refusal, and when the stand-in does not answer.
    """
    method, body = ("GET", None) if settings is None else ("POST", json.dumps(dict(settings)))
    try:
        status, answer = _control(known, method, "/_emu/chaos", body)
    except OSError as error:
        raise StackError(f"The stand-in does not answer: {error}") from None
    if status != 200:
        raise StackError(str(answer.get("detail", f"The stand-in answered with HTTP {status}")))
    return answer


class KeptStandIn:
    """The process of the stand-in, as the supervisor has it."""

    def __init__(self, paths: StackPaths, supervisor: Supervisor) -> None:
        self._paths, self._supervisor = paths, supervisor
        self._running: Wanted | None = None

    def keep(self) -> None:
        """Start, replace or stop it, by what is wanted now."""
        now = wanted(self._paths)
        if _process(now) == _process(self._running):
            return
        if self._running is not None:
            self._supervisor.stop(process_name(self._running))
        if now is not None:
            self._supervisor.start(service(self._paths, now))
        self._running = now


def _process(known: Wanted | None) -> tuple[str, int, int] | None:
    return None if known is None else (known.name, known.port, known.control_port)


def _answers(known: Wanted) -> bool:
    try:
        return _control(known, "GET", "/_emu/chaos")[0] == 200
    except OSError:
        return False


def _control(known: Wanted, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", known.control_port, timeout=REQUEST_S)
    try:
        connection.request(method, path, body=body, headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"{}")
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(str(error)) from None
    finally:
        connection.close()


def _write_arguments(paths: StackPaths, known: Wanted) -> None:
    folder = paths.stand_ins / known.name
    paths.stand_ins.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    keys = _keys(folder)
    own = {
        "azure": ["--key", keys["key"], "--storage-key", keys["storage_key"], "--container", BUCKET],
        "google": ["--bucket", BUCKET],
        "miaop": ["--realm", REALM, "--user", USER, "--password", keys["key"]],
    }
    write_private(folder / "arguments", "\n".join(own.get(known.name, ["--key", keys["key"]])) + "\n")


def _keys(folder: Path) -> dict[str, str]:
    """Made once: the engine in the product keeps them."""
    file = folder / "keys.json"
    if not file.exists():
        storage_key = base64.b64encode(secrets.token_bytes(32)).decode()
        # A key that begins with a hyphen would be taken for an option.
        write_json(file, {"key": f"demo-{secrets.token_urlsafe(32)}", "storage_key": storage_key})
    found: dict[str, str] = read_json(file)
    return found
