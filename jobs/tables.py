"""Tables of the job pages: jobs, runs, processing records, logs."""

from collections.abc import Mapping
from typing import Any

import django_tables2 as tables
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.counting import count_text
from core.tables import EMPTY, NumberColumn, PageTable, SelectionColumn, TextColumn, TimeColumn, badge, link, show_time
from jobs.describing import place_text, scope_text
from jobs.kinds import kind_of
from jobs.models import JobDefinition, LogEntry, Record, Run, Schedule
from jobs.overview import Overview
from jobs.schedules import TIMED, text_of


class JobTable(PageTable):
    """Name, state, scope, source queue with its depth, engine, schedule, last run, progress."""

    selection = SelectionColumn()
    name = tables.Column(verbose_name=gettext_lazy("Name"))
    enabled = tables.Column(verbose_name=gettext_lazy("Status"))
    access_scope = tables.Column(verbose_name=gettext_lazy("Access scope"))
    source_queue = tables.Column(verbose_name=gettext_lazy("Source Queue"), order_by="source_queue__name")
    pending = NumberColumn(verbose_name=gettext_lazy("Pending"))
    lag = tables.Column(accessor="pk", verbose_name=gettext_lazy("Lag"), orderable=False)
    setting = TextColumn(accessor="pk", verbose_name=gettext_lazy("Engine"), orderable=False)
    schedule = tables.Column(verbose_name=gettext_lazy("Schedule"))
    last_activity = TimeColumn(verbose_name=gettext_lazy("Last run"), ago=True)
    month = tables.Column(accessor="pk", verbose_name=gettext_lazy("30 days"), orderable=False)
    trouble = TextColumn(
        accessor="pk", verbose_name=gettext_lazy("Trouble"), orderable=False, attrs={"td": {"class": "p-roomy"}}
    )
    progress = tables.Column(accessor="in_progress", verbose_name=gettext_lazy("Progress"), orderable=False)

    class Meta(PageTable.Meta):
        order_by = "name"
        # How it goes comes first; how it is set is what a small screen scrolls to.
        sequence = ("selection", "name", "enabled", "pending", "lag", "progress", "month", "trouble", "...")

    def __init__(
        self,
        *args: Any,
        settings: Mapping[int, str],
        overviews: Mapping[int, Overview],
        may_edit: bool = False,
        **kwargs: Any,
    ) -> None:
        self.settings, self.overviews = settings, overviews
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("selection",))

    def render_name(self, value: str, record: JobDefinition) -> str:
        """A link to the job's page."""
        return link(reverse("jobs:job", args=[record.pk]), value)

    def value_name(self, value: str) -> str:
        """The bare name."""
        return value

    def render_enabled(self, record: JobDefinition) -> str:
        """Running, enabled, paused or disabled."""
        running = record.status == "enabled" and record.running  # type: ignore[attr-defined]
        return badge("running" if running else record.status)

    def value_enabled(self, record: JobDefinition) -> str:
        """One word."""
        return {"enabled": _("Enabled"), "paused": _("Paused"), "disabled": _("Disabled")}[record.status]

    def render_access_scope(self, record: JobDefinition) -> str:
        """The guide's label."""
        return scope_text(record)

    def render_source_queue(self, record: JobDefinition) -> str:
        """The name, and whether nothing is taken from it."""
        if record.source_queue is None:
            return EMPTY
        note = badge("paused", "", _("Jobs take nothing from it.")) if record.source_queue.paused else ""
        return format_html("<bdi>{}</bdi> {}", record.source_queue.name, note)

    def value_source_queue(self, record: JobDefinition) -> str:
        """The bare name."""
        return record.source_queue.name if record.source_queue is not None else ""

    def render_setting(self, record: JobDefinition) -> str:
        """What the job works with."""
        return format_html("<bdi>{}</bdi>", self.settings.get(record.pk, ""))

    def value_setting(self, record: JobDefinition) -> str:
        """The bare name."""
        return self.settings.get(record.pk, "")

    def render_schedule(self, record: JobDefinition) -> str:
        """The schedule; a timed one with its zone and, when the job is awake, its next start."""
        text = text_of(record.schedule, record.cron)
        if record.schedule not in TIMED:
            return text
        if record.schedule == Schedule.CRON:
            text = format_html('<code dir="ltr">{}</code>', record.cron)
        text = format_html('{} <span class="p-soft" dir="ltr">{}</span>', text, record.time_zone)
        if record.status != "enabled":
            return text
        return format_html("{}<br>{} {}", text, _("Next start:"), show_time(record.next_start_at))

    def value_schedule(self, record: JobDefinition) -> str:
        """One line."""
        text = record.cron if record.schedule == Schedule.CRON else text_of(record.schedule, record.cron)
        return f"{text} {record.time_zone}" if record.schedule in TIMED else text

    def render_lag(self, record: JobDefinition) -> str:
        """How long the oldest record waits that is due or pending."""
        since = self.overviews[record.pk].waiting_since
        return timesince(since) if since is not None else EMPTY

    def value_lag(self, record: JobDefinition) -> str:
        """Since when, ISO 8601; empty when nothing waits."""
        since = self.overviews[record.pk].waiting_since
        return since.isoformat(timespec="seconds") if since is not None else ""

    def render_month(self, record: JobDefinition) -> str:
        """A bar a day."""
        return render_to_string("jobs/sparkline.html", {"spark": self.overviews[record.pk].spark})

    def value_month(self, record: JobDefinition) -> int:
        """What was processed in thirty days."""
        return int(self.overviews[record.pk].spark["total"])

    def render_trouble(self, record: JobDefinition) -> str:
        """Who has to act, and what the last failures have in common."""
        overview = self.overviews[record.pk]
        return format_html("{} <bdi>{}</bdi>", badge("warning") if overview.blocked else "", overview.trouble or EMPTY)

    def value_trouble(self, record: JobDefinition) -> str:
        """The sentence."""
        return self.overviews[record.pk].trouble

    def render_progress(self, record: JobDefinition) -> str:
        """Counters of the newest run and what is in progress now."""
        run = record.last_run or {}  # type: ignore[attr-defined]
        ended = _("%(done)s completed, %(failed)s failed") % {
            "done": run.get("completed", 0),
            "failed": run.get("failed", 0),
        }
        rest = _("%(skipped)s skipped, %(open)s in progress") % {
            "skipped": run.get("skipped", 0),
            "open": count_text(record.in_progress),  # type: ignore[attr-defined]
        }
        bar = render_to_string("jobs/segments.html", {"segments": _segments(record), "text": f"{ended}, {rest}"})
        return format_html('{}<span class="p-nowrap">{}</span><br><span class="p-nowrap">{}</span>', bar, ended, rest)

    def value_progress(self, record: JobDefinition) -> int:
        """How many records are in progress."""
        return record.in_progress  # type: ignore[attr-defined]


