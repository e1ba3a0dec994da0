"""The data directory: made, recognised, refused. Every refusal is one line that says what to do."""

from __future__ import annotations

import os
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path

from stack.errors import StackError
from stack.files import read_json, write_json
from stack.paths import StackPaths
from stack.ports import first_free, is_free

FORMAT = 1
NEEDED_BYTES = 1024**3
SPEECH_PORTS_FROM = 8600


def prepare(paths: StackPaths) -> None:
    """Make the data directory, or check that the one that is there is ours and writable.

    Raises :class:`StackError` for a foreign directory, one of another user, one that cannot be written, and a disk
    with less than 1 GiB left.
    """
    _check_owner(paths)
    if paths.data.exists() and not paths.marker.exists() and any(paths.data.iterdir()):
        raise StackError(
            f"{paths.data} holds files that are not Parlance's: choose an empty or new directory with --data"
        )
    if paths.marker.exists():
        _check_marker(paths)
    try:
        paths.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_free_space(paths.data)
        paths.data.chmod(0o700)
        for directory in (paths.run, paths.logs, paths.media, paths.speech, paths.valkey):
            directory.mkdir(mode=0o700, exist_ok=True)
        if not paths.marker.exists():
            made = datetime.now(UTC).isoformat(timespec="seconds")
            write_json(paths.marker, {"format": FORMAT, "made_at": made, "speech_port": first_free(SPEECH_PORTS_FROM)})
    except OSError as error:
        raise StackError(
            f"{paths.data} cannot be written ({error.strerror}): choose another directory with --data"
        ) from None
    _prepare_sockets(paths.sockets)


def speech_port(paths: StackPaths) -> int:
    """Return the port the speech server of this data directory uses; kept, because engines store its address."""
    return int(read_json(paths.marker)["speech_port"])


def settle_speech_port(paths: StackPaths, *, web_port: int) -> int:
    """Before a start: keep the port, or choose and store another when somebody else, or our web server, has it by now.

    To be called under the supervisor's lock with nothing of ours running. The set-up lists the new address, and the
    demo's engine is given it.
    """
    port = speech_port(paths)
    if port == web_port or not is_free(port):
        port = first_free(SPEECH_PORTS_FROM, but=web_port)
        write_json(paths.marker, {**read_json(paths.marker), "speech_port": port})
    return port


def check_free_space(directory: Path, free_bytes: int | None = None) -> None:
    """Raise :class:`StackError` when less than 1 GiB is free; ``free_bytes`` replaces the measured figure in tests."""
    free = shutil.disk_usage(directory).free if free_bytes is None else free_bytes
    if free < NEEDED_BYTES:
        mib = free // 1024**2
        raise StackError(
            f"The disk of {directory} is nearly full ({mib} MB left, 1024 MB needed): free some or use --data"
        )


def _check_owner(paths: StackPaths) -> None:
    try:
        facts = paths.data.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StackError(
            f"{paths.data} cannot be read ({error.strerror}): choose another directory with --data"
        ) from None
    if not stat.S_ISDIR(facts.st_mode):
        raise StackError(f"{paths.data} is not a directory: choose another with --data")
    if facts.st_uid != os.geteuid():
        raise StackError(f"{paths.data} belongs to another user (uid {facts.st_uid}): run as that user or use --data")


def _check_marker(paths: StackPaths) -> None:
    marker = read_json(paths.marker)
    if not isinstance(marker, dict) or not isinstance(marker.get("speech_port"), int):
        raise StackError(f"{paths.marker} is damaged: put it back or choose another directory with --data")
    if marker.get("format") != FORMAT:
        raise StackError(f"{paths.data} was made by another version of Parlance: use that version or another --data")


def _prepare_sockets(directory: Path) -> None:
    """Make the socket directory; refuse one that somebody else has put there before us."""
    directory.mkdir(mode=0o700, exist_ok=True)
    facts = directory.lstat()
    # Root may have given it to the account that runs PostgreSQL.
    ours = facts.st_uid == os.geteuid() or os.geteuid() == 0
    if not stat.S_ISDIR(facts.st_mode) or not ours:
        raise StackError(f"{directory} belongs to somebody else: remove it and try again")
    directory.chmod(0o700)
