"""From an engine's answer to what is stored: normalised and packed, so that a transaction only has to insert it.

Pure functions on plain values, no ORM: they cost processor time and belong in a thread, before the commit.
"""

from dataclasses import dataclass

from conversations.codec import Packed, pack
from conversations.normalising import normalise
from conversations.quiet import Spans, without_quiet
from core.transcripts import TranscriptData


@dataclass(frozen=True, slots=True)
class PreparedTranscript:
    """A transcript that is ready to be stored. ``duration_ms`` is our own measure; made by ``prepare_transcript``."""

    packed: Packed
    language: str
    model: str
    duration_ms: int


def prepare_transcript(data: TranscriptData, duration_ms: int, quiet: Spans = ()) -> PreparedTranscript:
    """Hold what an engine says to the rules of the store and to the decoded duration (hostile 3I2), and pack it.

    Words in the ``quiet`` spans (start, end in milliseconds) are left out.
    """
    clean = without_quiet(normalise(data, duration_ms), quiet)
    return PreparedTranscript(pack(clean), clean.language, clean.model, clean.duration_ms)
