"""From an engine's answer to what is stored: normalised, judged and packed, so that a transaction only has to insert it.

Pure functions on plain values, no ORM: they cost processor time and belong in a thread, before the commit.
"""

from dataclasses import dataclass

from conversations.codec import Packed, pack
from conversations.dynamics import Dynamics, dynamics
from conversations.health.judging import Health, Recorded, judge
from conversations.normalising import normalise
from conversations.quiet import Spans, without_quiet
from core.transcripts import TranscriptData


@dataclass(frozen=True, slots=True)
class PreparedTranscript:
    """A transcript that is ready to be stored. ``duration_ms`` is our own measure; made by ``prepare_transcript``.

    ``talk`` is None where nobody talks, or it was not asked for.
    """

    packed: Packed
    language: str
    model: str
    duration_ms: int
    health: Health
    talk: Dynamics | None = None


def prepare_transcript(
    data: TranscriptData,
    duration_ms: int,
    quiet: Spans = (),
    recorded: Recorded | None = None,
    *,
    with_talk: bool = False,
) -> PreparedTranscript:
    """Hold what an engine says to the rules of the store and to the decoded duration (hostile 3I2), judge and pack it.

    Words in the ``quiet`` spans (start, end in milliseconds) are left out. ``recorded`` is what is known of the audio;
    without it the words alone are judged. ``with_talk``: how people talked is measured, too.
    """
    clean = without_quiet(normalise(data, duration_ms), quiet)
    health = judge(clean, recorded or Recorded())
    talk = dynamics(clean) if with_talk else None
    return PreparedTranscript(pack(clean), clean.language, clean.model, clean.duration_ms, health, talk)
