"""From an outcome to a change of the record: the one table of what happens next. Pure functions."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from core.circuits import FIRST_PAUSE_S
from core.outcomes import TREATMENTS, ErrorClass, Reason, Treatment
from jobs.models import JobDefinition, LogEntry, Record
from jobs.passes import waiting
from jobs.verdicts import (
    Claimed,
    Finished,
    GoTo,
    Hold,
    NotSent,
    Onward,
    Outcome,
    PutOff,
    Refuse,
    StillPending,
    Submitted,
    Troubled,
)

MAX_CRASHES = 3
MAX_UPLOADS = 2
ENGINE_PAUSE_S = 30.0
TENANT_PAUSE_S = 300.0
REFERENCE = "reference"
# For good and at one engine alone: another one may do it. RATE says only "later", and CONFIG pauses the engine.
PASSED_ON = frozenset({ErrorClass.INPUT, ErrorClass.OUTPUT, ErrorClass.LOST, ErrorClass.TRANSIENT})
# Codes of errors that would be the same at every engine: it is our storage that failed.
OURS = frozenset({"audio_unavailable"})


@dataclass(frozen=True, slots=True)
class Limits:
    """The job's limits that decide between another try and giving up."""

    max_checks: int
    max_attempts: int
    backoff: waiting.Backoff = waiting.USUAL
    # From the first upload to the result.
    conversation_s: float | None = None

    def left_s(self, record: Claimed, now: datetime) -> float | None:
        """Seconds that the record still has for its result; None without a limit."""
        if self.conversation_s is None:
            return None
        begun = record.uploaded_at or now
        return self.conversation_s - (now - begun).total_seconds()


def limits_of(job: JobDefinition) -> Limits:
    """The limits of ``job``."""
    minutes = job.conversation_timeout_min
    backoff = waiting.Backoff(job.retry_base_s, job.retry_factor, job.retry_max_s)
    return Limits(job.max_checks, job.max_attempts, backoff, None if minutes is None else minutes * 60.0)


@dataclass(slots=True)
class Change:
    """The new values of one record, and what the timeline and the log say about it."""

    record: Claimed
    state: str = Record.State.IN_PROGRESS
    stage: str = Record.Stage.NEW
    reason: str = ""
    wait: str = Record.Wait.NONE
    delay_s: float = 0.0
    uploads: int = 0
    attempts: int = 0
    checks: int = 0
    errors: int = 0
    reference: str = ""
    remote: dict[str, Any] | None = None
    place: int = 0
    # Why the engine failed what the next one of the job takes now.
    failed_here: str = ""
    last_error: str = ""
    step: str = ""
    detail: str = ""
    severity: str = ""
    trace: list[dict[str, Any]] = field(default_factory=list)
    # What storing the result added to that.
    told: list[dict[str, Any]] = field(default_factory=list)
    result: Any = None
    discard: list[dict[str, Any]] = field(default_factory=list)
    # Seconds of each stage (``jobs.figures.histogram``), once it is written that a live record was completed.
    times: tuple[float, float, float] | None = None

    @property
    def final(self) -> bool:
        """True when the record leaves In Progress."""
        return self.state != Record.State.IN_PROGRESS

    @property
    def quiet(self) -> bool:
        """True when nobody is told: no line in the timeline or the log, nothing to store, show or delete."""
        return not (self.final or self.step or self.severity or self.discard or self.result is not None)


def _start(record: Claimed) -> Change:
    return Change(
        record=record,
        stage=record.stage,
        uploads=record.uploads,
        attempts=record.attempts,
        checks=record.checks,
        errors=record.errors,
        reference=record.reference,
        remote=record.remote,
        place=record.place,
    )


def under_reference(reference: str) -> dict[str, Any]:
    """The handle of whatever the provider may have under a reference of ours, for a clean-up to look up."""
    return {REFERENCE: reference}


def refused(record: Claimed, refusal: Refuse) -> Change:
    """A gate or filter said no, or the record cannot be worked on at all."""
    change = _start(record)
    severity = LogEntry.Severity.WARNING if refusal.state == Record.State.SKIPPED else LogEntry.Severity.ERROR
    change.trace = [result.line() for result in refusal.trace]
    return _end(change, refusal.state, refusal.reason, refusal.detail, severity)


def held(record: Claimed, detail: str) -> Change:
    """The tenant cannot be entered now; what is at the provider is kept and asked for when the tenant is back."""
    change = _start(record)
    change.wait, change.delay_s = Record.Wait.TENANT, TENANT_PAUSE_S
    change.last_error = detail
    return change


