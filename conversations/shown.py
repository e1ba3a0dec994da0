"""How a call is shown: the context of its page, in plain values."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from conversations.dynamics import dynamics
from conversations.exports import EXPORTS, speaker_name
from conversations.fields.shown import panel
from conversations.health import wording
from conversations.models import Call, HoldEvent, Recording, Transcript
from conversations.selectors import may_download, may_play, may_read, transcript_data
from core.outcomes import Reason
from core.transcripts import TranscriptData
from queues.events import RecordType


def spoken_duration(milliseconds: int) -> str:
    """``0:48`` or ``1:02:03``."""
    seconds = milliseconds // 1000
    if seconds >= 3600:
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{seconds // 60}:{seconds % 60:02}"


def call_context(user: User, call: Call, recording: Recording | None, transcript: Transcript | None) -> dict[str, Any]:
    """What the call page shows to ``user``: nothing that they may not play, download or read."""
    readable = may_read(user, call)
    data = transcript_data(transcript) if transcript is not None and readable else None
    parties = [call.from_name or call.from_number, call.to_name or call.to_number]
    return {
        "title": " → ".join(party for party in parties if party) or call.external_id,
        "breadcrumbs": [(_("Conversations"), reverse("conversations:calls")), (call.external_id, None)],
        "call": call,
        "duration": spoken_duration(call.duration_ms),
        "recording": recording,
        "transcript": transcript if readable else None,
        "warnings": data.warnings if data else (),
        "turns": _turns(data) if data else [],
        "speakers": _speakers(data, recording),
        "quiet": _quiet(call),
        "health": wording.panel(transcript),
        "talk": _talk(data) if data else None,
        "fields": panel(user, (RecordType.CALL, call.pk), readable=readable),
        "audio": _audio(user, call, recording, words=data is not None),
        "audio_note": _audio_note(user, call, recording),
        "downloads": _downloads(user, call, recording, readable=data is not None),
        "may_read": readable,
    }


def _turns(data: TranscriptData) -> list[dict[str, Any]]:
    return [
        {
            "index": index,
            "channel": turn.channel,
            "speaker": speaker_name(turn),
            "start_ms": turn.start_ms,
            "end_ms": turn.end_ms,
            "clock": spoken_duration(turn.start_ms),
            "text": turn.text,
            "lang": data.language,
            "dir": "auto",
        }
        for index, turn in enumerate(data.segments)
    ]


def _talk(data: TranscriptData) -> dict[str, Any] | None:
    """How the sides talked: shares in percent, pace in words a minute, times as clocks."""
    found = dynamics(data)
    if found is None:
        return None
    sides = [
        {
            "name": speaker_name(side.first) if side.first is not None else _("Others"),
            "share": round(side.share * 100),
            "pace": round(side.pace) if side.pace is not None else None,
            "monologue": spoken_duration(side.monologue_ms),
            "interruptions": side.interruptions,
            "turns": side.turns,
        }
        for side in found.sides
    ]
    return {
        "sides": sides,
        "silence": round(found.silence * 100),
        "turns": found.turns,
        "interruptions": found.interruptions,
        "monologue": spoken_duration(found.longest_monologue_ms),
    }


def _quiet(call: Call) -> list[dict[str, Any]]:
    """Hold and waiting in the queue within the call: what it is, from and until when."""
    length = call.duration_ms or max((event["end_ms"] for event in call.hold_events), default=0)
    spans = []
    for event in call.hold_events:
        start, end = min(event["start_ms"], length), min(event["end_ms"], length)
        if start < end:
            clocks = (spoken_duration(start), spoken_duration(end))
            label = HoldEvent(event["type"]).label
            spans.append({"label": label, "start_ms": start, "end_ms": end, "from": clocks[0], "until": clocks[1]})
    return spans


def _speakers(data: TranscriptData | None, recording: Recording | None) -> list[dict[str, Any]]:
    """One a channel: the name that its first turn has, or the channel's number."""
    channels = recording.channels if recording is not None else 0
    names = {channel: _("Channel %(number)d") % {"number": channel + 1} for channel in range(channels)}
    for turn in reversed(data.segments if data else ()):
        names[turn.channel] = speaker_name(turn)
    return [{"channel": channel, "name": names[channel]} for channel in sorted(names)]


def _audio(user: User, call: Call, recording: Recording | None, *, words: bool) -> dict[str, Any] | None:
    if recording is None or recording.problem or not may_play(user, call):
        return None
    return {
        "url": reverse("conversations:call_audio", args=[call.pk]),
        "mime": recording.mime,
        "peaks_url": reverse("conversations:call_peaks", args=[call.pk]),
        "words_url": reverse("conversations:call_words", args=[call.pk]) if words else "",
        "duration_ms": recording.duration_ms,
    }


def _audio_note(user: User, call: Call, recording: Recording | None) -> str:
    if recording is None:
        return _("This call has no audio.")
    if not may_play(user, call):
        return _("You do not have the permission to play this call.")
    if recording.problem:
        return " ".join(filter(None, [f"{Reason.label_of(recording.problem)}.", recording.problem_detail]))
    return ""


def _downloads(user: User, call: Call, recording: Recording | None, *, readable: bool) -> list[dict[str, str]]:
    downloads = []
    if recording is not None and may_download(user, call):
        url = reverse("conversations:call_audio", args=[call.pk])
        downloads.append({"label": _("Audio"), "url": f"{url}?download=1"})
    if readable:
        downloads += [
            {
                "label": _("Transcript as %(format)s") % {"format": extension.upper()},
                "url": reverse("conversations:call_transcript", args=[call.pk, extension]),
            }
            for extension in EXPORTS
        ]
    return downloads