def _segments(job: JobDefinition) -> list[dict[str, Any]]:
    """The parts of a bar of 120: how the records of the newest run ended, and what is in progress."""
    run = job.last_run or {}  # type: ignore[attr-defined]
    numbers = {name: run.get(name, 0) for name in ("completed", "failed", "skipped")}
    numbers["open"] = job.in_progress  # type: ignore[attr-defined]
    total, start, parts = sum(numbers.values()), 0.0, []
    for name, number in numbers.items():
        width = round(120 * number / total, 1) if total else 0
        if width:
            parts.append({"state": name, "x": round(start, 1), "width": width})
        start += width
    return parts


class RunTable(PageTable):
    """All runs: one a calendar day (domain M7, C22)."""

    number = NumberColumn(verbose_name=gettext_lazy("Run"))
    day = tables.DateColumn(format="Y-m-d", verbose_name=gettext_lazy("Day"), attrs={"td": {"class": "p-nowrap"}})
    # Exported only: the numbers need the width.
    started_at = TimeColumn(verbose_name=gettext_lazy("Start Time"), visible=False)
    last_activity_at = TimeColumn(verbose_name=gettext_lazy("Last activity"), visible=False)
    passes = NumberColumn(verbose_name=gettext_lazy("Passes"))
    taken = NumberColumn(verbose_name=gettext_lazy("Taken"))
    uploaded = NumberColumn(verbose_name=gettext_lazy("Uploaded"))
    completed = NumberColumn(verbose_name=gettext_lazy("Completed"))
    skipped = NumberColumn(verbose_name=gettext_lazy("Skipped"))
    failed = NumberColumn(verbose_name=gettext_lazy("Failed"))
    errors = NumberColumn(verbose_name=gettext_lazy("Errors"))
    recovered = NumberColumn(verbose_name=gettext_lazy("Recovered errors"))
    recovered_by_guide = NumberColumn(verbose_name=gettext_lazy("Recovered, checks counted"))

    class Meta(PageTable.Meta):
        order_by = "-number"

    def value_day(self, record: Run) -> str:
        """ISO."""
        return record.day.isoformat()


