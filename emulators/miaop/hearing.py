"""From an audio file to the paragraphs of E6: one a channel and pause."""

from dataclasses import dataclass
from typing import Any

from emulators import hearing
from emulators.recogniser import Unheard


@dataclass(frozen=True)
class Heard:
    """What came of a file: paragraphs, or the name of the error."""

    duration_ms: int = 0
    paragraphs: tuple[dict[str, Any], ...] = ()
    error: str = ""


def hear(content: bytes, speaker: str) -> Heard:
    """``speaker`` is the language's word for one. Speaks of what the contract calls UnsupportedAudio and EmptyAudio."""
    if not content:
        return Heard(error="EmptyAudio")
    try:
        recording = hearing.hear(content)
    except hearing.AudioError:
        return Heard(error="UnsupportedAudio")
    except Unheard:
        return Heard(error="InternalError")
    found = [
        _paragraph(f"{speaker}-{number + 1}", segment.words)
        for number, segments in enumerate(recording.channels)
        for segment in segments
    ]
    found.sort(key=lambda paragraph: paragraph["location"])
    return Heard(recording.duration_ms, tuple(found))


def _paragraph(label: str, words: Any) -> dict[str, Any]:
    start, end = words[0].start_ms, words[-1].end_ms
    return {
        "id": label,
        "location": start,
        "duration": end - start,
        "text": " ".join(word.text for word in words),
        "words": [
            {
                "word": word.text,
                "location": word.start_ms,
                "duration": word.end_ms - word.start_ms,
                "confidence": round(word.confidence, 3),
            }
            for word in words
        ],
    }
