"""The head of a job's page with its four tabs, and the tabs Latest run and All runs (domain M3–M8)."""

import math
import zoneinfo
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from core.counting import COUNT_LIMIT, count_text
from core.pages import Crumbs, ListPage, Page, Text, stamp_of
from jobs import charts
from jobs.describing import facts, next_runs, scope_text
from jobs.models import DataSource, JobDefinition, Pass, Run
from jobs.progress import speed_of
from jobs.pulse import pulse
from jobs.schedules import text_of
from jobs.selectors import jobs_for_pages, latest_pass, latest_run, runs_of
from jobs.sweeps.progress import progress_of
from jobs.tables import RunTable
from jobs.views.definitions import delete_message, job_crumbs
from queues.reach import beyond_text, is_within

TABS = [
    ("jobs:latest_run", gettext_lazy("Latest run")),
    ("jobs:runs", gettext_lazy("All runs")),
    ("jobs:records", gettext_lazy("Processing records")),
    ("jobs:logs", gettext_lazy("Logs")),
]
TOKEN_PAGES = [("token", "token"), ("reset", "token_reset")]


COMPARED = [
    "passes",
    "taken",
    "uploaded",
    "completed",
    "skipped",
    "failed",
    "errors",
    "recovered",
    "recovered_by_guide",
    "waiting_checks",
]


class JobTab(Page):
    """The head that all tabs share. ``tab`` is the route of the tab."""

    tab = ""
    live = True

    @cached_property
    def job(self) -> JobDefinition:
        """The job with what its head shows. Raises Http404."""
        job: JobDefinition = get_object_or_404(jobs_for_pages(), pk=self.kwargs["pk"])
        return job

    @cached_property
    def version(self) -> str:
        """What the tab shows, in one cheap query: a poll that finds it unchanged looks at nothing else."""
        marks = pulse(self.kwargs["pk"])
        return stamp_of(self.tab, self.request.get_full_path(), viewer(self.request).pk, *marks) if marks else ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """204 to a poll when nothing has changed. The version is taken first: what changes later is seen next time.

        Raises Http404.
        """
        if request.method != "GET":
            # Of a job that is not there nothing else can be wrong.
            _found = self.job
        elif self.version and self.polled and request.headers.get("If-None-Match") == self.version:
            return HttpResponse(status=204)
        return super().dispatch(request, *args, **kwargs)

    def show(self, context: Mapping[str, Any], *, status: int = 200, stamp: str = "") -> HttpResponse:
        """With the version of the job instead of that of the rows."""
        return super().show(context, status=status, stamp=self.version)

    def shown(self, table: Any) -> Iterable[Any]:
        """Nothing: the version of the job says it."""
        return ()

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
        source = self.job.source_queue_id
        return {"source_queue_url": url(source) if source is not None else "", "destinations": destinations}

    def buttons(self) -> dict[str, Any]:
        """Start, Pause and Stop, or Enable; Edit; Clone; Delete with the count. A poll shows none of them."""
        if self.polled or not viewer(self.request).has(Permission.JOBS_EDIT):
            return {}
        if not is_within(self.job, viewer(self.request)):
            return {"beyond": beyond_text(self.job)}
        states = {"enabled": ["start", "pause", "stop"], "paused": ["start", "stop"], "disabled": ["enable"]}
        names = ["edit", "clone", "delete", *states[self.job.status]]
        urls = {f"{name}_url": reverse(f"jobs:{name}", args=[self.job.pk]) for name in names}
        return {**urls, "delete_message": delete_message(self.job)}


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
        outstanding = self.job.in_progress + self.job.pending  # type: ignore[attr-defined]
        many = self.job.in_progress > COUNT_LIMIT  # type: ignore[attr-defined]
        speed = speed_of(self.job, outstanding)
        context = self.context(
            speed=f"{speed.a_minute:,.1f}",
            outstanding=f"{outstanding:,}+" if many else outstanding,
            done_in=_("more than %(time)s") % {"time": duration_text(speed.left)}
            if many
            else duration_text(speed.left),
            run=run,
            sweep=sweep,
            run_state="running" if running else "finished",
            execution_time=execution_time(sweep) if sweep is not None else "",
            in_progress=count_text(self.job.in_progress),  # type: ignore[attr-defined]
        )
        if (progress := progress_of(self.job, self.job.in_progress)) is not None:  # type: ignore[attr-defined]
            context |= {"sweep_progress": progress, **self.token_links()}
        return self.show(context)

    def token_links(self) -> dict[str, str]:
        """The pages of the continuation token, for those who may change the job."""
        if self.job.data_source != DataSource.TOKEN or not viewer(self.request).has(Permission.JOBS_EDIT):
            return {}
        return {f"{name}_url": reverse(f"jobs:{route}", args=[self.job.pk]) for name, route in TOKEN_PAGES}


