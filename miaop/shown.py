"""Tasks and meetings as the API prints them (5.1, 5.3)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from accounts.realms.selectors import setting_of
from accounts.realms.tokens import realm_of
from aiassistant.executing.models import Execution
from conversations.models import Call, Recording, TranscriptionState
from conversations.selectors import current_transcript, transcript_data
from core.transcripts import TranscriptData
from miaop.conditions import TASK_TYPE
from miaop.models import Meeting, Task
from miaop.paragraphs import Style, transcription
from miaop.problems import ai_failed, caveat_of, error_of
from miaop.remaining import Pace, Part, capped, remaining_seconds
from miaop.states import FINAL, Status, status_of
from miaop.times import milliseconds
from tenants.models import Tenant
from transcription.languages.selectors import speaker_words

# The order of the guide's sample; what else was submitted follows.
ORDER = (
    *("taskId", "tenant", "taskName", "taskType", "taskCreationTime", "taskUpdateTime", "taskUpdateTimeNumeric"),
    *("taskStatus", "sttRemainingTime", "sttRemainingSeconds", "archive", "baseLanguages", "genericAdditionalInfo"),
    *("meetings", "supervisor", "docSections"),
)


def meeting_status(meeting: Meeting) -> Status:
    """Where one meeting stands, by its loaded call."""
    return status_of(None if meeting.call is None else meeting.call.transcription_state)


def shown_task(task: Task, meetings: Sequence[Meeting], *, tenant: Tenant, pace: Pace, now: datetime) -> dict[str, Any]:
    """A task of ``states.with_status`` (R5.1): what was submitted, and what became of it."""
    seconds = remaining_of(meetings, pace, now)
    members: dict[str, Any] = dict(task.members) | {
        "taskId": task.task_id,
        "tenant": realm_of(tenant),
        "taskType": TASK_TYPE,
        "taskUpdateTimeNumeric": milliseconds(task.updated),  # type: ignore[attr-defined]
        "taskStatus": task.status,  # type: ignore[attr-defined]
        "sttRemainingTime": capped(seconds, settings.MIAOP_MAX_REMAINING_S),
        "sttRemainingSeconds": round(seconds, 1),
        "archive": task.archived,
        "meetings": [
            {"meetingId": meeting_id(meeting), "file": meeting.file, "status": meeting_status(meeting)}
            for meeting in meetings
        ],
    }
    first = {name: members[name] for name in ORDER if name in members}
    return first | {name: value for name, value in members.items() if name not in first}


def meeting_id(meeting: Meeting) -> str:
    """``1.q4m8x2k7`` (R5.4); the meeting's task is loaded."""
    return f"{meeting.number}.{meeting.task.task_id}"


def remaining_of(meetings: Sequence[Meeting], pace: Pace, now: datetime) -> float:
    """Seconds that the meetings which are not final still take (R5.2)."""
    parts = []
    for meeting in meetings:
        call, status = meeting.call, meeting_status(meeting)
        if call is None or status in FINAL:
            continue
        worked = max(0.0, (now - call.transcription_at).total_seconds()) if status == Status.PROCESSING else None
        parts.append(Part(call.duration_ms / 1000, worked))
    return remaining_seconds(parts, pace)


def shown_meeting(meeting: Meeting) -> dict[str, Any]:
    """A meeting (5.3), in the tenant; a finished one with what its transcript leaves to be desired."""
    call, status = meeting.call, meeting_status(meeting)
    metadata: dict[str, Any] = {
        "status": status,
        "files": [{"file": meeting.file, "baseLanguage": meeting.base_language}],
        "taskId": meeting.task.task_id,
    }
    if call is not None:
        metadata |= {"durationMs": call.duration_ms, "conversationId": str(call.pk)}
    problem: Mapping[str, Any] | None = error_of(call)
    if status == Status.DONE and call is not None:
        problem = _caveat(call, transcript_of(meeting))
    return {"meetingId": meeting_id(meeting), "metadata": metadata | ({"errorInfo": problem} if problem else {})}


def _caveat(call: Call, data: TranscriptData | None) -> Mapping[str, Any] | None:
    found = caveat_of(data) if data is not None else None
    if found is not None:
        return found
    # The latest word of each task counts.
    latest = dict(Execution.objects.filter(record_id=call.pk).order_by("ended_at").values_list("task_key", "state"))
    return ai_failed() if Execution.State.FAILED in latest.values() else None


def transcript_of(meeting: Meeting) -> TranscriptData | None:
    """The current transcript of a finished meeting; None when it is not kept any more, or the meeting is not finished."""
    call = meeting.call
    if call is None or call.transcription_state != TranscriptionState.COMPLETED:
        return None
    transcript = current_transcript(call)
    return None if transcript is None else transcript_data(transcript)


def shown_transcript(tenant: Tenant, meeting: Meeting) -> list[dict[str, Any]] | None:
    """The paragraphs of a finished meeting (5.4), as the entered tenant wants them; None as ``transcript_of``."""
    data, call = transcript_of(meeting), meeting.call
    if data is None or call is None:
        return None
    channels = Recording.objects.filter(call=call).order_by("pk").values_list("channels", flat=True).first() or 1
    setting = setting_of(tenant)
    style = Style(speaker_words(), names=setting.participant_names, legacy_id=setting.legacy_id)
    # The meeting's language, which the sender chose, and not what an engine makes of it.
    return transcription(data, language=call.language or data.language, channels=channels, style=style)
