"""Jobs in words: scope, filters, settings of the kind. Shared by the list, the job's page and the form."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from jobs.kinds import kinds
from jobs.models import JobDefinition
from queues.models import AccessScope


def clock(seconds: int) -> str:
    """Seconds as m:ss or h:mm:ss, as the guide writes durations (domain T20)."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def scope_text(job: JobDefinition) -> str:
    """The guide's long label, with the tenant or the groups that it names."""
    text = job.get_access_scope_display()
    if job.access_scope == AccessScope.ONE_TENANT and job.tenant is not None:
        return f"{text}: {job.tenant.name}"
    if job.access_scope == AccessScope.TENANT_GROUPS:
        return f"{text}: {', '.join(group.name for group in job.tenant_groups.all())}"
    return text


def filter_texts(job: JobDefinition) -> list[str]:
    """Each clause as a sentence, for example "Call - Duration Between 0:15 – 2:00:00"."""
    fields = kinds()[job.kind].filter_fields if job.kind in kinds() else {}
    operators = {"is": _("Is"), "is_not": _("Is not"), "between": _("Between")}
    texts = []
    for clause in job.filters:
        field = fields.get(clause["field"])
        value = clause["value"]
        if clause["op"] == "between":
            value = f"{clock(value[0])} – {clock(value[1])}"
        elif field is not None:
            value = str(dict(field.choices).get(value, value))
        label = field.label if field is not None else clause["field"]
        texts.append(f"{label} {operators.get(clause['op'], clause['op'])} {value}")
    return texts


def setting_names(jobs: Iterable[JobDefinition]) -> dict[int, str]:
    """What each job works with (its engine), by job id: one query a kind, whatever the number of jobs."""
    listed = list(jobs)
    choices = {key: kinds()[key].choices() for key in {job.kind for job in listed} if key in kinds()}
    names = {}
    for job in listed:
        labels = [
            dict(options).get(str(job.settings.get(name)), _("(deleted)"))
            for name, options in choices.get(job.kind, {}).items()
        ]
        names[job.pk] = ", ".join(labels)
    return names


def facts(job: JobDefinition) -> list[tuple[str, str]]:
    """Label and value of everything that the head of the job's page does not already show."""
    kind = kinds().get(job.kind)
    described = kind.describe(job.settings) if kind is not None else []
    clauses = " · ".join(filter_texts(job))
    return [*described, (_("Filtering criteria"), clauses or _("none: every record of the queue"))]