def duration_text(left: timedelta | None) -> str:
    """ "about 12 minutes", "about 3 hours"; empty when it cannot be said or nothing is left."""
    if not left:
        return ""
    minutes = max(math.ceil(left.total_seconds() / 60), 1)
    if minutes < 90:
        return ngettext("about %(n)s minute", "about %(n)s minutes", minutes) % {"n": minutes}
    hours = round(minutes / 60)
    return ngettext("about %(n)s hour", "about %(n)s hours", hours) % {"n": f"{hours:,}"}


def execution_time(sweep: Pass) -> str:
    """ "2 seconds" as the guide shows it; empty while the pass runs."""
    if sweep.ended_at is None:
        return ""
    seconds = max(round((sweep.ended_at - sweep.started_at).total_seconds()), 0)
    return ngettext("%(n)s second", "%(n)s seconds", seconds) % {"n": seconds}


class RunList(JobTab, ListPage):
    """All runs: one a calendar day, the last thirty days as a chart, and two runs side by side (domain M7, M8)."""

    tab = "jobs:runs"
    template_name = "jobs/all_runs.html"
    region = "runs"
    table_class = RunTable

    def get_queryset(self) -> QuerySet[Run]:
        """Runs with both ways to count recovered errors."""
        return runs_of(self.job)

    def more_context(self) -> dict[str, Any]:
        """The chart, and the comparison when two runs are named."""
        by_guide = self.request.GET.get("count") == "guide"
        today = timezone.now().astimezone(zoneinfo.ZoneInfo(self.job.time_zone)).date()
        recent = list(runs_of(self.job).order_by("-number")[: charts.DAYS])
        query = self.request.GET.copy()
        query.pop("count", None)
        if not by_guide:
            query["count"] = "guide"
        days = charts.days_of({run.day: run for run in recent}, today, by_guide=by_guide)
        return {
            "chart": charts.chart_of(days) if recent else None,
            "by_guide": by_guide,
            "guide_url": f"?{query.urlencode()}",
            "choices": recent,
            "compared": self.compared(),
        }

    def compared(self) -> dict[str, Any]:
        """Two runs by their numbers: each counter of both and the difference. Empty unless both are there."""
        wanted = [self.request.GET.get(name, "") for name in ("a", "b")]
        numbers = [int(number) for number in wanted if number.isascii() and number.isdigit() and len(number) < 10]
        if len(numbers) < 2:
            return {}
        found = {run.number: run for run in runs_of(self.job).filter(number__in=numbers)}
        if not found.keys() >= {*numbers}:
            return {}
        first, second = (found[number] for number in numbers)
        rows = []
        for name in COMPARED:
            one, other = getattr(first, name), getattr(second, name)
            label = Run._meta.get_field(name).verbose_name  # type: ignore[union-attr]
            rows.append({"label": label, "a": one, "b": other, "difference": f"{other - one:+,}"})
        return {"a": first, "b": second, "rows": rows}

    def empty(self) -> dict[str, Any]:
        """Before the first run."""
        return {"icon": "history", "title": _("This job has not run yet")}
