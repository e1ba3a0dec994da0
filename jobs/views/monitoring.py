"""The four tabs of a job's page: Latest run, All runs, Processing records, Logs (domain M3–M11)."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from core.bulk import BulkMixin
from core.exports import csv_response
from core.pages import Crumbs, KeysetListPage, ListPage, Page, Text, stamp_of, with_query
from jobs.actions import abort_records, delete_records, retry_records
from jobs.describing import facts, next_runs, scope_text
from jobs.filtersets import LogFilter, RecordFilter
from jobs.models import JobDefinition, LogEntry, Pass, Record, Run
from jobs.schedules import text_of
from jobs.selectors import (
    StateCounts,
    count_states,
    jobs_for_pages,
    latest_pass,
    latest_run,
    logs_of,
    records_of,
    runs_of,
)
from jobs.services import delete_logs
from jobs.tables import LogTable, RecordTable, RunTable
from jobs.views.definitions import delete_message, job_crumbs

TABS = [
    ("jobs:latest_run", gettext_lazy("Latest run")),
    ("jobs:runs", gettext_lazy("All runs")),
    ("jobs:records", gettext_lazy("Processing records")),
    ("jobs:logs", gettext_lazy("Logs")),
]
TILES = [
    ("completed", gettext_lazy("Completed"), "circle-check", "success"),
    ("in_progress", gettext_lazy("In Progress"), "loader-2", "info"),
    ("failed", gettext_lazy("Failed"), "alert-circle", "danger"),
    ("aborted", gettext_lazy("Aborted"), "ban", "warning"),
    ("skipped", gettext_lazy("Skipped"), "player-skip-forward", "muted"),
]


class JobTab(Page):
    """The head that all tabs share. ``tab`` is the route of the tab."""

    tab = ""
    live = True

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the job with what its head shows."""
        super().setup(request, *args, **kwargs)
        self.job: JobDefinition = get_object_or_404(jobs_for_pages(), pk=kwargs["pk"])

    def get_title(self) -> Text:
        """The guide's title."""
        return _("Job «%(name)s»") % {"name": self.job.name}

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return job_crumbs()

    def context(self, **extra: Any) -> dict[str, Any]:
        """Facts, buttons and tabs."""
        return super().context(
            job=self.job,
            scope=scope_text(self.job),
            job_facts=facts(self.job),
            schedule_text=text_of(self.job.schedule, self.job.cron),
            next_runs=next_runs(self.job),
            pending=self.job.pending,  # type: ignore[attr-defined]
            tabs=[
                {"label": label, "url": reverse(route, args=[self.job.pk]), "active": route == self.tab}
                for route, label in TABS
            ],
            **self.queue_links(),
            **self.buttons(),
            **extra,
        )

    def queue_links(self) -> dict[str, Any]:
        """Source and destination queues as links to the form, or to the list for those who may only look."""
        may_edit = viewer(self.request).has(Permission.QUEUES_EDIT)

        def url(queue_id: int) -> str:
            return reverse("queues:queue", args=[queue_id]) if may_edit else reverse("queues:queues")

        destinations = [(queue, url(queue.pk)) for queue in self.job.publish_to.all()]
        return {"source_queue_url": url(self.job.source_queue_id), "destinations": destinations}

    def buttons(self) -> dict[str, Any]:
        """Start, Pause and Stop, or Enable; Edit; Clone; Delete with the count. A poll shows none of them."""
        if self.polled or not viewer(self.request).has(Permission.JOBS_EDIT):
            return {}
        states = {"enabled": ["start", "pause", "stop"], "paused": ["start", "stop"], "disabled": ["enable"]}
        names = ["edit", "clone", "delete", *states[self.job.status]]
        urls = {f"{name}_url": reverse(f"jobs:{name}", args=[self.job.pk]) for name in names}
        return {**urls, "delete_message": delete_message(self.job, Record.objects.filter(job=self.job).count())}


