"""The form of a job (domain T16–T22)."""

import zoneinfo
from datetime import time
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from core.forms import EnableField, WholeNumberField
from jobs.clauses import ClausesForm
from jobs.custom_fields import WithCustomFields, offered_fields
from jobs.filters import FilterField
from jobs.form_fields import OrderedChoicesField, SuggestedInput, TagField
from jobs.kinds import Kind
from jobs.models import DataSource, EndedRecords, JobDefinition, Schedule
from jobs.policy.form import LOAD, PATIENCE, TENANTS, PolicyFields
from jobs.schedules import MONTH_DAYS, TIMED, WEEKDAYS, Start, cron_of, start_of
from jobs.selectors import known_tags
from jobs.sweeps.sources import MOST_LAG_S, MOST_MINUTES, MOST_PER_MINUTE, deprecated_barred
from queues.models import AccessScope, ProcessingQueue
from queues.reach import OF_SOME, within_reach
from tenants.forms import ScopeFields

SWEEP_FIELDS = ("ended_records", "throttle", "budget_minutes", "lag_target_s")
# Advised by the guide for new jobs (domain T20): licensed users only, 15 seconds to 2 hours.
ADVISED: list[dict[str, Any]] = [
    {"field": "user.license", "op": "is", "value": "speech_analytics"},
    {"field": "call.duration", "op": "between", "value": [15, 7200]},
]


def time_zones() -> list[tuple[str, str]]:
    """All zones by name, UTC first."""
    return [("UTC", "UTC"), *((name, name) for name in sorted(zoneinfo.available_timezones() - {"UTC"}))]


