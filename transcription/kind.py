"""The transcription kind: audio to a speech engine, its transcript into the tenant (architecture §4)."""

import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from conversations.models import TranscriptionState
from conversations.selectors import call_facts, calls_by_change, calls_by_start
from conversations.services import retag_calls, set_transcription_states
from core.errors import InvalidInput
from core.outcomes import Reason
from engines.selectors import obstacles_of, why_unusable
from jobs.conversation_facts import START_DAY
from jobs.custom_fields import custom_facts
from jobs.filters import days_between, judge_filters
from jobs.kinds import WAITING, Explained, Foreseen, KindPaused, Order, SettingField, Stored, Walk
from jobs.models import JobDefinition, Record
from jobs.passes.changes import REFERENCE
from jobs.passes.references import mark_in
from jobs.scopes import OUT_OF_SCOPE, scope_of
from jobs.verdicts import Span
from licensing.ledger import foretell_each
from licensing.models import Bundle, Meter
from licensing.selectors import licensed_users
from queues.events import Event, RecordType
from tenants.models import Tenant
from transcription.chain import Chain
from transcription.engines.options import Traits
from transcription.facts import FILTER_FIELDS, filter_facts
from transcription.fallbacks import clean_fallbacks, described_fallbacks, fallback_fields
from transcription.job_engine import adapter_of_job, engine_checks, engine_of_job
from transcription.judging import foreseen_of, metered, metered_seconds, refusal_of, traits_of, unfit
from transcription.language_strategy import LanguageRule, cannot_detect, clean_languages, language_fields
from transcription.models import SpeechEngine
from transcription.pricing import price_at
from transcription.selectors import prices_of
from transcription.session import TranscriptionSession
from transcription.talk_fields import talk_fields

ENDED_WITHOUT = {TranscriptionState.SKIPPED, TranscriptionState.FAILED, TranscriptionState.ABORTED}


def jobs_for(tenant: Tenant) -> list[JobDefinition]:
    """The enabled transcription jobs whose scope holds ``tenant``."""
    jobs = JobDefinition.objects.filter(kind=TranscriptionKind.key, enabled=True).select_related("tenant")
    return [job for job in jobs if scope_of(job).holds(tenant)]


