"""Audio at the door: what a file really holds, metered by decoding, and a clean copy of just that (hostile-inputs 3D).

Decoding happens in a confined child process; this package needs no Django.
"""

from core.audio.facts import (
    AudioError,
    AudioFacts,
    AudioLimits,
    AudioTooLong,
    ChannelsUnsupported,
    NotAudio,
    UndecodableAudio,
)
from core.audio.inspection import inspect_audio

__all__ = [
    "AudioError",
    "AudioFacts",
    "AudioLimits",
    "AudioTooLong",
    "ChannelsUnsupported",
    "NotAudio",
    "UndecodableAudio",
    "inspect_audio",
]