class RecordTable(PageTable):
    """Processing records (domain M9)."""

    selection = SelectionColumn()
    last_processed_at = TimeColumn(verbose_name=gettext_lazy("Time processed"), seconds=True)
    state = tables.Column(verbose_name=gettext_lazy("Status"))
    record_id = tables.Column(verbose_name=gettext_lazy("Record ID"))
    tenant = TextColumn(verbose_name=gettext_lazy("Tenant"))
    checks = NumberColumn(verbose_name=gettext_lazy("Retries"))
    next_at = TimeColumn(verbose_name=gettext_lazy("Next retry"), seconds=True)
    last_error = tables.Column(verbose_name=gettext_lazy("Last error"), empty_values=())
    reason = tables.Column(verbose_name=gettext_lazy("Reason"), visible=False)  # exported only
    # Shown where the job has several, and exported.
    place = TextColumn(verbose_name=gettext_lazy("Engine"), visible=False)

    def __init__(self, *args: Any, may_edit: bool = False, chained: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("selection",))
        self.places: dict[int, list[str]] = {}
        if chained:
            self.columns.show("place")

    def render_place(self, record: Record) -> str:
        """Which of the job's engines is at it, or was."""
        return format_html("<bdi>{}</bdi>", self.value_place(record) or EMPTY)

    def value_place(self, record: Record) -> str:
        """The name with its number; empty where the job has one engine."""
        if record.job_id not in self.places:
            self.places[record.job_id] = kind_of(record.job).places(record.job.settings)
        return place_text(self.places[record.job_id], record.place)

    def render_state(self, record: Record) -> str:
        """A badge; why a record in progress waits stands in its title."""
        note = str(record.get_wait_display()) if record.state == Record.State.IN_PROGRESS else ""
        return badge(record.state, str(record.get_state_display()), note)

    def value_state(self, record: Record) -> str:
        """The word."""
        return str(record.get_state_display())

    def render_record_id(self, record: Record) -> str:
        """A link to the record's page."""
        url = reverse("jobs:record", args=[record.job_id, record.pk])
        return format_html('<a href="{}" class="p-mono" dir="ltr">{}</a>', url, record.record_id)

    def value_record_id(self, record: Record) -> str:
        """The id."""
        return str(record.record_id)

    def render_checks(self, record: Record) -> str:
        """ "20 / 50" as in the guide: checks of those that are allowed (domain C19)."""
        return f"{record.checks} / {record.job.max_checks}"

    def render_next_at(self, record: Record) -> str:
        """Only what is in progress comes again."""
        return show_time(record.next_at if record.state == Record.State.IN_PROGRESS else None, seconds=True)

    def value_next_at(self, record: Record) -> str:
        """ISO 8601, or empty."""
        return record.next_at.isoformat(timespec="seconds") if record.state == Record.State.IN_PROGRESS else ""

    def render_last_error(self, record: Record) -> str:
        """The last error, else the reason as a sentence."""
        return format_html("<bdi>{}</bdi>", record.last_error or record.reason_label or EMPTY)

    def value_last_error(self, record: Record) -> str:
        """As shown."""
        return record.last_error or record.reason_label


class DeadLetterTable(RecordTable):
    """Dead letters of a queue: whose they are, why they ended, how old they are."""

    job = TextColumn(verbose_name=gettext_lazy("Job"))
    reason = tables.Column(verbose_name=gettext_lazy("Cause"), attrs={"td": {"class": "p-roomy"}})
    created_at = TimeColumn(verbose_name=gettext_lazy("Published"), seconds=True)
    finished_at = TimeColumn(verbose_name=gettext_lazy("Ended"), seconds=True)
    last_processed_at = None  # type: ignore[assignment]
    next_at = None  # type: ignore[assignment]
    checks = None  # type: ignore[assignment]
    place = None  # type: ignore[assignment]

    class Meta(PageTable.Meta):
        sequence = (
            "selection",
            "finished_at",
            "state",
            "record_id",
            "tenant",
            "reason",
            "last_error",
            "created_at",
            "job",
        )

    def render_last_error(self, record: Record) -> str:
        """The engine's words alone: the cause stands beside."""
        return format_html("<bdi>{}</bdi>", record.last_error or EMPTY)

    def render_reason(self, record: Record) -> str:
        """The sentence."""
        return format_html("<bdi>{}</bdi>", record.reason_label)

    def value_reason(self, record: Record) -> str:
        """The code."""
        return record.reason


class LogTable(PageTable):
    """Logs (domain M11)."""

    selection = SelectionColumn()
    run = NumberColumn(accessor="run__number", verbose_name=gettext_lazy("Run"))
    at = TimeColumn(verbose_name=gettext_lazy("Date/Time"), seconds=True)
    severity = tables.Column(verbose_name=gettext_lazy("Severity"))
    record_uuid = tables.Column(verbose_name=gettext_lazy("Record ID"))
    message = TextColumn(verbose_name=gettext_lazy("Message"))

    def __init__(self, *args: Any, may_edit: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("selection",))

    def render_severity(self, record: LogEntry) -> str:
        """A badge."""
        return badge(record.severity, str(record.get_severity_display()))

    def value_severity(self, record: LogEntry) -> str:
        """The word."""
        return str(record.get_severity_display())

    def render_record_uuid(self, record: LogEntry, value: Any) -> str:
        """A link while the record is there."""
        if record.record_id is None:
            return format_html('<span class="p-mono" dir="ltr">{}</span>', value)
        url = reverse("jobs:record", args=[record.job_id, record.record_id])
        return format_html('<a href="{}" class="p-mono" dir="ltr">{}</a>', url, value)

    def value_record_uuid(self, value: Any) -> str:
        """The id."""
        return str(value)