class TranscriptionKind:
    """Registered in settings.JOB_KINDS."""

    key = "transcription"
    label = gettext_lazy("Transcription")
    record_types = (RecordType.CALL,)
    takes_again = False
    advised = None
    completed_event = Event.CALL_TRANSCRIPTION_COMPLETED
    filter_fields = FILTER_FIELDS
    start_day_field = START_DAY

    def clean_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A job needs an engine that exists, and that can do what is said about languages."""
        engine = SpeechEngine.objects.filter(pk=values.get("engine") or 0).first()
        if engine is None:
            raise InvalidInput("engine", _("Choose the transcription engine of the job."))
        return {
            "engine": engine.pk,
            "ignore_moh": bool(values.get("ignore_moh")),
            "talk_fields": bool(values.get("talk_fields")),
            **clean_languages(values, engine),
            **clean_fallbacks(values, engine),
        }

    def describe(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The engine's name, whose language it is, and what is left out."""
        engine = SpeechEngine.objects.filter(pk=values.get("engine") or 0).first()
        return [
            (_("Transcription engine"), engine.name if engine else _("(deleted)")),
            *described_fallbacks(values),
            (_("Language"), LanguageRule.of(values).words()),
            (_("Ignore MoH"), _("Yes") if values.get("ignore_moh") else _("No")),
            (_("Measures of talk"), _("Yes") if values.get("talk_fields") else _("No")),
        ]

    def setting_fields(self) -> list[SettingField]:
        """The engine, the language, and whether to leave out hold and waiting in the queue (domain T19)."""
        engines = [(str(pk), name) for pk, name in SpeechEngine.objects.order_by("name").values_list("pk", "name")]
        help_text = _(
            "Leaves out the words during hold and waiting in the queue, where the phone platform tells of these. "
            "The whole audio is still sent and counted."
        )
        talk_help = _(
            "Writes talk share, silence, interruptions, longest monologue, pace and turns to custom fields of each call, "
            "measured from the times of its transcript."
        )
        return [
            SettingField("engine", _("Transcription engine"), engines),
            *fallback_fields(engines),
            *language_fields(),
            SettingField("ignore_moh", _("Ignore MoH"), help_text=help_text),
            SettingField("talk_fields", _("Measures of talk"), help_text=talk_help),
        ]

    def obstacles(self) -> dict[str, dict[str, str]]:
        """The engines that are disabled or paused."""
        return {"engine": obstacles_of(SpeechEngine)}

    def explain(
        self, settings: Mapping[str, Any], filters: Sequence[Mapping[str, Any]], tenant: Tenant, record_id: uuid.UUID
    ) -> Explained | None:
        """As a pass would judge the call now, without asking the ledger."""
        call = call_facts([record_id]).get(record_id)
        if call is None:
            return None
        licensed = licensed_users([call.user_id] if call.user_id else [], Bundle.SPEECH_ANALYTICS)
        custom = custom_facts(tenant, [record_id], filters)[record_id]
        _refused, trace = judge_filters(filters, filter_facts(tenant, call, licensed) | custom)
        problem = Reason.NO_AUDIO.value if call.recording is None else call.recording.problem
        amount = 0 if call.recording is None else metered(call)
        traits = Traits("", 0) if call.recording is None else traits_of(tenant, LanguageRule.of(settings), call)
        checks = engine_checks(Chain.of(settings).foremost(tenant, traits), tenant, traits)
        return Explained(checks, trace, Meter.TRANSCRIPTION_SECONDS, call.user_id, amount, problem)

    def foresee(
        self,
        settings: Mapping[str, Any],
        filters: Sequence[Mapping[str, Any]],
        tenant: Tenant,
        record_ids: Sequence[uuid.UUID],
    ) -> dict[uuid.UUID, Foreseen]:
        """By the functions that a pass uses; the ledger is asked about each call as if it were the only one."""
        chain, calls, rule = Chain.of(settings), call_facts(record_ids), LanguageRule.of(settings)
        chain.at(0)
        users = {call.user_id for call in calls.values() if call.user_id is not None}
        licensed = licensed_users(users, Bundle.SPEECH_ANALYTICS)
        custom = custom_facts(tenant, calls, filters)
        refusals = {
            key: unfit(call)
            or refusal_of(tenant, chain, filters, call, licensed, custom[key], traits_of(tenant, rule, call))
            for key, call in calls.items()
        }
        fit = [key for key, refusal in refusals.items() if refusal is None]
        wishes = [(calls[key].user_id, metered(calls[key])) for key in fit]
        denied = foretell_each(tenant_id=tenant.pk, meter=Meter.TRANSCRIPTION_SECONDS, wishes=wishes)
        foreseen = {key: Foreseen(reason or "") for key, reason in zip(fit, denied, strict=True)}
        return foreseen | {key: foreseen_of(refusal) for key, refusal in refusals.items() if refusal is not None}

    def stored(self, tenant: Tenant, filters: Sequence[Mapping[str, Any]], walk: Walk) -> list[Stored]:
        """Calls, by start or by change; those of days that a filter on the start date leaves out are not met."""
        if walk.order == Order.CHANGED:
            calls = calls_by_change(after=walk.after, since=walk.since, until=walk.until, count=walk.count)
        else:
            started = days_between(filters, START_DAY, tenant.time_zone)
            calls = calls_by_start(after=walk.after, stored_until=walk.until, started=started, count=walk.count)
        return [Stored(call.call_id, call.at, metered_seconds(call.duration_ms)) for call in calls]

    def span(self, settings: Mapping[str, Any], place: int) -> Span:
        """By the states of the job's engines; without further ones nothing is asked."""
        return Chain.of(settings).span(place) if settings.get("fallbacks") else Span()

    def places(self, settings: Mapping[str, Any]) -> list[str]:
        """The engines of a job that has more than one."""
        return Chain.of(settings).names() if settings.get("fallbacks") else []

    def price_per_minute(self, settings: Mapping[str, Any]) -> Decimal | None:
        """The one in force at the engine."""
        engine = SpeechEngine.objects.filter(pk=settings.get("engine") or 0).first()
        price = None if engine is None else price_at(prices_of(engine), timezone.now())
        return None if price is None else price.per_minute

    def session(
        self,
        job_settings: Mapping[str, Any],
        filters: Sequence[Mapping[str, Any]],
        *,
        place: int = 0,
        request_timeout_s: int | None = None,
        conversation_timeout_s: float | None = None,
    ) -> TranscriptionSession:
        """Open an engine of the job. Raises KindPaused when it is gone, disabled, paused or cannot detect languages any
        more.
        """
        chain = Chain.of(job_settings)
        engine = chain.at(place)
        if not engine.enabled or engine.paused_at is not None:
            raise KindPaused(why_unusable(engine))
        adapter = adapter_of_job(engine, request_timeout_s)
        rule = LanguageRule.of(job_settings)
        problem = (
            cannot_detect(engine.name, adapter.detection(adapter.options), len(rule.candidates))
            if rule.detects
            else None
        )
        if problem is not None:
            raise KindPaused(problem[1])
        ignore_moh = bool(job_settings.get("ignore_moh"))
        talk = talk_fields() if job_settings.get("talk_fields") else None
        return TranscriptionSession(
            engine, adapter, filters, ignore_moh=ignore_moh, rule=rule, talk=talk, chain=chain, place=place
        )

    def cleanup_session(self, job_settings: Mapping[str, Any]) -> TranscriptionSession:
        """Open the engine for deleting; a disabled or paused one still deletes."""
        engine = engine_of_job(job_settings)
        return TranscriptionSession(engine, adapter_of_job(engine), [])

    def cleanup_settings(self, job_settings: Mapping[str, Any], remote: Mapping[str, Any]) -> dict[str, Any]:
        """The engine that made the remote job, which the job may have left since; our reference says it, too."""
        marked = mark_in(remote.get(REFERENCE, ""))
        return {"engine": remote.get("engine") or (int(marked) if marked else job_settings["engine"])}

    def tag(self, tenant: Tenant, record_ids: Sequence[uuid.UUID], *, clear: str, assign: str) -> None:
        """On the calls."""
        retag_calls(tenant=tenant, call_ids=record_ids, clear=clear, assign=assign)

    def mark(self, tenant: Tenant, states: Mapping[uuid.UUID, tuple[str, str]]) -> None:
        """Show state and reason on the calls; a completed one is marked together with its transcript.

        That one job is done with a call is not shown while another one is at it.
        """
        shown: dict[uuid.UUID, tuple[str, str]] = {
            call_id: (TranscriptionState.NONE if state == WAITING else TranscriptionState(state), reason)
            for call_id, (state, reason) in states.items()
            if state != Record.State.COMPLETED
        }
        for call_id in _left_to_others(tenant, shown):
            del shown[call_id]
        if shown:
            set_transcription_states(states=shown)


def _left_to_others(tenant: Tenant, shown: Mapping[uuid.UUID, tuple[str, str]]) -> set[uuid.UUID]:
    """The calls that another job is at; and what is out of a job's scope, where there are jobs for the tenant."""
    ended = [call_id for call_id, (state, _reason) in shown.items() if state in ENDED_WITHOUT]
    if not ended:
        return set()
    busy = Record.objects.filter(record_id__in=ended, job__kind=TranscriptionKind.key, state=Record.State.IN_PROGRESS)
    theirs = set(busy.values_list("record_id", flat=True))
    outside = {call_id for call_id in ended if shown[call_id][1] == OUT_OF_SCOPE}
    return theirs | outside if outside and jobs_for(tenant) else theirs
