"""Asking a local web server whether it is ready."""

from __future__ import annotations

import http.client
from dataclasses import dataclass


@dataclass(frozen=True)
class Readiness:
    """The answer of ``GET /readyz``: whether it is ready, and in a few words what is missing."""

    ready: bool
    words: str


def readiness(port: int, timeout_s: float = 3.0) -> Readiness:
    """Ask the web server on loopback; a server that does not answer is not ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost"})
        answer = connection.getresponse()
        body = answer.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return Readiness(False, f"no answer ({type(error).__name__})")
    finally:
        connection.close()
    return Readiness(answer.status == 200, "ready" if answer.status == 200 else f"{answer.status} {body[:200]}")
