"""A confined child process for code that handles hostile bytes (hostile-inputs 3D8).

The parent names an entry point ``module:function``; the child confines itself, calls it with the request and writes one
JSON object to its standard output. The untrusted file arrives as standard input, so the child needs no path to it.
"""

import ctypes
import importlib
import json
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

PROJECT_ROOT = Path(__file__).resolve().parents[2]

# -I leaves the project off the path (and ignores PYTHON* variables), so the root is named here; appended, so that
# nothing in it can stand in for the standard library.
_BOOTSTRAP = "import sys; sys.path.append(sys.argv[1]); from core.audio.sandbox import child_main; child_main()"
_CLONE_NEWNET = 0x40000000
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


_READY = b"ready\n"


class SandboxFailed(Exception):
    """The child died over its input, ran out of time or memory, or did not answer with one JSON object."""


class SandboxNotStarted(RuntimeError):
    """The child ended before it touched its input: the installation or the machine is at fault, not the file."""


@dataclass(frozen=True)
class SandboxLimits:
    """Limits of one child. ``memory_bytes`` comes on top of what it needs to start."""

    memory_bytes: int
    file_bytes: int
    cpu_s: int
    wall_s: float


def run_entry(
    entry: str, request: dict[str, object], *, stdin: BinaryIO, work_dir: Path, limits: SandboxLimits
) -> dict[str, object]:
    """Run ``entry`` in a confined child whose only folder is ``work_dir``; return its answer.

    Raises :class:`SandboxFailed` or :class:`SandboxNotStarted`; the child is dead when this returns.
    """
    confinement = [limits.memory_bytes, limits.file_bytes, limits.cpu_s]
    command = [sys.executable, "-I", "-c", _BOOTSTRAP, str(PROJECT_ROOT), entry, json.dumps(confinement)]
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": str(work_dir), "OPENBLAS_NUM_THREADS": "1"}
    # The request goes by file: standard input is the untrusted file.
    (work_dir / "request.json").write_text(json.dumps(request), encoding="utf-8")
    try:
        # subprocess.run kills the child when the time is over.
        done = subprocess.run(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=work_dir,
            env=environment,
            timeout=limits.wall_s,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise SandboxFailed("out of time") from exc
    if not done.stdout.startswith(_READY):
        raise SandboxNotStarted(f"The decoding process did not start (exit status {done.returncode}).")
    try:
        answer = json.loads(done.stdout[len(_READY) :])
    except ValueError as exc:
        raise SandboxFailed(f"exit status {done.returncode}") from exc
    if done.returncode != 0 or not isinstance(answer, dict):
        raise SandboxFailed(f"exit status {done.returncode}")
    return answer


def child_main() -> None:
    """The child's side: confine, load the entry point, read the request, answer."""
    _, _, entry, confinement = sys.argv
    memory_bytes, file_bytes, cpu_s = json.loads(confinement)
    _isolate()
    module, _, function = entry.partition(":")
    work = getattr(importlib.import_module(module), function)
    request = json.loads(Path("request.json").read_bytes())
    # Limits come after the imports: the libraries' own address space is not the file's doing.
    _limit(memory_bytes, file_bytes, cpu_s)
    sys.stdout.buffer.write(_READY)
    sys.stdout.flush()
    sys.stdout.buffer.write(json.dumps(work(request)).encode())


def _isolate() -> None:
    """Enter an empty network namespace where the system lets us (best effort: ffmpeg is also given no protocol), never
    gain rights, and die with the parent."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # A worker that is killed takes its child with it. After unshare, because a change of credentials clears this.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _limit(memory_bytes: int, file_bytes: int, cpu_s: int) -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    address_space = pages * resource.getpagesize() + memory_bytes
    for what, value in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (value, value))
    # The soft limit kills by SIGXCPU, the hard one a second later whatever the process does about it.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
