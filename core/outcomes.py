"""The vocabulary of how work ends: reason codes (domain §3), error classes (providers 0.B) and what each class does."""

from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _


class Reason(models.TextChoices):
    """One enum for logs, record pages, the "Why?" trace and the API (domain §3). ``filtered`` carries its clause."""

    NO_LICENSE = "no_license", _("User has no speech analytics licence")
    SEAT_EXCEEDED = "seat_exceeded", _("User is beyond the licensed seats")
    LIMIT_USER_MONTH = "limit_user_month", _("Monthly limit per user is reached")
    LIMIT_ORG_MONTH = "limit_org_month", _("Monthly limit of the organisation is reached")
    LIMIT_USER_LIFETIME = "limit_user_lifetime", _("Lifetime limit per user is reached")
    LIMIT_ORG_LIFETIME = "limit_org_lifetime", _("Lifetime limit of the organisation is reached")
    FILTERED = "filtered", _("A filter of the job leaves this record out")
    NO_AUDIO = "no_audio", _("Call has no audio files")
    NO_TRANSCRIPT = "no_transcript", _("There is no transcript")
    TOO_SHORT = "too_short", _("The recording is too short")
    TOO_LONG = "too_long", _("The recording is too long")
    UNSUPPORTED_AUDIO = "unsupported_audio", _("The audio file cannot be decoded")
    ENGINE_CONFIG = "engine_config", _("The engine refuses its settings")
    ENGINE_INPUT = "engine_input", _("The engine refuses this recording")
    ENGINE_RATE = "engine_rate", _("The engine is throttling")
    ENGINE_TRANSIENT = "engine_transient", _("The engine cannot be reached or has failed")
    ENGINE_LOST = "engine_lost", _("The engine has lost the job")
    CHECKS_EXHAUSTED = "checks_exhausted", _("No result after the last check")
    INVALID_OUTPUT = "invalid_output", _("The engine's answer cannot be used")
    REFUSED = "refused", _("The engine refused to answer")
    BUDGET_EXHAUSTED = "budget_exhausted", _("The budget is used up")
    TASK_DISABLED = "task_disabled", _("The task is disabled")
    TENANT_DISABLED = "tenant_disabled", _("The tenant is not active")
    ON_HOLD = "on_hold", _("The record is on hold")
    ON_REQUEST = "on_request", _("The sender wants AI tasks on request only")
    ABORTED = "aborted", _("Aborted by an operator or because the job was disabled")
    CRASHED = "crashed", _("Processing crashed three times")
    SKIPPED_BY_OPERATOR = "skipped_by_operator", _("Skipped by an operator")

    @classmethod
    def label_of(cls, code: str) -> str:
        """Return the sentence for ``code``; ``filtered:<clause>`` keeps its clause."""
        head, _sep, clause = code.partition(":")
        if head not in cls.values:
            return code
        label = str(cls(head).label)
        return f"{label}: {clause}" if clause else label


class ErrorClass(models.TextChoices):
    """Classes of engine errors (providers 0.B). The class alone decides what happens next."""

    CONFIG = "CONFIG", _("Settings or credentials")
    INPUT = "INPUT", _("The recording or prompt")
    RATE = "RATE", _("Throttled")
    TRANSIENT = "TRANSIENT", _("Network or server trouble")
    LOST = "LOST", _("Remote job vanished")
    OUTPUT = "OUTPUT", _("Unusable answer")


@dataclass(frozen=True, slots=True)
class Treatment:
    """What an error class does to a record.

    ``retry``: try again later; ``burns_attempt``: counts against the attempts of the record;
    ``pauses_engine``: stop the engine once and alert, records wait; ``resubmit``: forget the remote handle first;
    ``opens_circuit``: counts for the circuit breaker of the engine, and burns nothing once that is open.
    """

    reason: Reason
    retry: bool
    burns_attempt: bool
    pauses_engine: bool = False
    resubmit: bool = False
    opens_circuit: bool = False


TREATMENTS: dict[ErrorClass, Treatment] = {
    ErrorClass.CONFIG: Treatment(Reason.ENGINE_CONFIG, retry=True, burns_attempt=False, pauses_engine=True),
    ErrorClass.INPUT: Treatment(Reason.ENGINE_INPUT, retry=False, burns_attempt=True),
    ErrorClass.RATE: Treatment(Reason.ENGINE_RATE, retry=True, burns_attempt=False),
    ErrorClass.TRANSIENT: Treatment(Reason.ENGINE_TRANSIENT, retry=True, burns_attempt=True, opens_circuit=True),
    ErrorClass.LOST: Treatment(Reason.ENGINE_LOST, retry=True, burns_attempt=True, resubmit=True),
    ErrorClass.OUTPUT: Treatment(Reason.INVALID_OUTPUT, retry=False, burns_attempt=True),
}


class EngineError(Exception):
    """The one error that engines raise.

    ``error_class`` decides the treatment, ``code`` and ``message`` are the provider's own words (secrets masked),
    ``retry_after`` is the provider's hint in seconds or None.
    """

    def __init__(
        self, error_class: ErrorClass, message: str, *, code: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.message = message[:500]
        self.code = code
        self.retry_after = retry_after
