"""Entry points for the sandbox tests: what a decoder that was taken over, or is broken, might do."""

import os
import signal
import socket
import sys
from pathlib import Path


def echo(request: dict[str, object]) -> dict[str, object]:
    """Behave."""
    return {"got": request, "files": sorted(os.listdir(".")), "environment": sorted(os.environ)}


def segfault(request: dict[str, object]) -> dict[str, object]:
    """Die as a broken decoder does."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}


def spin(request: dict[str, object]) -> dict[str, object]:
    """Never end, using the processor."""
    while True:
        pass


def wait(request: dict[str, object]) -> dict[str, object]:
    """Never end, idle."""
    signal.pause()
    return {}


def allocate(request: dict[str, object]) -> dict[str, object]:
    """Take more memory than allowed."""
    return {"taken": len(bytearray(1 << 30))}


def write(request: dict[str, object]) -> dict[str, object]:
    """Write more than allowed."""
    try:
        Path("big").write_bytes(b"x" * 200_000)
    except OSError as exc:
        return {"errno": exc.errno}
    return {}


def babble(request: dict[str, object]) -> dict[str, object]:
    """Answer with something that is no JSON object."""
    sys.stdout.write("[1, 2")
    return {}


def interfaces(request: dict[str, object]) -> dict[str, object]:
    """Say which network interfaces can be used."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return {"reached": probe.connect_ex(("127.0.0.1", request["port"])) == 0}
