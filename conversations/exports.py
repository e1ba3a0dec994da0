"""Transcripts as TXT, SRT, VTT and JSON: pure functions of what is to be written."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from django.utils.translation import gettext as _

from core.transcripts import Segment, TranscriptData

_GENERIC_SPEAKER = re.compile(r"S?\d*\Z")


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """One format: what writes it and how it is served."""

    mime: str
    write: Callable[[TranscriptData], str]


def speaker_name(segment: Segment) -> str:
    """How a speaker is shown: the engine's label, or the channel when the label says no more than a number."""
    if _GENERIC_SPEAKER.match(segment.speaker):
        return _("Channel %(number)d") % {"number": segment.channel + 1}
    return segment.speaker


def clock(milliseconds: int, separator: str = ".") -> str:
    """``01:02:03.004``; subtitles of SRT want a comma."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{separator}{rest:03}"


def to_txt(data: TranscriptData) -> str:
    """One line a turn: time, speaker, text."""
    return "".join(f"[{clock(turn.start_ms)[:8]}] {speaker_name(turn)}: {turn.text}\n" for turn in data.segments)


def to_srt(data: TranscriptData) -> str:
    """SubRip: one numbered cue a turn."""
    cues = (
        f"{number}\n{clock(turn.start_ms, ',')} --> {clock(turn.end_ms, ',')}\n{speaker_name(turn)}: {_cue(turn.text)}\n"
        for number, turn in enumerate(data.segments, start=1)
    )
    return "\n".join(cues)


def to_vtt(data: TranscriptData) -> str:
    """WebVTT: one cue a turn, the speaker as its voice."""
    cues = (
        f"{clock(turn.start_ms)} --> {clock(turn.end_ms)}\n"
        f"<v {html.escape(speaker_name(turn), quote=False)}>{html.escape(_cue(turn.text), quote=False)}\n"
        for turn in data.segments
    )
    return "\n".join(["WEBVTT\n", *cues])


def to_json(data: TranscriptData) -> str:
    """Everything that is known, in the names of the normal transcript form; times in milliseconds."""
    return orjson.dumps(
        {
            "language": data.language,
            "durationMs": data.duration_ms,
            "model": data.model,
            "warnings": data.warnings,
            "segments": [
                {
                    "channel": turn.channel,
                    "speaker": turn.speaker,
                    "startMs": turn.start_ms,
                    "endMs": turn.end_ms,
                    "text": turn.text,
                    "words": [
                        {
                            "text": word.text,
                            "startMs": word.start_ms,
                            "endMs": word.end_ms,
                            "confidence": word.confidence,
                        }
                        for word in turn.words
                    ],
                }
                for turn in data.segments
            ],
        },
        option=orjson.OPT_INDENT_2,
    ).decode()


EXPORTS = {
    "txt": ExportFormat("text/plain; charset=utf-8", to_txt),
    "srt": ExportFormat("application/x-subrip; charset=utf-8", to_srt),
    "vtt": ExportFormat("text/vtt; charset=utf-8", to_vtt),
    "json": ExportFormat("application/json", to_json),
}


def _cue(text: str) -> str:
    """An arrow in the text would be read as the times of a cue."""
    return text.replace("-->", "→")
