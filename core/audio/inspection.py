"""The one way audio comes into the product: ``inspect_audio``."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

from core.audio.facts import (
    AudioError,
    AudioFacts,
    AudioLimits,
    AudioTooLong,
    ChannelsUnsupported,
    NotAudio,
    UndecodableAudio,
)
from core.audio.sandbox import SandboxFailed, SandboxLimits, run_entry

_ENTRY = "core.audio.child:inspect"


def _undecodable(code: str) -> Callable[[str], AudioError]:
    return lambda message: UndecodableAudio(code, message)


def inspect_audio(src_path: Path, *, work_dir: Path, limits: AudioLimits | None = None) -> AudioFacts:
    """Decode a file to its end in a confined child process and make the clean copy in ``work_dir``.

    Takes about a third of a second plus decoding. On success the caller owns ``facts.canonical_path``; on any error
    nothing is left in ``work_dir``. Raises :class:`NotAudio`, :class:`UndecodableAudio`, :class:`AudioTooLong` or
    :class:`ChannelsUnsupported` for what the file is; OSError when the file cannot be read or the disk is full.
    """
    limits = limits or AudioLimits()
    own_dir = Path(tempfile.mkdtemp(prefix="audio-", dir=work_dir))
    try:
        answer, bytes_in = _ask_child(src_path, own_dir, limits)
        _raise_refusal(answer)
        return _accept(answer, bytes_in, own_dir, work_dir)
    finally:
        shutil.rmtree(own_dir, ignore_errors=True)


def _ask_child(src_path: Path, own_dir: Path, limits: AudioLimits) -> tuple[dict[str, object], int]:
    # Neither a link nor a pipe: what was judged must be what is read (hostile-inputs 3D11). O_NONBLOCK, because
    # opening a pipe without a writer would wait for ever.
    descriptor = os.open(src_path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as source:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise NotAudio("This is not a regular file.")
        if facts.st_size > limits.max_bytes:
            raise AudioTooLong(f"The file is larger than {limits.max_bytes} bytes.")
        request: dict[str, object] = {
            "bytes_in": facts.st_size,
            "max_duration_s": limits.max_duration_s,
            "min_duration_s": limits.min_duration_s,
            "max_channels": limits.max_channels,
        }
        confinement = SandboxLimits(
            memory_bytes=limits.child_memory_bytes,
            file_bytes=limits.max_canonical_bytes,
            cpu_s=limits.child_cpu_s,
            wall_s=limits.child_wall_s,
        )
        try:
            return run_entry(_ENTRY, request, stdin=source, work_dir=own_dir, limits=confinement), facts.st_size
        except SandboxFailed as exc:
            raise UndecodableAudio("decode_crashed", "Decoding this audio file failed or took too long.") from exc


def _raise_refusal(answer: dict[str, object]) -> None:
    if "storage_errno" in answer:
        number = cast(int | None, answer["storage_errno"]) or 0
        raise OSError(number, os.strerror(number))
    if "refused" not in answer:
        return
    kinds: dict[str, Callable[[str], AudioError]] = {
        "not_audio": NotAudio,
        "too_long": AudioTooLong,
        "channels": ChannelsUnsupported,
        "undecodable": _undecodable(str(answer["code"])),
    }
    raise kinds[str(answer["refused"])](str(answer["message"]))


def _accept(answer: dict[str, object], bytes_in: int, own_dir: Path, work_dir: Path) -> AudioFacts:
    made = own_dir / str(answer["canonical_name"])
    kept = work_dir / f"{own_dir.name}.{answer['canonical_format']}"
    made.rename(kept)
    return AudioFacts(
        duration_ms=cast(int, answer["duration_ms"]),
        channels=cast(int, answer["channels"]),
        sample_rate=cast(int, answer["sample_rate"]),
        codec=str(answer["codec"]),
        container=str(answer["container"]),
        bytes_in=bytes_in,
        canonical_path=kept,
        canonical_format=str(answer["canonical_format"]),
        canonical_mime=str(answer["canonical_mime"]),
        canonical_bytes=kept.stat().st_size,
        peaks=cast(list[list[int]], answer["peaks"]),
        damaged=bool(answer["damaged"]),
    )
