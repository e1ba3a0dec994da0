"""The list of jobs, their form, and what changes a job as a whole."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from accounts.permissions import Permission
from accounts.policy import viewer
from core.bulk import ENABLE, BulkMixin
from core.counting import count_text, counted
from core.pages import ActionPage, ConfirmPage, Crumbs, ListPage, Text
from jobs.bulk_actions.of_jobs import change_jobs
from jobs.describing import setting_names
from jobs.filtersets import JobFilter
from jobs.models import JobDefinition, Record, Schedule
from jobs.overview import Obstacles, obstacles_of_kinds, overviews
from jobs.pulse import pulse_of_all
from jobs.selectors import jobs_for_pages
from jobs.services import delete_job, pause_job, set_enabled, start_job
from jobs.tables import JobTable
from queues.reach import within_reach

TITLE = gettext_lazy("Jobs")
SKIPPED_SHOWN = 10
ROOT: Crumbs = [
    (gettext_lazy("Administration"), None),
    (gettext_lazy("Speech Analytics"), None),
    (gettext_lazy("Transcription"), None),
]


def job_crumbs(job: JobDefinition | None = None) -> Crumbs:
    """The way to pages below the list, or below a job."""
    crumbs: Crumbs = [*ROOT, (TITLE, reverse("jobs:jobs"))]
    return [*crumbs, (job.name, reverse("jobs:job", args=[job.pk]))] if job is not None else crumbs


@require_safe
def definitions(request: HttpRequest) -> HttpResponse:
    """The guides' other name of the list (domain C32)."""
    return redirect("jobs:jobs", permanent=False)


@require_safe
def job(request: HttpRequest, pk: int) -> HttpResponse:
    """A job's page opens on its latest run."""
    return redirect("jobs:latest_run", pk=get_object_or_404(JobDefinition.objects.only("pk"), pk=pk).pk)


class JobList(ListPage):
    """All jobs, with live progress."""

    title = TITLE
    template_name = "jobs/job_list.html"
    table_class = JobTable
    filterset_class = JobFilter
    live = True
    bulk_actions = [
        ENABLE,
        {"name": "start", "label": gettext_lazy("Start"), "icon": "player-play"},
        {"name": "pause", "label": gettext_lazy("Pause"), "icon": "player-pause"},
        {"name": "disable", "label": gettext_lazy("Disable"), "icon": "player-stop", "danger": True},
    ]

    def breadcrumbs(self) -> Crumbs:
        """Administration > Speech Analytics > Transcription."""
        return ROOT

    def get_queryset(self) -> QuerySet[JobDefinition]:
        """Jobs with queue depth and newest run."""
        return jobs_for_pages()

    def pulse(self) -> tuple[Any, ...]:
        """What jobs, queues and passes did last, and what engines are in their way."""
        return (viewer(self.request).pk, *pulse_of_all(), self.obstacles)

    @cached_property
    def obstacles(self) -> Obstacles:
        """Of the kinds that have jobs; asked once a request."""
        return obstacles_of_kinds({job.kind for job in self.jobs})

    @cached_property
    def jobs(self) -> list[JobDefinition]:
        """All jobs, which are few."""
        return list(JobDefinition.objects.select_related("source_queue"))

    def table_arguments(self) -> dict[str, Any]:
        """The engines' names and the overviews, once for all rows."""
        if not hasattr(self, "names"):
            self.names, self.overviews = setting_names(self.jobs), overviews(self.jobs, self.obstacles)
        return {"settings": self.names, "overviews": self.overviews, "may_edit": self.may_edit()}

    def may_edit(self) -> bool:
        """Whether the viewer may change jobs."""
        return viewer(self.request).has(Permission.JOBS_EDIT)

    def bulk_url(self) -> str:
        """Enable, start, pause, disable."""
        return reverse("jobs:jobs_bulk")

    def more_context(self) -> dict[str, Any]:
        """No bulk actions for those who may only look."""
        return {} if self.may_edit() else {"bulk_actions": []}

    def actions(self) -> list[dict[str, Any]]:
        """Add."""
        if not self.may_edit():
            return []
        return [
            {"label": _("Backfill"), "url": reverse("jobs:backfill"), "icon": "history"},
            {"label": _("Add"), "url": reverse("jobs:add"), "icon": "plus", "primary": True},
        ]

    def empty(self) -> dict[str, Any]:
        """The first job."""
        return {
            "icon": "briefcase",
            "title": _("No job yet"),
            "text": _("A job takes records from a queue and hands them to an engine."),
            "url": reverse("jobs:add"),
            "label": _("Add"),
        }


