"""What a recogniser promises, and the registry of the ones there are."""

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Word:
    """One word; times in ms from the start of the file; confidence 0-1, or None where the recogniser gives none."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None = None


@dataclass(frozen=True)
class Segment:
    """One stretch of speech of one channel, with at least one word."""

    words: tuple[Word, ...]


class Recogniser(Protocol):
    """Turns samples (16-bit mono at ``sample_rate`` of its profile) into segments in order of time.

    Built once per child process with the model path (None: its own model) and then kept warm.
    """

    def recognise(self, samples: Samples, *, language: str, progress: Progress) -> list[Segment]:
        """Segments of one channel. ``progress`` is told the share done, 0-1."""


@dataclass(frozen=True)
class Profile:
    """What is known of a recogniser without loading it."""

    name: str
    factory: str
    requires: str | None
    sample_rate: int
    languages: tuple[str, ...]
    model: str
    confidence: bool
    punctuates: bool
    memory_bytes: int
    label: str
    needs_model_path: bool = False

    def load(self, model_path: Path | None) -> Recogniser:
        """Import and build the recogniser; takes from milliseconds to seconds."""
        module, _, name = self.factory.partition(":")
        built: Recogniser = getattr(importlib.import_module(module), name)(model_path)
        return built


GIB = 1024**3

PROFILES: dict[str, Profile] = {
    "pocketsphinx": Profile(
        name="pocketsphinx",
        factory="speechserver.recognisers.pocketsphinx:PocketsphinxRecogniser",
        requires="pocketsphinx",
        sample_rate=16000,
        languages=("en-US",),
        model="en-us-ptm",
        confidence=False,
        punctuates=False,
        memory_bytes=2 * GIB,
        label="evaluation only: expect 30-75 % word error on real calls; gives no word confidence",
    ),
    "tones": Profile(
        name="tones",
        factory="speechserver.recognisers.tones:TonesRecogniser",
        requires=None,
        sample_rate=8000,
        languages=("en-US", "en-GB", "de-DE", "es-ES", "fr-FR", "he-IL", "nl-NL"),
        model="tones-1",
        confidence=True,
        punctuates=False,
        memory_bytes=2 * GIB,
        label="test fixtures: decodes tone words, not speech",
    ),
    "faster-whisper": Profile(
        name="faster-whisper",
        factory="speechserver.recognisers.whisper:WhisperRecogniser",
        requires="faster_whisper",
        sample_rate=16000,
        languages=("en-US", "de-DE", "es-ES", "fr-FR", "he-IL", "it-IT", "nl-NL", "pl-PL", "pt-PT"),
        model="whisper",
        confidence=True,
        punctuates=True,
        memory_bytes=16 * GIB,
        label="Whisper model of the operator",
        needs_model_path=True,
    ),
}


def tidy(segments: Iterable[Segment], duration_ms: int) -> list[dict[str, Any]]:
    """Segments as plain data with the promises of the contract enforced.

    Words lie within the file and do not overlap within a channel; empty segments are dropped.
    """
    found, floor = [], 0
    for segment in segments:
        words = []
        for word in segment.words:
            start = min(max(word.start_ms, floor), duration_ms)
            end = min(max(word.end_ms, start), duration_ms)
            floor = end
            words.append({"text": word.text, "startMs": start, "endMs": end, "confidence": word.confidence})
        if words:
            found.append({"startMs": words[0]["startMs"], "endMs": words[-1]["endMs"], "words": words})
    return found
