"""Where everything of one local stack lies. A stack is named by its data directory."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_DATA = ROOT / "var"
SHARED_STATE = Path("/var/lib/parlance")
# Sockets lie here and not below TMPDIR: the kernel allows a socket path about 100 bytes.
SOCKET_PARENT = Path("/tmp")


@dataclass(frozen=True)
class StackPaths:
    """The files of the stack whose data directory is ``data`` (absolute)."""

    data: Path

    @classmethod
    def at(cls, data: str | Path | None) -> StackPaths:
        """Return the paths for a directory given by a person, or for ``var/`` in the checkout."""
        return cls(Path(data).expanduser().absolute() if data else DEFAULT_DATA)

    @property
    def key(self) -> str:
        """A short name of this data directory, the same at every start."""
        return hashlib.sha256(os.fsencode(self.data.resolve())).hexdigest()[:10]

    @property
    def marker(self) -> Path:
        """The file that makes a directory ours; it also holds choices made once, such as the speech server's port."""
        return self.data / "parlance.json"

    @property
    def secrets(self) -> Path:
        """The generated secrets, mode 0600."""
        return self.data / "secrets.json"

    @property
    def postgres(self) -> Path:
        """The PostgreSQL cluster, unless root had to put it into :attr:`postgres_shared`."""
        return self.data / "pg"

    @property
    def postgres_shared(self) -> Path:
        """The cluster of a root who may not use user namespaces: below a directory that ``nobody`` can pass."""
        return SHARED_STATE / self.key / "pg"

    @property
    def valkey(self) -> Path:
        """Valkey's append-only file."""
        return self.data / "valkey"

    @property
    def media(self) -> Path:
        """The audio store."""
        return self.data / "media"

    @property
    def audit_checkpoints(self) -> Path:
        """Signed lines about the audit chains, outside the database."""
        return self.data / "audit-checkpoints.jsonl"

    @property
    def static(self) -> Path:
        """What collectstatic collects."""
        return self.data / "static"

    @property
    def speech(self) -> Path:
        """The speech server's data."""
        return self.data / "speech"

    @property
    def stand_ins(self) -> Path:
        """One directory for each stand-in of a speech vendor: keys, journal, chaos."""
        return self.data / "stand-ins"

    @property
    def stand_in(self) -> Path:
        """Which stand-in shall run."""
        return self.data / "stand-in.json"

    @property
    def logs(self) -> Path:
        """One file for each process."""
        return self.data / "log"

    @property
    def run(self) -> Path:
        """Facts about the running stack."""
        return self.data / "run"

    @property
    def state(self) -> Path:
        """What the supervisor says about itself and its processes."""
        return self.run / "state.json"

    @property
    def lock(self) -> Path:
        """Locked by the living supervisor."""
        return self.run / "lock"

    @property
    def sign_ins(self) -> Path:
        """The demo sign-ins as the demo loader printed them, mode 0600."""
        return self.run / "sign-ins.json"

    @property
    def speech_token(self) -> Path:
        """The speech server's bearer token, mode 0600."""
        return self.run / "speech-token"

    @property
    def sockets(self) -> Path:
        """A short directory for Unix sockets, 0700."""
        return SOCKET_PARENT / f"parlance-{os.geteuid()}-{self.key}"