class JobBulk(BulkMixin, JobList):
    """Enable, Start, Pause and Disable of the chosen jobs."""

    http_method_names = ["post"]

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What each action does."""
        return {
            "enable": (_("Enable"), _("Disabled jobs work again, as their schedules say.")),
            "start": (_("Start"), _("Paused jobs go on; enabled ones start now.")),
            "pause": (_("Pause"), _("Nothing new is taken; what is under way is finished.")),
            "disable": (_("Disable"), _("What is in progress is aborted.")),
        }

    def list_url(self) -> str:
        """The list."""
        return reverse("jobs:jobs")

    def perform(self, action: str, rows: QuerySet[JobDefinition]) -> str:
        """Through the services, job by job; what was skipped is named with the reason."""
        user = viewer(self.request)
        jobs = within_reach(rows, user).select_related("source_queue").order_by("name")
        beyond = rows.count() - len(jobs)
        done = change_jobs(jobs=jobs, action=action, actor=user.actor, audit_tenant=user.tenant)
        if beyond:
            text = ngettext(
                "%(n)s job was skipped: it serves tenants beyond the groups that you manage.",
                "%(n)s jobs were skipped: they serve tenants beyond the groups that you manage.",
                beyond,
            )
            messages.warning(self.request, text % {"n": f"{beyond:,}"})
        for name, why in done.skipped[:SKIPPED_SHOWN]:
            messages.warning(self.request, _("“%(name)s” was skipped: %(why)s") % {"name": name, "why": why})
        if len(done.skipped) > SKIPPED_SHOWN:
            rest = len(done.skipped) - SKIPPED_SHOWN
            messages.warning(self.request, _("%(n)s more were skipped.") % {"n": f"{rest:,}"})
        if not done.number:
            return ""
        return ngettext("%(n)s job was changed.", "%(n)s jobs were changed.", done.number) % {"n": f"{done.number:,}"}


class JobAction(ActionPage):
    """Base of Start, Pause, Stop and Enable."""

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the job."""
        super().setup(request, *args, **kwargs)
        self.job = get_object_or_404(JobDefinition, pk=kwargs["pk"])

    def refused_url(self) -> str:
        """The job's page."""
        return reverse("jobs:job", args=[self.job.pk])


class JobStart(JobAction):
    """Start now, or go on after a pause."""

    def act(self) -> str:
        """Conflict when the job is disabled."""
        user = viewer(self.request)
        if start_job(job=self.job, actor=user.actor, audit_tenant=user.tenant):
            text = _("The job goes on.")
        elif self.job.schedule == Schedule.CONTINUOUS:
            text = _("The job was woken. It runs continuously.")
        else:
            text = _("The job starts with what is in its queue now.")
        messages.success(self.request, text)
        return self.refused_url()


class JobPause(JobAction):
    """Take nothing new; unlike Stop, nothing is aborted."""

    def act(self) -> str:
        """Conflict when the job is disabled or paused already."""
        user = viewer(self.request)
        pause_job(job=self.job, actor=user.actor, audit_tenant=user.tenant)
        messages.success(self.request, _("The job is paused. What is under way is finished; Start lets it go on."))
        return self.refused_url()


class JobStop(JobAction):
    """Disable: what is in progress is aborted (domain C30)."""

    def act(self) -> str:
        """What waits in the queue stays there until the job is enabled again."""
        user = viewer(self.request)
        set_enabled(job=self.job, enabled=False, actor=user.actor, audit_tenant=user.tenant)
        messages.success(self.request, _("The job was stopped. What was in progress was aborted; its queue waits."))
        return self.refused_url()


class JobEnable(JobAction):
    """Enable a stopped job."""

    def act(self) -> str:
        """It takes what waits in its queue. Conflict when another enabled job reads that queue."""
        user = viewer(self.request)
        set_enabled(job=self.job, enabled=True, actor=user.actor, audit_tenant=user.tenant)
        messages.success(self.request, _("The job is enabled."))
        return self.refused_url()


def delete_message(job: JobDefinition) -> str:
    """Object, count and consequence of a deletion."""
    records = counted(Record.objects.filter(job=job))
    number = ngettext("%(n)s processing record", "%(n)s processing records", records) % {"n": count_text(records)}
    return _(
        "The job “%(name)s” is deleted with its runs, logs and %(count)s. The calls and their transcripts stay. "
        "A job that has records in progress is stopped first."
    ) % {"name": job.name, "count": number}


class JobDelete(ConfirmPage):
    """Delete a job with its history."""

    title = gettext_lazy("Delete this job?")
    confirm_label = gettext_lazy("Delete")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the job."""
        super().setup(request, *args, **kwargs)
        self.job = get_object_or_404(JobDefinition, pk=kwargs["pk"])
        self.name = self.job.name
        self.cancel_url = reverse("jobs:job", args=[self.job.pk])

    def breadcrumbs(self) -> Crumbs:
        """Below the job."""
        return job_crumbs(self.job)

    def message(self) -> Text:
        """Name and count."""
        return delete_message(self.job)

    def type_name(self) -> str:
        """The name must be typed (screens §3.5)."""
        return self.name

    def act(self) -> Text:
        """Delete."""
        user = viewer(self.request)
        delete_job(job=self.job, actor=user.actor, audit_tenant=user.tenant)
        return _("The job “%(name)s” was deleted.") % {"name": self.name}

    def done_url(self) -> str:
        """The list."""
        return reverse("jobs:jobs")