def limited(record: Claimed, hold: Hold, now: datetime) -> Change:
    """A service limit is reached and the tenant's policy is to hold: nothing was sent, nothing is burnt."""
    change = _start(record)
    change.wait, change.delay_s = Record.Wait.LIMIT, max((hold.until - now).total_seconds(), 60.0)
    change.reason, change.last_error = hold.reason, hold.detail
    change.step, change.detail, change.severity = "held", hold.detail, LogEntry.Severity.WARNING
    return change


def crashed(record: Claimed) -> Change:
    """Three workers died over this record (R6): it is set aside so that the rest of the queue goes on."""
    text = str(Reason.CRASHED.label)
    return _end(_start(record), Record.State.FAILED, Reason.CRASHED, text, LogEntry.Severity.ERROR)


def overdue(record: Claimed, limits: Limits) -> Change:
    """The job's timeout of a conversation is over: the record fails, and what is at the provider is deleted there."""
    minutes = (limits.conversation_s or 0) / 60
    detail = f"No result within {minutes:.0f} minutes of the first upload"
    return _end(_start(record), Record.State.FAILED, Reason.CHECKS_EXHAUSTED, detail, LogEntry.Severity.ERROR)


def postponed(record: Claimed, wait: Record.Wait, delay_s: float) -> Change:
    """A rate of the job is used up for now: nothing was sent, nothing is burnt."""
    change = _start(record)
    change.wait, change.delay_s = wait, delay_s
    return change


def in_time(change: Change, limits: Limits, now: datetime) -> Change:
    """``change`` with its pause cut, so that the record is looked at when its time is over."""
    left = limits.left_s(change.record, now)
    if left is not None and not change.final:
        change.delay_s = min(change.delay_s, max(left, 0.0))
    return change


def put_off(record: Claimed, verdict: PutOff) -> Change:
    """The tenant's rate of this kind of work is used up for now, or what else the verdict names."""
    return postponed(record, Record.Wait(verdict.wait), verdict.delay_s)


def at_engine(record: Claimed, place: int) -> Claimed:
    """The record at ``place`` of its job's engines: what another one has tried does not count against this one."""
    return record if record.place == place else replace(record, place=place, uploads=0, attempts=0, checks=0)


def routed(record: Claimed, verdict: GoTo) -> Change:
    """The record is for another engine of its job: it is due there at once."""
    change = _start(record)
    change.place, change.uploads, change.attempts, change.checks = verdict.place, 0, 0, 0
    change.step, change.detail = "routed", verdict.detail
    return change


def parked(record: Claimed, outcome: Troubled | NotSent) -> Change:
    """The circuit of the engine is open: the record waits, and the failure is the engine's and burns no attempt.

    It is due again soon, and is taken up as soon as something may be sent, as the probe or after it. Stage and
    reference stay, for an upload whose answer was lost.
    """
    change = _start(record)
    change.wait, change.delay_s = Record.Wait.CIRCUIT, FIRST_PAUSE_S
    if isinstance(outcome, NotSent) and outcome.misconfigured:
        change.wait, change.delay_s = Record.Wait.ENGINE, ENGINE_PAUSE_S
    if isinstance(outcome, Troubled):
        change.errors += 1
        change.last_error, change.detail, change.step = outcome.error.message, outcome.error.message, "error"
        change.result, change.trace = outcome.result, [seen.line() for seen in outcome.trace]
    return change


def after(
    record: Claimed,
    outcome: Outcome,
    *,
    limits: Limits,
    weight_s: float,
    jitter: float,
    onward: Onward | None = None,
) -> Change:
    """What ``outcome`` makes of the record; ``onward`` is where it goes on when the engine fails it for good."""
    change = _after(record, outcome, limits, weight_s, jitter)
    if onward is None or change.state != Record.State.FAILED or not _may_pass_on(outcome):
        return change
    return _passed_on(change, onward)


def _may_pass_on(outcome: Outcome) -> bool:
    """Whether a failure is one of this engine; that no result came after the last check is one, too."""
    if isinstance(outcome, Troubled):
        return outcome.error.error_class in PASSED_ON and outcome.error.code not in OURS
    return isinstance(outcome, StillPending)


def _passed_on(change: Change, onward: Onward) -> Change:
    """Not an end but a beginning at the next engine, in the same generation: what was reserved stays reserved."""
    change.failed_here = change.reason
    change.state, change.stage, change.reason = Record.State.IN_PROGRESS, Record.Stage.NEW, ""
    change.place, change.reference = onward.place, ""
    change.uploads = change.attempts = change.checks = 0
    change.last_error = change.detail
    change.step, change.detail = "passed_on", f"{onward.words}: {change.detail}"
    change.severity = LogEntry.Severity.WARNING
    return change


