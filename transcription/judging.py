"""What is decided about a call before any engine hears of it; passes, "Why?" and the preview decide by the same functions."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from conversations.selectors import CallFacts
from core.outcomes import Reason
from jobs.custom_fields import refusal_text
from jobs.filters import judge_filters
from jobs.kinds import Foreseen
from jobs.models import Record
from jobs.verdicts import Hold, Refuse, Verdict
from licensing.gates import GateResult
from licensing.ledger import Denied
from tenants.models import Tenant
from transcription.chain import Chain
from transcription.engines.options import Traits
from transcription.facts import FILTER_FIELDS, filter_facts
from transcription.language_strategy import LanguageRule


def unfit(call: CallFacts) -> Refuse | None:
    """Why there is nothing to transcribe, whatever the job says."""
    if call.recording is None:
        return Refuse(Record.State.SKIPPED, Reason.NO_AUDIO, str(Reason.NO_AUDIO.label))
    if call.recording.problem:
        return Refuse(Record.State.FAILED, call.recording.problem, Reason.label_of(call.recording.problem))
    return None


def refusal_of(
    tenant: Tenant,
    chain: Chain,
    filters: Sequence[Mapping[str, Any]],
    call: CallFacts,
    licensed: set[uuid.UUID],
    custom: Mapping[str, Any],
    traits: Traits,
) -> Refuse | None:
    """The job's filters discard early; the gates always run, in the ledger (domain §4.3)."""
    reason, trace = judge_filters(filters, {**filter_facts(tenant, call, licensed), **custom})
    if reason is None:
        return nowhere(tenant, chain, trace) if chain.first_for(tenant, 0, traits) is None else None
    return Refuse(Record.State.SKIPPED, reason, refusal_text(reason, trace, FILTER_FIELDS), trace)


def traits_of(tenant: Tenant, rule: LanguageRule, call: CallFacts) -> Traits:
    """Of a call with a recording. Where the language is to be found out, it is the one that the call has, if any."""
    return Traits(rule.wanted(tenant, call.language).language or call.language, metered(call))


def nowhere(tenant: Tenant, chain: Chain, trace: tuple[GateResult, ...] = ()) -> Refuse:
    """No engine of the job may be used by the tenant, or is meant for the recording; ``trace`` is what the filters saw."""
    reason = f"{Reason.FILTERED}:engine.{'meant' if chain.may_be_used(tenant) else 'visibility'}"
    return Refuse(Record.State.SKIPPED, reason, refusal_text(reason, trace, FILTER_FIELDS), trace)


def foreseen_of(refusal: Refuse) -> Foreseen:
    """A refusal as the preview tells it, with the clause that was not met."""
    clause = refusal.trace[-1] if refusal.trace and not refusal.trace[-1].passed else None
    return Foreseen(refusal.reason, clause)


def metered(call: CallFacts) -> int:
    """Seconds of decoded audio that a call with a recording is charged with; stereo counts once (domain C27)."""
    assert call.recording is not None
    return metered_seconds(call.recording.duration_ms)


def metered_seconds(duration_ms: int | None) -> int:
    """Whole seconds, rounded up, at least one; nothing where there is no audio."""
    return 0 if duration_ms is None else max(-(-duration_ms // 1000), 1)


def denied(outcome: Denied) -> Verdict:
    """A gate of the ledger said no: the record is skipped, or waits where the tenant's policy is to hold."""
    detail = Reason.label_of(outcome.reason)
    if outcome.hold_until is not None:
        return Hold(outcome.hold_until, outcome.reason, detail)
    return Refuse(Record.State.SKIPPED, outcome.reason, detail)