class JobForm(PolicyFields, ScopeFields, ClausesForm):
    """Fields in the order of the guide; those of the kind come from the kind, rules over several are the service's."""

    name = forms.CharField(label=_("Name"), max_length=120)
    enabled = EnableField()
    access_scope = forms.ChoiceField(label=_("Access scope"), choices=AccessScope.choices)
    data_source = forms.ChoiceField(label=_("Data source"), choices=DataSource.choices)
    source_queue = forms.ModelChoiceField(
        label=_("Source Queue"),
        queryset=ProcessingQueue.objects.order_by("name"),
        required=False,
        help_text=_("Only for the data source that uses a queue."),
    )
    ended_records = forms.ChoiceField(
        label=_("Records that have ended"),
        choices=EndedRecords.choices,
        initial=EndedRecords.LEAVE,
        required=False,
        help_text=_("Of conversations that this job has processed before. Full mode on each run processes all again."),
    )
    throttle = WholeNumberField(
        label=_("Throttle"),
        min_value=1,
        max_value=MOST_PER_MINUTE,
        required=False,
        help_text=_("Records a minute in the full modes; blank is without limit."),
    )
    budget_minutes = WholeNumberField(
        label=_("Budget"),
        min_value=1,
        max_value=MOST_MINUTES,
        required=False,
        help_text=_("Minutes of audio in the full modes; there the sweep stops. Blank is without limit."),
    )
    lag_target_s = WholeNumberField(
        label=_("Target of the live lag"),
        min_value=1,
        max_value=MOST_LAG_S,
        required=False,
        help_text=_("Seconds. While live work is later than that, a full mode waits by itself. Blank: it never does."),
    )
    clear_tag = TagField(label=_("Clear a tag"))
    assign_tag = TagField(label=_("Assign a tag"))
    publish_to = forms.ModelMultipleChoiceField(
        label=_("Publish to queue(s)"),
        queryset=ProcessingQueue.objects.order_by("name"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Completed records are put there, for the next job."),
    )
    schedule = forms.ChoiceField(label=_("Schedule"), choices=Schedule.choices, initial=Schedule.CONTINUOUS)
    start_at = forms.TimeField(
        label=_("Time of day"),
        required=False,
        initial=time(0, 0),
        input_formats=["%H:%M", "%H:%M:%S"],
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=_("For Every Day, Every Week and Every Month; Every Hour takes the minutes."),
    )
    weekday = forms.ChoiceField(
        label=_("Weekday"), choices=WEEKDAYS, required=False, help_text=_("Only for Every Week.")
    )
    month_day = forms.ChoiceField(
        label=_("Day of the month"), choices=MONTH_DAYS, required=False, help_text=_("Only for Every Month.")
    )
    cron = forms.CharField(
        label=_("Cron expression"),
        max_length=120,
        required=False,
        help_text=_("Five fields: minute, hour, day, month, weekday. Only for the schedule Custom."),
        widget=forms.TextInput(attrs={"dir": "ltr", "spellcheck": "false", "placeholder": "30 2 * * 1-5"}),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"), choices=time_zones, help_text=_("Of the schedule, and of the day that makes a run.")
    )
    max_checks = forms.IntegerField(
        label=_("Checks for a result"),
        min_value=1,
        max_value=50,
        initial=50,
        help_text=_("A record fails whose result is not there after so many."),
    )
    max_attempts = forms.IntegerField(
        label=_("Attempts"),
        min_value=1,
        max_value=50,
        initial=5,
        help_text=_("A record fails after so many errors that may pass."),
    )
    batch_size = forms.IntegerField(
        label=_("Batch size"),
        min_value=1,
        max_value=1000,
        initial=500,
        help_text=_("Records that a pass has in hand at most."),
    )
    log_days = WholeNumberField(label=_("Days that log lines are kept"), min_value=1, max_value=3650, initial=60)
    log_max_lines = WholeNumberField(
        label=_("Log lines kept at most"), min_value=1000, max_value=100_000_000, initial=1_000_000
    )
    scope_field = "access_scope"
    advanced = ["log_days", "log_max_lines"]
    folded = [
        (_("Advanced: load and priority"), LOAD),
        (_("Advanced: tenants"), TENANTS),
        (_("Advanced: retries and timeouts"), PATIENCE),
    ]
    advised = ADVISED
    clauses_help = _("A record must meet all clauses. Without any, the job takes every record.")

    def __init__(self, *args: Any, editor: Any, kind: Kind, job: JobDefinition | None = None, **kwargs: Any) -> None:
        self.job, self.kind = job, kind
        if kind.advised is not None:
            self.advised = [dict(clause) for clause in kind.advised]
        super().__init__(*args, **kwargs)
        self.offer_scope(editor, job)
        if not editor.everywhere:
            self._offer_own(editor)
        for name in ("clear_tag", "assign_tag"):
            widget: SuggestedInput = self.fields[name].widget  # type: ignore[assignment]
            widget.suggestions = known_tags()
        self._offer_sources()
        self.setting_names = self._add_settings()
        self.add_clauses(self._facts(editor), self.job.filters if self.job is not None else self.advised)
        self.sections = [
            ("", ["name", "enabled", "access_scope", "tenant", "tenant_groups"]),
            ("", ["data_source", "source_queue", *SWEEP_FIELDS, *self.setting_names]),
            (str(_("Filtering criteria")), [*self.clause_names, "add_fact"]),
            (str(_("After success")), ["clear_tag", "assign_tag", "publish_to"]),
            (str(_("Schedule")), ["schedule", "start_at", "weekday", "month_day", "cron", "time_zone"]),
        ]

    def _offer_own(self, editor: User) -> None:
        """To staff of some groups: scopes that name tenants, and queues of theirs besides those that are stored."""
        fields: Any = self.fields
        fields["access_scope"].choices = [choice for choice in AccessScope.choices if choice[0] in OF_SOME]
        own = Q(pk__in=within_reach(ProcessingQueue.objects.all(), editor).values("pk"))
        stored = self.job
        for name, kept in (
            ("source_queue", Q(pk=stored.source_queue_id) if stored else Q(pk=None)),
            ("publish_to", Q(fed_by=stored) if stored else Q(pk=None)),
        ):
            if name in fields:
                fields[name].queryset = ProcessingQueue.objects.filter(own | kept).order_by("name").distinct()

    def _offer_sources(self) -> None:
        """The deprecated source only where it may be chosen."""
        field: Any = self.fields.get("data_source")
        if field is not None and deprecated_barred(self.job):
            field.choices = [choice for choice in DataSource.choices if choice[0] != DataSource.STORAGE]

    def _add_settings(self) -> list[str]:
        """What the kind wants to know."""
        names = []
        for setting in self.kind.setting_fields():
            shared: dict[str, Any] = {"label": setting.label, "help_text": setting.help_text}
            if setting.choices is None:
                self.fields[setting.name] = forms.BooleanField(required=False, **shared)
            elif setting.ordered:
                self.fields[setting.name] = OrderedChoicesField(
                    choices=setting.choices, most=setting.ordered, required=False, **shared
                )
            elif setting.several:
                shared |= {"choices": setting.choices, "required": False, "widget": forms.CheckboxSelectMultiple}
                self.fields[setting.name] = forms.MultipleChoiceField(**shared)
            else:
                choices = [("", setting.blank or "—"), *setting.choices]
                shared["required"] = not setting.blank
                self.fields[setting.name] = forms.ChoiceField(choices=choices, **shared)
            if self.job is not None:
                stored = self.job.settings.get(setting.name)
                shown = [str(value) for value in stored or ()] if setting.several else stored
                self.initial.setdefault(setting.name, shown)
            names.append(setting.name)
        return names

    def _facts(self, editor: User) -> dict[str, FilterField]:
        """The kind's, the custom fields that the editor may see, and what the job asks already, deleted or not."""
        facts = self.kind.filter_fields
        stored = {clause["field"] for clause in self.job.filters} if self.job is not None else set()
        more = offered_fields(editor) if isinstance(facts, WithCustomFields) else {}
        kept = {name: facts[name] for name in sorted(stored - set(facts) - set(more)) if name in facts}
        return {**{name: facts[name] for name in facts}, **more, **kept}

    def clean(self) -> dict[str, Any]:
        """A time is needed where it counts."""
        cleaned = super().clean()
        timed = cleaned.get("schedule") in TIMED and cleaned.get("schedule") != Schedule.CRON
        if timed and cleaned.get("start_at") is None and "start_at" not in self.errors:
            self.add_error("start_at", _("This schedule needs a time of day."))
        return cleaned

    def start(self) -> Start:
        """When the simple schedules start."""
        cleaned = self.cleaned_data
        return Start(cleaned["start_at"] or time(0, 0), cleaned["weekday"] or "1", cleaned["month_day"] or "1")

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
        """What the service stores; the tenant is kept only by the scope that needs it, times become a cron expression."""
        cleaned = self.cleaned_data
        names = (
            "name",
            "enabled",
            "access_scope",
            "data_source",
            "source_queue",
            "clear_tag",
            "assign_tag",
            *SWEEP_FIELDS,
            "schedule",
            "time_zone",
            *LOAD,
            *TENANTS,
            *PATIENCE,
            *JobForm.advanced,
        )
        return {
            **{name: cleaned[name] for name in names},
            "ended_records": cleaned["ended_records"] or EndedRecords.LEAVE,
            "kind": self.kind.key,
            "tenant": self.tenant_of_scope(),
            "cron": cron_of(cleaned["schedule"], self.start(), cleaned["cron"]),
            "settings": {name: cleaned[name] for name in self.setting_names},
            "filters": self.filters(),
        }


class CloneForm(forms.Form):
    """The name of a copy."""

    name = forms.CharField(label=_("Name"), max_length=120)


def initial_of(job: JobDefinition) -> dict[str, Any]:
    """The stored values as the form shows them."""
    names = (
        "name",
        "enabled",
        "access_scope",
        "tenant",
        "data_source",
        "source_queue",
        "clear_tag",
        "assign_tag",
        *SWEEP_FIELDS,
        "schedule",
        "cron",
        "time_zone",
        *LOAD,
        *TENANTS,
        *PATIENCE,
        "log_days",
        "log_max_lines",
        "version",
    )
    stored = {name: getattr(job, name) for name in names}
    start = start_of(job.schedule, job.cron)
    stored |= {"start_at": start.at, "weekday": start.weekday, "month_day": start.month_day}
    if job.schedule != Schedule.CRON:
        stored["cron"] = ""
    return {**stored, "tenant_groups": job.tenant_groups.all(), "publish_to": job.publish_to.all()}
