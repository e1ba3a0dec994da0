"""The clock over an upload: it has to be over by a deadline, and to go on all the time (hostile 3C12).

Reading from the connection may block for as long as its other end likes; so a thread of its own looks at the clock and
shuts the connection's incoming half, which ends the reading.
"""

import socket
import threading
import time
from typing import Any, Protocol

from django.conf import settings

# The closing boundary and some lines behind it.
TAIL = 4096
PIECE = 64 * 1024


class Body(Protocol):
    """What the server gives to read a request's body from."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


class WatchedBody:
    """A body that ends early when it takes too long; ``late`` says that this happened."""

    def __init__(self, body: Body, connection: socket.socket | None) -> None:
        self._body, self._connection = body, connection
        self._end = time.monotonic() + settings.MIAOP_UPLOAD_SECONDS
        self._received, self._over, self._tail = 0, threading.Event(), b""
        self.late = False
        self._thread = threading.Thread(target=self._watch, name="upload-watch", daemon=True)

    def __enter__(self) -> "WatchedBody":
        """Start the clock."""
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop it."""
        self._over.set()

    def read(self, size: int | None = None, /) -> bytes:
        """As the body; nothing once it is late."""
        # Larger reads would hide from the clock that something comes.
        data = b"" if self.late else self._body.read(min(size or PIECE, PIECE))
        self._received += len(data)
        self._tail = (self._tail + data)[-TAIL:] if data else self._tail
        return b"" if self.late else data

    def complete(self, boundary: str) -> bool:
        """Whether what was read ends with the closing boundary: a body that broke off does not."""
        return f"--{boundary}--".encode("latin-1", "replace") in self._tail

    def _watch(self) -> None:
        """Every so many seconds some bytes must have come, and by the deadline all."""
        before = -1
        while True:
            pause = min(settings.MIAOP_STALL_SECONDS, max(0.0, self._end - time.monotonic()))
            if self._over.wait(pause):
                return
            if time.monotonic() >= self._end or self._received - before < settings.MIAOP_STALL_BYTES:
                self.late = True
                self._shut()
                return
            before = self._received

    def _shut(self) -> None:
        if self._connection is not None:
            try:
                self._connection.shutdown(socket.SHUT_RD)
            except OSError:
                # It is gone already.
                return


def connection_of(meta: dict[str, Any]) -> socket.socket | None:
    """The connection that a request came by, where the server tells."""
    found = meta.get("gunicorn.socket")
    return found if hasattr(found, "shutdown") else None
