"""Whether a TCP port of this machine is free, and who has it when it is not."""

from __future__ import annotations

import os
import socket

from stack.errors import StackError
from stack.processes import command_line


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def first_free(start: int, tries: int = 200, *, but: int | None = None) -> int:
    """Return the first free port from ``start`` on except ``but``; raises :class:`StackError` when none is in reach."""
    for port in range(start, start + tries):
        if port != but and is_free(port):
            return port
    raise StackError(f"No free port between {start} and {start + tries - 1}")


def holder(port: int) -> int | None:
    """Return the process id that listens on the port, where this user may know it."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            for descriptor in os.listdir(f"/proc/{entry}/fd"):
                if os.readlink(f"/proc/{entry}/fd/{descriptor}") in inodes:
                    return int(entry)
        except OSError:
            continue
    return None


def require_free(port: int, advice: str) -> None:
    """Raise :class:`StackError` naming the holder and the advice when the port is taken."""
    if is_free(port):
        return
    pid = holder(port)
    who = f"process {pid} ({command_line(pid)[:60]})" if pid else "another process"
    raise StackError(f"Port {port} is taken by {who}: {advice}")


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as lines:
                rows = [line.split() for line in lines][1:]
        except OSError:
            continue
        for row in rows:
            if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{row[9]}]")
    return found
