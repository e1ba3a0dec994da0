"""What every class of engine errors does, in words: the same for the page and the manual, from the table that decides."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from core.outcomes import TREATMENTS, ErrorClass, Treatment


@dataclass(frozen=True, slots=True)
class Explanation:
    """One class: ``code`` as it is logged, its label, what happens, and the reason of records that end with it."""

    code: str
    label: str
    record: str
    attempt: str
    engine: str
    reason: str
    reason_label: str


def explanations() -> list[Explanation]:
    """All classes, in the order of ``ErrorClass``."""
    return [_explained(error_class, TREATMENTS[error_class]) for error_class in ErrorClass]


def _explained(error_class: ErrorClass, treatment: Treatment) -> Explanation:
    return Explanation(
        code=error_class.value,
        label=str(error_class.label),
        record=_record(error_class, treatment),
        attempt=_("one attempt") if treatment.burns_attempt else _("nothing"),
        engine=_engine(treatment),
        reason=treatment.reason.value if treatment.burns_attempt else "",
        reason_label=str(treatment.reason.label) if treatment.burns_attempt else "",
    )


def _record(error_class: ErrorClass, treatment: Treatment) -> str:
    if not treatment.retry:
        return _("fails at once")
    if treatment.resubmit:
        return _("is uploaded anew, once")
    if treatment.pauses_engine:
        return _("waits until the engine is resumed")
    if error_class == ErrorClass.RATE:
        return _("waits as long as the engine says")
    return _("is tried again after growing pauses, as its job says, until its attempts are used up")


def _engine(treatment: Treatment) -> str:
    if treatment.pauses_engine:
        return _("is paused, with one alert")
    if treatment.opens_circuit:
        return _(
            "after five of them, when they are half of all calls of a minute, nothing is sent until a probe succeeds"
        )
    return _("goes on")
