"""Files that are being received: each is locked by the process that receives it, so what a killed one left is known.

A lock of ``flock`` ends with its process, whatever kills it; a file that nobody locks is nobody's.
"""

import fcntl
import os
import uuid
from pathlib import Path

from django.conf import settings

SUFFIX = ".part"


class Incoming:
    """One file on its way in. ``close`` removes it; nothing of it is ever linked to elsewhere."""

    def __init__(self) -> None:
        """Make and lock the file. Raises OSError."""
        folder = _folder()
        while True:
            self.path = folder / f"{uuid.uuid4()}{SUFFIX}"
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            # The sweep may have come between the two: then the file has no name any more.
            if os.fstat(self._fd).st_nlink:
                return
            os.close(self._fd)

    def write(self, data: bytes) -> None:
        """Append. Raises OSError when the disk is full."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def close(self) -> None:
        """Remove the file; twice is fine."""
        if self._fd >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1


def sweep() -> int:
    """Remove the files that no process locks; return how many."""
    removed = 0
    for path in _folder().glob(f"*{SUFFIX}"):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            removed += 1
        except OSError:
            continue
        finally:
            os.close(descriptor)
    return removed


def _folder() -> Path:
    folder = Path(settings.MIAOP_INCOMING_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
