"""Jobs in words: scope, filters, settings of the kind. Shared by the list, the job's page and the form."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.kinds import SettingField, kinds
from jobs.models import DataSource, JobDefinition
from jobs.schedules import TIMED, next_starts
from jobs.wording import clause_text, clock
from queues.models import AccessScope


def scope_text(job: JobDefinition) -> str:
    """The guide's long label, with the tenant or the groups that it names."""
    text = job.get_access_scope_display()
    if job.access_scope == AccessScope.ONE_TENANT and job.tenant is not None:
        return f"{text}: {job.tenant.name}"
    if job.access_scope == AccessScope.TENANT_GROUPS:
        return f"{text}: {', '.join(group.name for group in job.tenant_groups.all())}"
    return text


def place_text(places: Sequence[str], place: int) -> str:
    """A place in the list of a job's engines, for example "Second (2 of 3)"; empty where there is no such list."""
    if not places:
        return ""
    number = min(place + 1, len(places))
    return _("%(name)s (%(n)s of %(all)s)") % {"name": places[number - 1], "n": number, "all": len(places)}


def filter_texts(job: JobDefinition) -> list[str]:
    """Each clause as a sentence, for example "Call - Duration Between 0:15 – 2:00:00"."""
    fields = kinds()[job.kind].filter_fields if job.kind in kinds() else {}
    return [
        clause_text(fields.get(clause["field"]), clause["field"], clause["op"], clause["value"])
        for clause in job.filters
    ]


def next_runs(job: JobDefinition, count: int = 5) -> list[str]:
    """The next starts of an enabled timed job in its own zone; none while it is paused or disabled."""
    return starts_shown(job.cron, job.time_zone, count) if job.status == "enabled" and job.schedule in TIMED else []


def starts_shown(cron: str, time_zone: str, count: int = 5) -> list[str]:
    """Moments like "Mon 2026-10-26 02:30 CET", so that a change of the clock is seen. Raises InvalidInput("cron", …)."""
    moments = next_starts(cron, time_zone, timezone.now(), count)
    return [f"{date_format(moment, 'D')} {moment:%Y-%m-%d %H:%M %Z}" for moment in moments]


def setting_names(jobs: Iterable[JobDefinition]) -> dict[int, str]:
    """What each job works with (its engine), by job id: one query a kind, whatever the number of jobs."""
    listed = list(jobs)
    settings = {key: kinds()[key].setting_fields() for key in {job.kind for job in listed} if key in kinds()}
    names = {}
    for job in listed:
        labels = [
            _chosen(setting, job.settings.get(setting.name))
            for setting in settings.get(job.kind, [])
            if setting.choices is not None and setting.names_job and not setting.several
        ]
        names[job.pk] = ", ".join(labels)
    return names


def _chosen(setting: SettingField, value: Any) -> str:
    if value is None and setting.blank:
        return setting.blank
    return dict(setting.choices or ()).get(str(value), _("(deleted)"))


def facts(job: JobDefinition) -> list[tuple[str, str]]:
    """Label and value of everything that the head of the job's page does not already show."""
    kind = kinds().get(job.kind)
    described = kind.describe(job.settings) if kind is not None else []
    clauses = " · ".join(filter_texts(job))
    tags = [(_("Clear a tag"), job.clear_tag), (_("Assign a tag"), job.assign_tag)]
    shown = [
        *described,
        (_("Filtering criteria"), clauses or _("none: every record")),
        *((label, tag) for label, tag in tags if tag),
    ]
    if job.data_source in (DataSource.STORAGE, DataSource.TOKEN):
        shown.append((_("Records that have ended"), job.get_ended_records_display()))
    return [*shown, *policy_facts(job)]


def policy_facts(job: JobDefinition) -> list[tuple[str, str]]:
    """The policy, in three lines at most; what is left to the engine or without limit is not named."""
    calls, rate, tenant_rate = job.concurrency, job.rate, job.tenant_rate
    load = [
        job.get_priority_display(),
        ngettext("%(n)s call at once", "%(n)s calls at once", calls) % {"n": calls} if calls else "",
        ngettext("%(n)s new record a minute", "%(n)s new records a minute", rate) % {"n": f"{rate:,}"} if rate else "",
    ]
    weights = [f"{slug} × {weight}" for slug, weight in sorted(job.tenant_weights.items())]
    tenants = [_("at most %(n)s a minute each") % {"n": f"{tenant_rate:,}"} if tenant_rate else "", *weights]
    pauses = {"base": clock(job.retry_base_s), "factor": f"{job.retry_factor:g}", "most": clock(job.retry_max_s)}
    request, minutes = job.request_timeout_s, job.conversation_timeout_min
    patience = [
        _("%(attempts)s attempts") % {"attempts": job.max_attempts},
        _("pauses from %(base)s to %(most)s, each %(factor)s times the last") % pauses,
        ngettext("%(n)s second for a request", "%(n)s seconds for a request", request) % {"n": request}
        if request
        else "",
        ngettext("%(n)s minute for a conversation", "%(n)s minutes for a conversation", minutes) % {"n": f"{minutes:,}"}
        if minutes
        else "",
    ]
    lines = [
        (_("Load and priority"), load),
        (_("Share of the tenants"), tenants),
        (_("Retries and timeouts"), patience),
    ]
    return [(label, " · ".join(part for part in parts if part)) for label, parts in lines if any(parts)]