class LatestRun(JobTab):
    """The run of the newest day and its newest pass, live."""

    tab = "jobs:latest_run"
    template_name = "jobs/latest_run.html"
    region = "latest-run"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page or its region."""
        run = latest_run(self.job)
        sweep = latest_pass(run) if run is not None else None
        running = sweep is not None and sweep.state == Pass.State.RUNNING
        context = self.context(
            run=run,
            sweep=sweep,
            run_state="running" if running else "finished",
            execution_time=execution_time(sweep) if sweep is not None else "",
            in_progress=self.job.in_progress,  # type: ignore[attr-defined]
        )
        shown = [vars_of(row) for row in (run, sweep) if row is not None]
        return self.show(context, stamp=stamp_of(self.job.in_progress, *shown))  # type: ignore[attr-defined]


def vars_of(row: Run | Pass) -> list[Any]:
    """All stored values of a row."""
    return [getattr(row, field.attname) for field in row._meta.concrete_fields]


def execution_time(sweep: Pass) -> str:
    """ "2 seconds" as the guide shows it; empty while the pass runs."""
    if sweep.ended_at is None:
        return ""
    seconds = max(round((sweep.ended_at - sweep.started_at).total_seconds()), 0)
    return ngettext("%(n)s second", "%(n)s seconds", seconds) % {"n": seconds}


class RunList(JobTab, ListPage):
    """All runs: one a calendar day."""

    tab = "jobs:runs"
    template_name = "jobs/all_runs.html"
    table_class = RunTable
    live = False

    def get_queryset(self) -> QuerySet[Run]:
        """Runs with both ways to count recovered errors."""
        return runs_of(self.job)

    def empty(self) -> dict[str, Any]:
        """Before the first run."""
        return {"icon": "history", "title": _("This job has not run yet")}


class RecordList(JobTab, KeysetListPage):
    """Processing records with the five counters as filters."""

    tab = "jobs:records"
    template_name = "jobs/records.html"
    region = "records"
    table_class = RecordTable
    filterset_class = RecordFilter
    bulk_actions = [
        {"name": "retry", "label": gettext_lazy("Retry"), "icon": "refresh"},
        {"name": "abort", "label": gettext_lazy("Abort"), "icon": "ban"},
        {"name": "delete", "label": gettext_lazy("Delete"), "icon": "trash", "danger": True},
        {"name": "export", "label": gettext_lazy("Export"), "icon": "table-export"},
    ]

    def get_queryset(self) -> QuerySet[Record]:
        """Records of this job."""
        return records_of(self.job, viewer(self.request))

    def may_edit(self) -> bool:
        """Bulk actions need their own permission."""
        return viewer(self.request).has(Permission.RECORDS_EDIT)

    def table_arguments(self) -> dict[str, Any]:
        """Check boxes for those who may act."""
        return {"may_edit": self.may_edit()}

    def bulk_url(self) -> str:
        """Retry, abort, delete, export."""
        return reverse("jobs:records_bulk", args=[self.job.pk])

    def shown(self, table: Any) -> Iterable[Any]:
        """The rows and the tiles: a counter may change while the rows of the page do not."""
        yield self.counts
        yield from super().shown(table)

    @cached_property
    def counts(self) -> StateCounts:
        """The five counters under all filters but the status."""
        data = self.request.GET.copy()
        data.pop("status", None)
        filterset = self.filterset(data)
        return count_states(filterset.qs.select_related(None)) if filterset.is_valid() else StateCounts()

    def more_context(self) -> dict[str, Any]:
        """The tiles."""
        counts, chosen = self.counts, self.request.GET.get("status")
        tiles = []
        for state, label, icon, tone in TILES:
            query = QueryDict(mutable=True)
            query.update(self.request.GET)
            for name in ("status", "before", "after", "from"):
                query.pop(name, None)
            if state != chosen:
                query["status"] = state
            url = with_query(reverse(self.tab, args=[self.job.pk]), query)
            number = f"{getattr(counts, state):,}"
            tile = {"label": label, "value": number, "icon": icon, "tone": tone, "url": url, "active": state == chosen}
            tiles.append(tile)
        return {"tiles": tiles, **({} if self.may_edit() else {"bulk_actions": []})}

    def empty(self) -> dict[str, Any]:
        """Before the first record."""
        return {
            "icon": "inbox",
            "title": _("No processing records yet"),
            "text": _("A record appears as soon as the job takes one from its queue."),
        }


class RecordBulk(BulkMixin, RecordList):
    """Retry, Abort, Delete and Export of the chosen records."""

    http_method_names = ["post"]

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What each action does."""
        return {
            "retry": (_("Retry"), _("Records in a final state start anew; their history stays.")),
            "abort": (_("Abort"), _("Records in progress end; answers that come later change nothing.")),
            "delete": (_("Delete"), _("Processing records that have ended are removed, not the calls.")),
            "export": (_("Export"), ""),
        }

    def asks(self, action: str) -> bool:
        """An export changes nothing."""
        return action != "export"

    def list_url(self) -> str:
        """The tab."""
        return reverse("jobs:records", args=[self.job.pk])

    def perform(self, action: str, rows: QuerySet[Record]) -> str | HttpResponseBase:
        """Through the services, with one audit row for the whole."""
        if action == "export":
            table = self.make_table(rows.select_related("job", "tenant"))
            return csv_response(str(self.get_title()), table.header(), table.export())
        acts = {"retry": retry_records, "abort": abort_records, "delete": delete_records}
        user = viewer(self.request)
        chosen = "all matching " + self.request.GET.urlencode() if self.request.POST.get("all_matching") else "ticked"
        number = acts[action](records=rows, actor=user.actor, audit_tenant=user.tenant, chosen=chosen)
        return {
            "retry": ngettext("%(n)s record is retried.", "%(n)s records are retried.", number),
            "abort": ngettext("%(n)s record was aborted.", "%(n)s records were aborted.", number),
            "delete": ngettext("%(n)s record was deleted.", "%(n)s records were deleted.", number),
        }[action] % {"n": f"{number:,}"}


