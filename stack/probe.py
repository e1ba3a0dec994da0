"""``python -m stack.probe URL``: a health probe for containers, which have no curl. Exit 0 well, 1 not.

The request names the first host of PARLANCE_ALLOWED_HOSTS: a production server answers no other.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
from urllib.parse import urlsplit

TIMEOUT_S = 4.0


def probe(url: str) -> bool:
    """Say whether ``http://host:port/path`` answers 200, or something listens at ``tcp://host:port``."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    try:
        if parts.scheme == "tcp":
            socket.create_connection((host, port), TIMEOUT_S).close()
            return True
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        allowed = os.environ.get("PARLANCE_ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".")
        connection.request("GET", parts.path or "/", headers={"Host": allowed or host})
        answer = connection.getresponse()
        connection.close()
        return answer.status == 200
    except (OSError, http.client.HTTPException):
        return False


if __name__ == "__main__":
    sys.exit(0 if len(sys.argv) == 2 and probe(sys.argv[1]) else 1)
