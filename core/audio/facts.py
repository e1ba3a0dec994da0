"""What is known about an audio file, the limits it is held to, and the ways it is refused."""

from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024


@dataclass(frozen=True)
class AudioLimits:
    """Limits for one file and for the child process that decodes it. Times in seconds, sizes in bytes."""

    max_bytes: int = 2048 * MIB
    max_duration_s: float = 8 * 3600
    min_duration_s: float = 1.0
    max_channels: int = 2
    # The clean copy may be larger than the source (AMR becomes FLAC), never unboundedly so.
    max_canonical_bytes: int = 4096 * MIB
    child_memory_bytes: int = 512 * MIB
    child_cpu_s: int = 60
    child_wall_s: float = 120


@dataclass(frozen=True)
class AudioFacts:
    """An accepted file. Durations and peaks are of what was decoded, never of what a header claims.

    ``canonical_path`` is the clean copy (one audio stream, no tags, no pictures, nothing behind the audio); it belongs
    to the caller, who moves or deletes it. ``canonical_format`` is one of ogg, mp3, mp4, flac. ``peaks`` has one list a
    channel of at most 1000 values of 0-100, equal steps over the duration. ``damaged`` says that decoding stopped at an
    error and the copy ends there (hostile-inputs 3D6).
    """

    duration_ms: int
    channels: int
    sample_rate: int
    codec: str
    container: str
    bytes_in: int
    canonical_path: Path
    canonical_format: str
    canonical_mime: str
    canonical_bytes: int
    peaks: list[list[int]]
    damaged: bool


class AudioError(Exception):
    """Base of all refusals. ``code`` is stable and safe to store, ``message`` is for people and names the rule."""

    code = "audio"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotAudio(AudioError):
    """Not a file we know as audio, or one without any audio in it: refuse it at the door (hostile-inputs 3D1, 3D2)."""

    code = "not_audio"


class UndecodableAudio(AudioError):
    """Known as audio, but it cannot be decoded to something useful. ``code`` is one of:

    decode_failed, decode_crashed, too_short, unsupported_codec, drm_protected, length_mismatch, sample_rate, too_large.
    """

    def __init__(self, reason_code: str, message: str) -> None:
        super().__init__(message)
        self.code = reason_code


class AudioTooLong(AudioError):
    """More audio, or more bytes, than the limits allow (hostile-inputs 3D3)."""

    code = "too_long"


class ChannelsUnsupported(AudioError):
    """A call has one or two channels; this file has more."""

    code = "channels_unsupported"