def _after(record: Claimed, outcome: Outcome, limits: Limits, weight_s: float, jitter: float) -> Change:
    change = _start(record)
    if isinstance(outcome, Submitted):
        change.stage, change.remote, change.uploads = Record.Stage.CHECKING, outcome.remote, record.uploads + 1
        change.wait = Record.Wait.POLLING
        change.delay_s = waiting.poll_delay(outcome.check_after_s, 0, weight_s, jitter)
        # The provider's own id of the request, by which its support finds it; the handle itself goes with the clean-up.
        change.step, change.detail = "uploaded", str(outcome.remote.get("id", ""))
        return change
    if isinstance(outcome, StillPending):
        return _after_check(change, outcome, limits, weight_s, jitter)
    if isinstance(outcome, NotSent):
        return parked(record, outcome)
    if isinstance(outcome, Finished):
        change.checks += 1
        change.result, change.trace = outcome.result, [seen.line() for seen in outcome.trace]
        if record.stage == Record.Stage.UPLOADING:
            # Done at once: nothing was left at the provider under our reference.
            change.uploads, change.reference = record.uploads + 1, ""
        return _end(change, Record.State.COMPLETED, "", outcome.detail, "")
    change.result, change.trace = outcome.result, [seen.line() for seen in outcome.trace]
    return _after_error(change, outcome, limits, jitter)


def _after_check(change: Change, outcome: StillPending, limits: Limits, weight_s: float, jitter: float) -> Change:
    change.checks += 1
    if change.checks >= limits.max_checks:
        detail = f"No result after {change.checks} checks"
        return _end(change, Record.State.FAILED, Reason.CHECKS_EXHAUSTED, detail, LogEntry.Severity.ERROR)
    change.wait = Record.Wait.POLLING
    change.delay_s = waiting.poll_delay(outcome.check_after_s, change.checks, weight_s, jitter)
    return change


def _after_error(change: Change, outcome: Troubled, limits: Limits, jitter: float) -> Change:
    error, treatment = outcome.error, TREATMENTS[outcome.error.error_class]
    if outcome.wait:
        change.wait, change.last_error = outcome.wait, error.message
        change.delay_s = waiting.throttle_delay(error.retry_after, 1, jitter, limits.backoff)
        return change
    change.errors += 1
    change.attempts += treatment.burns_attempt
    change.last_error = error.message
    given_up = change.attempts >= limits.max_attempts
    if treatment.resubmit:
        given_up = given_up or change.uploads >= MAX_UPLOADS
    if (not treatment.retry or given_up) and outcome.partly:
        return _end(change, Record.State.COMPLETED, "", outcome.detail or error.message, LogEntry.Severity.WARNING)
    if not treatment.retry or given_up:
        state = Record.State.SKIPPED if outcome.skipped else Record.State.FAILED
        severity = LogEntry.Severity.WARNING if outcome.skipped else LogEntry.Severity.ERROR
        return _end(change, state, outcome.reason or treatment.reason, error.message, severity)
    change.step, change.detail, change.severity = "error", error.message, LogEntry.Severity.WARNING
    change.wait, change.delay_s = _pause(treatment, outcome, change, limits, jitter)
    if treatment.resubmit:
        # What is lost to us may still lie at the provider, or at the engine the job had before.
        change.discard += [change.remote] if change.remote is not None else []
        change.stage, change.remote, change.reference = Record.Stage.UPLOADING, None, ""
    return change


def _pause(treatment: Treatment, outcome: Troubled, change: Change, limits: Limits, jitter: float) -> tuple[str, float]:
    error = outcome.error
    if treatment.pauses_engine:
        return Record.Wait.ENGINE, ENGINE_PAUSE_S
    if error.error_class == ErrorClass.RATE:
        return Record.Wait.RATE, waiting.throttle_delay(error.retry_after, change.errors, jitter, limits.backoff)
    return Record.Wait.BACKOFF, waiting.backoff_delay(change.attempts, jitter, limits.backoff)


def _end(change: Change, state: str, reason: str, detail: str, severity: str) -> Change:
    change.state, change.stage, change.reason = state, Record.Stage.DONE, str(reason)
    change.step, change.detail, change.severity = str(state), detail, severity
    if state == Record.State.FAILED:
        change.last_error = detail
    if change.remote is not None:
        change.discard.append(change.remote)
        change.remote = None
    elif change.record.stage == Record.Stage.UPLOADING and change.reference:
        # It may have been sent, and the answer was lost or could not be understood (R9).
        change.discard.append(under_reference(change.reference))
    return change