class LogList(JobTab, KeysetListPage):
    """The job's log."""

    tab = "jobs:logs"
    template_name = "jobs/logs.html"
    region = "logs"
    table_class = LogTable
    filterset_class = LogFilter
    bulk_actions = [{"name": "delete", "label": gettext_lazy("Delete"), "icon": "trash", "danger": True}]

    def get_queryset(self) -> QuerySet[LogEntry]:
        """Lines of this job."""
        return logs_of(self.job, viewer(self.request))

    def may_edit(self) -> bool:
        """Deleting needs the permission to edit jobs."""
        return viewer(self.request).has(Permission.JOBS_EDIT)

    def table_arguments(self) -> dict[str, Any]:
        """Check boxes for those who may delete."""
        return {"may_edit": self.may_edit()}

    def bulk_url(self) -> str:
        """Delete."""
        return reverse("jobs:logs_bulk", args=[self.job.pk])

    def more_context(self) -> dict[str, Any]:
        """No bulk actions for those who may only look."""
        return {} if self.may_edit() else {"bulk_actions": []}

    def empty(self) -> dict[str, Any]:
        """A quiet job."""
        return {
            "icon": "logs",
            "title": _("No log lines"),
            "text": _("Warnings and errors of records and of the job itself appear here."),
        }


class LogBulk(BulkMixin, LogList):
    """Delete the chosen log lines."""

    http_method_names = ["post"]

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What is deleted."""
        return {"delete": (_("Delete"), _("The log lines are removed; records and calls stay."))}

    def list_url(self) -> str:
        """The tab."""
        return reverse("jobs:logs", args=[self.job.pk])

    def perform(self, action: str, rows: QuerySet[LogEntry]) -> str | HttpResponseBase:
        """Through the service."""
        user = viewer(self.request)
        number = delete_logs(job=self.job, entries=rows, actor=user.actor, audit_tenant=user.tenant)
        return ngettext("%(n)s line was deleted.", "%(n)s lines were deleted.", number) % {"n": f"{number:,}"}
