"""Under which identity PostgreSQL runs: it refuses to run as root, and no account is ever created for it."""

from __future__ import annotations

import functools
import os
import pwd
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from stack.errors import StackError

USER_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")


@dataclass(frozen=True)
class Identity:
    """How to start a program: a command prefix, and the user and group to become (None: stay who we are)."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def popen(
        self, command: list[str], *, env: Mapping[str, str], stdout: IO[bytes] | int, stderr: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        """Start ``command`` under this identity in a session of its own; a Ctrl-C at the terminal never reaches it."""
        groups: list[int] | None = None if self.uid is None else []
        return subprocess.Popen(
            [*self.prefix, *command],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd="/",
            start_new_session=True,
            user=self.uid,
            group=self.gid,
            extra_groups=groups,
        )

    def own(self, directory: Path) -> None:
        """Give the directory to this identity, closed to everybody else."""
        directory.chmod(0o700)
        if self.uid is not None and self.gid is not None:
            os.chown(directory, self.uid, self.gid)

    def reaches(self, path: Path) -> bool:
        """Say whether this identity may pass every directory above ``path`` and read and run ``path`` itself."""
        if self.uid is None or self.gid is None:
            return os.access(path, os.R_OK)
        real = path.resolve()
        return self._may(real, read=True) and all(self._may(parent, read=False) for parent in real.parents)

    def _may(self, path: Path, *, read: bool) -> bool:
        facts = path.stat()
        if facts.st_uid == self.uid:
            needed = stat.S_IXUSR | (stat.S_IRUSR if read else 0)
        elif facts.st_gid == self.gid:
            needed = stat.S_IXGRP | (stat.S_IRGRP if read else 0)
        else:
            needed = stat.S_IXOTH | (stat.S_IROTH if read else 0)
        return facts.st_mode & needed == needed


def account(name: str) -> Identity:
    """Return the identity that drops from root to the named account."""
    entry = pwd.getpwnam(name)
    return Identity(uid=entry.pw_uid, gid=entry.pw_gid)


def choose_identity(data_dir: Path) -> Identity:
    """Choose who runs the server on ``data_dir``.

    An ordinary user runs it as himself. Root runs it inside a user namespace, where that is allowed, else drops to
    ``nobody``. Data that is there already decides: root runs the server as the owner of the data.
    """
    owner = data_dir.stat().st_uid if data_dir.exists() else None
    me = os.geteuid()
    if me != 0:
        if owner not in (None, me):
            raise StackError(
                f"{data_dir} belongs to another user (uid {owner}); run as that user or choose another --data"
            )
        return Identity()
    if owner not in (None, 0):
        return Identity(uid=owner, gid=data_dir.stat().st_gid)
    return Identity(prefix=USER_NAMESPACE) if user_namespaces_allowed() else account("nobody")


@functools.cache
def user_namespaces_allowed() -> bool:
    """Say whether root may map itself to an ordinary user id; containers often forbid it."""
    try:
        return subprocess.run([*USER_NAMESPACE, "true"], capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
