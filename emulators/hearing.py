"""What stand-ins for speech services hear: the tone words of any recording, by channel (providers §0.A.4).

What has none is told by a recogniser, where the stand-in was given one (``listen_with``); else every stretch of sound
becomes evenly timed placeholder words.
"""

import hashlib
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emulators.recogniser import Recogniser
from speechserver.audio import AudioError, decode
from speechserver.recognisers.base import Segment
from speechserver.recognisers.tones import PLACEHOLDER, RATE, TonesRecogniser

# Recordings that were heard last are not heard anew: demos, rehearsals and benchmarks send the same ones again.
KEPT = 64
LONGEST_MS = 12 * 3600 * 1000
_TONES = TonesRecogniser(None)
# Of the whole process, which is one stand-in.
_second: list[Recogniser] = []
_heard: OrderedDict[tuple[bytes, bool], "Recording"] = OrderedDict()


@dataclass(frozen=True)
class Recording:
    """What is in a file: its length and the segments of each channel; times in milliseconds.

    ``speech``: the words are of people, not of a test, and are written nowhere but in answers.
    """

    duration_ms: int
    channels: tuple[tuple[Segment, ...], ...]
    speech: bool = False

    @property
    def text(self) -> str:
        """All words of all channels, for journals; nothing of speech."""
        if self.speech:
            return ""
        return " ".join(word.text for segments in self.channels for segment in segments for word in segment.words)


def listen_with(recogniser: Recogniser) -> None:
    """From now on ``recogniser`` hears what has no tone words."""
    _second[:] = [recogniser]


def hear(content: bytes, *, mix: bool = False) -> Recording:
    """Decode and recognise; ``mix`` hears all channels as one. Blocks, with a recogniser for as long as that takes.

    Raises ``AudioError`` for what is no audio, ``Unheard`` when the recogniser does not answer.
    """
    key = hashlib.sha256(content).digest(), mix
    known = _heard.get(key)
    if known is None:
        known = _heard[key] = _listen(content, mix)
        # Several threads may do so at once: what another one took away is gone as well.
        while len(_heard) > KEPT:
            _heard.popitem(last=False)
    return known


def _listen(content: bytes, mix: bool) -> Recording:
    with tempfile.TemporaryDirectory(prefix="emulator-") as folder:
        source = Path(folder) / "source"
        source.write_bytes(content)
        made = decode(source, Path(folder), sample_rate=RATE, max_duration_ms=LONGEST_MS, mix=mix)
        channels = tuple(
            tuple(_TONES.recognise(np.fromfile(path, "<i2"), language="", progress=lambda share: None))
            for path in made.paths
        )
    if _second and _is_speech(channels):
        channels = _second[0].hear(content, channels=len(channels), mix=mix)
        return Recording(made.duration_ms, channels, speech=True)
    return Recording(made.duration_ms, channels)


def _is_speech(channels: tuple[tuple[Segment, ...], ...]) -> bool:
    """Whether there is sound, and most of it is no tone words; a beep in a call is one by chance."""
    words = [word.text for segments in channels for segment in segments for word in segment.words]
    return words.count(PLACEHOLDER) * 2 > len(words)


def sentence(segment: Segment) -> str:
    """A segment as services write it: a capital letter and a full stop."""
    text = " ".join(word.text for word in segment.words)
    return f"{text[:1].upper()}{text[1:]}."


__all__ = ["AudioError", "Recording", "hear", "listen_with", "sentence"]
