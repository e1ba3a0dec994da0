"""What went wrong with a meeting, in the names of the contract (R5.3). Messages hold no secret and no vendor's words."""

from typing import Any

from conversations.models import Call, TranscriptionState
from core.outcomes import Reason
from core.transcripts import TranscriptData

LOW_CONFIDENCE = 0.5
CRITICAL = {
    Reason.UNSUPPORTED_AUDIO: ("UnsupportedAudio", "The audio cannot be decoded."),
    Reason.NO_AUDIO: ("EmptyAudio", "There is no audio."),
    Reason.TOO_SHORT: ("EmptyAudio", "The audio is too short."),
    Reason.TOO_LONG: ("AudioTooLong", "The audio is too long."),
    Reason.NO_LICENSE: ("LicenseMissing", "The owner of the conversation has no licence for speech analytics."),
    Reason.SEAT_EXCEEDED: ("LicenseMissing", "The owner of the conversation is beyond the licensed seats."),
    Reason.LIMIT_USER_MONTH: ("TranscriptionLimitExceeded", "The monthly limit of the user is reached."),
    Reason.LIMIT_ORG_MONTH: ("TranscriptionLimitExceeded", "The monthly limit of the organisation is reached."),
    Reason.LIMIT_USER_LIFETIME: ("TranscriptionLimitExceeded", "The lifetime limit of the user is reached."),
    Reason.LIMIT_ORG_LIFETIME: ("TranscriptionLimitExceeded", "The lifetime limit of the organisation is reached."),
    Reason.BUDGET_EXHAUSTED: ("TranscriptionLimitExceeded", "The budget is used up."),
    Reason.CHECKS_EXHAUSTED: ("TranscriptionTimeout", "The speech engine gave no result in time."),
    Reason.ENGINE_CONFIG: ("NoSpeechEngine", "The speech engine cannot be used as it is set up."),
    Reason.TENANT_DISABLED: ("NoSpeechEngine", "The tenant is not active."),
    Reason.ABORTED: ("Aborted", "The transcription was aborted."),
    Reason.SKIPPED_BY_OPERATOR: ("Aborted", "The transcription was skipped by an operator."),
}
FAILED = ("TranscriptionFailed", "The transcription failed.")
DELETED = ("Aborted", "The conversation was deleted.")
FILTERED = ("Aborted", "The transcription job leaves this conversation out.")
LANGUAGE = ("UnsupportedLanguage", "The transcription job leaves this language out.")


def error_of(call: Call | None) -> dict[str, Any] | None:
    """``errorInfo`` of a meeting that ended with an error; None for any other."""
    if call is None:
        return _critical(DELETED)
    if call.transcription_state in (
        TranscriptionState.NONE,
        TranscriptionState.IN_PROGRESS,
        TranscriptionState.COMPLETED,
    ):
        return None
    head, _colon, clause = call.transcription_reason.partition(":")
    if head == Reason.FILTERED:
        if clause == "call.language":
            return _critical(LANGUAGE)
        # The field of the rule tells whoever sent it what to change; what the rule compares with is the tenant's affair.
        rule = f" Its rule is about {clause}." if clause else ""
        return _critical((FILTERED[0], FILTERED[1] + rule))
    if call.transcription_state == TranscriptionState.ABORTED:
        return _critical(CRITICAL[Reason.ABORTED])
    return _critical(CRITICAL.get(Reason(head), FAILED) if head in Reason.values else FAILED)


def caveat_of(data: TranscriptData) -> dict[str, Any] | None:
    """``errorInfo`` of a transcript that is not what it could be; None when nothing is known against it."""
    if data.warnings:
        return _warning("PartialTranscript", "Parts of the speech engine's answer could not be used.")
    given = [word.confidence for turn in data.segments for word in turn.words if word.confidence is not None]
    if given and sum(given) / len(given) < LOW_CONFIDENCE:
        return _warning("LowConfidence", "The speech engine is not sure of what it understood.")
    return None


def ai_failed() -> dict[str, Any]:
    """``errorInfo`` of a meeting whose AI tasks failed, and nothing else."""
    return _warning("AiTasksFailed", "An AI task failed for this conversation.")


def _critical(found: tuple[str, str]) -> dict[str, Any]:
    return {"name": found[0], "message": found[1], "errorLevel": "critical"}


def _warning(name: str, message: str) -> dict[str, Any]:
    return {"name": name, "message": message, "errorLevel": "warning"}
