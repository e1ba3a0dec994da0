"""The child process: reads one order a line on stdin, answers on stdout; one order at a time, stateless between them.

Orders: ``probe``, ``decode``, ``recognise``. Answers: any number of ``{"progress": share}``, then ``{"ok": …}`` or
``{"error": {"code", "message"}}``. Anything else that happens to this process is the pool's business.
"""

import ctypes
import os
import resource
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from speechserver import audio
from speechserver.recognisers.base import PROFILES, Recogniser, tidy

PR_SET_PDEATHSIG = 1


def main(recogniser_name: str, model_path: str, parent_pid: int) -> int:
    """Serve orders until stdin ends. An empty recogniser name makes a light worker that only probes and decodes."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # Libraries print to stdout; that must not garble the answers.
    os.dup2(2, 1)
    _confine(PROFILES[recogniser_name].memory_bytes if recogniser_name else 1024**3, parent_pid)
    recogniser = PROFILES[recogniser_name].load(Path(model_path) if model_path else None) if recogniser_name else None
    _say(answers, {"ok": "ready"})
    for line in sys.stdin.buffer:
        try:
            _say(answers, {"ok": _obey(orjson.loads(line), recogniser, answers)})
        except audio.AudioError as error:
            _say(answers, {"error": {"code": error.code, "message": error.message}})
    return 0


def _confine(memory_bytes: int, parent_pid: int) -> None:
    """Die with the parent, even when it is killed; stay within a memory limit; let interactive processes go first."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)


def _obey(order: dict[str, Any], recogniser: Recogniser | None, answers: BinaryIO) -> object:
    if order["op"] == "probe":
        return asdict(audio.probe(Path(order["path"])))
    if order["op"] == "decode":
        decoded = audio.decode(
            Path(order["path"]),
            Path(order["folder"]),
            sample_rate=order["sampleRate"],
            max_duration_ms=order["maxDurationMs"],
            mix=order["mix"],
        )
        return {**asdict(decoded), "paths": [str(path) for path in decoded.paths]}
    assert recogniser is not None
    samples = np.memmap(order["path"], dtype="<i2", mode="r")
    segments = recogniser.recognise(
        samples, language=order["language"], progress=lambda share: _say(answers, {"progress": share})
    )
    return tidy(segments, order["durationMs"])


def _say(answers: BinaryIO, message: dict[str, Any]) -> None:
    answers.write(orjson.dumps(message) + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
