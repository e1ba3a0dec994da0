"""The form of a job (domain T16–T22)."""

import zoneinfo
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from core.forms import EnableField, VersionedForm
from core.tables import show_time
from jobs.form_fields import ClauseField
from jobs.kinds import Kind
from jobs.models import DataSource, JobDefinition, Schedule
from queues.models import AccessScope, ProcessingQueue
from tenants.forms import ScopeFields

# Advised by the guide for new jobs (domain T20): licensed users only, 15 seconds to 2 hours.
ADVISED: dict[str, dict[str, Any]] = {
    "user.license": {"op": "is", "value": "speech_analytics"},
    "call.duration": {"op": "between", "value": [15, 7200]},
}


def clause_name(field: str) -> str:
    """The form's name for a filter field."""
    return f"filter_{field.replace('.', '_')}"


def time_zones() -> list[tuple[str, str]]:
    """All zones by name, UTC first."""
    return [("UTC", "UTC"), *((name, name) for name in sorted(zoneinfo.available_timezones() - {"UTC"}))]


class JobForm(ScopeFields, VersionedForm):
    """Fields in the order of the guide; those of the kind come from the kind, rules over several are the service's."""

    name = forms.CharField(label=_("Name"), max_length=120)
    enabled = EnableField()
    access_scope = forms.ChoiceField(label=_("Access scope"), choices=AccessScope.choices)
    data_source = forms.ChoiceField(label=_("Data source"), choices=DataSource.choices)
    source_queue = forms.ModelChoiceField(label=_("Source Queue"), queryset=ProcessingQueue.objects.order_by("name"))
    publish_to = forms.ModelMultipleChoiceField(
        label=_("Publish to queue(s)"),
        queryset=ProcessingQueue.objects.order_by("name"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Completed records are put there, for the next job."),
    )
    schedule = forms.ChoiceField(label=_("Schedule"), choices=Schedule.choices)
    cron = forms.CharField(
        label=_("Cron expression"),
        max_length=120,
        required=False,
        help_text=_("Five fields: minute, hour, day, month, weekday. Only for the schedule by cron expression."),
        widget=forms.TextInput(attrs={"dir": "ltr", "spellcheck": "false", "placeholder": "30 2 * * 1-5"}),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"), choices=time_zones, help_text=_("Of the schedule, and of the day that makes a run.")
    )
    max_checks = forms.IntegerField(label=_("Checks for a result"), min_value=1, max_value=50, initial=50)
    max_attempts = forms.IntegerField(label=_("Attempts"), min_value=1, max_value=50, initial=5)
    batch_size = forms.IntegerField(label=_("Batch size"), min_value=1, max_value=1000, initial=100)
    scope_field = "access_scope"
    advanced = ["max_checks", "max_attempts", "batch_size"]

    def __init__(self, *args: Any, editor: Any, kind: Kind, job: JobDefinition | None = None, **kwargs: Any) -> None:
        self.job, self.kind = job, kind
        super().__init__(*args, **kwargs)
        self.offer_scope(editor, job)
        self.setting_names = self._add_settings()
        self.clause_names = self._add_clauses()
        # The service says "filters"; the form has a field a clause.
        self.aliases = {"filters": self.clause_names[0]} if self.clause_names else {}
        self.sections = [
            ("", ["name", "enabled", "access_scope", "tenant", "tenant_groups"]),
            ("", ["data_source", "source_queue", *self.setting_names]),
            (str(_("Filtering criteria")), self.clause_names),
            (str(_("After success")), ["publish_to"]),
            (str(_("Schedule")), ["schedule", "cron", "time_zone"]),
        ]
        if job is not None and job.next_start_at is not None:
            self.fields["cron"].help_text = _("Next start: %(time)s") % {"time": show_time(job.next_start_at)}

    def _add_settings(self) -> list[str]:
        """Choices of the kind. Its labels stand in ``describe``, in the same order."""
        names = []
        labels = [label for label, _value in self.kind.describe({})]
        for (name, choices), label in zip(self.kind.choices().items(), labels, strict=True):
            self.fields[name] = forms.ChoiceField(label=label, choices=[("", "—"), *choices])
            if self.job is not None:
                self.initial.setdefault(name, self.job.settings.get(name))
            names.append(name)
        return names

    def _add_clauses(self) -> list[str]:
        stored = {clause["field"]: clause for clause in self.job.filters} if self.job is not None else ADVISED
        names = []
        for field in self.kind.filter_fields.values():
            name = clause_name(field.name)
            clause = stored.get(field.name)
            if clause is None and field.name in ADVISED:
                clause = {**ADVISED[field.name], "on": False}
            self.fields[name] = ClauseField(field, initial=clause)
            names.append(name)
        return names

    def clean_name(self) -> str:
        """Job names are unique, whatever their case."""
        name: str = self.cleaned_data["name"]
        same = JobDefinition.objects.filter(name__iexact=name)
        if self.job is not None:
            same = same.exclude(pk=self.job.pk)
        if same.exists():
            raise ValidationError(_("There is a job with this name."))
        return name

    def values(self) -> dict[str, Any]:
        """What the service stores; tenant and cron are kept only by the scope and schedule that need them."""
        cleaned = self.cleaned_data
        names = (
            "name",
            "enabled",
            "access_scope",
            "data_source",
            "source_queue",
            "schedule",
            "time_zone",
            *self.advanced,
        )
        return {
            **{name: cleaned[name] for name in names},
            "kind": self.kind.key,
            "tenant": self.tenant_of_scope(),
            "cron": cleaned["cron"] if cleaned["schedule"] == Schedule.CRON else "",
            "settings": {name: cleaned[name] for name in self.setting_names},
            "filters": [cleaned[name] for name in self.clause_names if cleaned[name] is not None],
        }


def initial_of(job: JobDefinition) -> dict[str, Any]:
    """The stored values as the form shows them."""
    names = (
        "name",
        "enabled",
        "access_scope",
        "tenant",
        "data_source",
        "source_queue",
        "schedule",
        "cron",
        "time_zone",
        "max_checks",
        "max_attempts",
        "batch_size",
        "version",
    )
    stored = {name: getattr(job, name) for name in names}
    return {**stored, "tenant_groups": job.tenant_groups.all(), "publish_to": job.publish_to.all()}
