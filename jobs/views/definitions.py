"""The list of jobs, their form, and what changes a job as a whole."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from accounts.permissions import Permission
from accounts.policy import viewer
from audit.services import grouped
from core.errors import Conflict
from core.pages import ActionPage, ConfirmPage, Crumbs, FormPage, ListPage, Text
from jobs.describing import setting_names
from jobs.filtersets import JobFilter
from jobs.forms import JobForm, initial_of
from jobs.kinds import kinds
from jobs.models import JobDefinition, Record, Schedule
from jobs.selectors import jobs_for_pages
from jobs.services import delete_job, request_start, save_job, set_enabled
from jobs.tables import JobTable

TITLE = gettext_lazy("Jobs")
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

    def breadcrumbs(self) -> Crumbs:
        """Administration > Speech Analytics > Transcription."""
        return ROOT

    def get_queryset(self) -> QuerySet[JobDefinition]:
        """Jobs with queue depth and newest run."""
        return jobs_for_pages()

    def table_arguments(self) -> dict[str, Any]:
        """The engines' names, once for all rows."""
        if not hasattr(self, "names"):
            self.names = setting_names(JobDefinition.objects.only("kind", "settings"))
        return {"settings": self.names}

    def actions(self) -> list[dict[str, Any]]:
        """Add."""
        if not viewer(self.request).has(Permission.JOBS_EDIT):
            return []
        return [{"label": _("Add"), "url": reverse("jobs:add"), "icon": "plus", "primary": True}]

    def empty(self) -> dict[str, Any]:
        """The first job."""
        return {
            "icon": "briefcase",
            "title": _("No job yet"),
            "text": _("A job takes records from a queue and hands them to an engine."),
            "url": reverse("jobs:add"),
            "label": _("Add"),
        }


class JobPage(FormPage):
    """Add and edit, with "Save" and "Save and start"."""

    form_class = JobForm
    template_name = "jobs/job_form.html"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the job; a new one may name its kind in the address."""
        super().setup(request, *args, **kwargs)
        jobs = JobDefinition.objects.prefetch_related("tenant_groups", "publish_to")
        self.job = get_object_or_404(jobs, pk=kwargs["pk"]) if "pk" in kwargs else None
        key = self.job.kind if self.job is not None else request.GET.get("kind", next(iter(kinds())))
        if key not in kinds():
            raise Http404
        self.kind = kinds()[key]
        self.cancel_url = reverse("jobs:job", args=[self.job.pk]) if self.job is not None else reverse("jobs:jobs")

    def get_title(self) -> Text:
        """The name, or that it is new."""
        return _("Edit “%(name)s”") % {"name": self.job.name} if self.job is not None else _("Add Job")

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return job_crumbs(self.job)

    def form_arguments(self) -> dict[str, Any]:
        """The stored values."""
        initial = initial_of(self.job) if self.job is not None else {}
        return {"editor": viewer(self.request), "kind": self.kind, "job": self.job, "initial": initial}

    def save(self, form: JobForm) -> HttpResponseBase:
        """Store; "Save and start" starts it too."""
        if self.job is not None:
            self.job.version = form.cleaned_data["version"] or 0
        saved = self.save_and_start(form) if self.request.POST.get("action") == "save_and_start" else self.store(form)
        messages.success(self.request, _("The job “%(name)s” was saved.") % {"name": saved.name})
        return redirect("jobs:job", pk=saved.pk)

    def store(self, form: JobForm) -> JobDefinition:
        """Through the service."""
        user = viewer(self.request)
        return save_job(
            job=self.job,
            values=form.values(),
            tenant_groups=form.groups_of_scope(),
            publish_to=list(form.cleaned_data["publish_to"]),
            actor=user.actor,
            audit_tenant=user.tenant,
        )

    def save_and_start(self, form: JobForm) -> JobDefinition:
        """Both services in one entry of the audit trail; a refused start leaves the job saved."""
        user = viewer(self.request)
        with grouped(
            tenant_id=user.tenant_id, actor=user.actor, action="job.saved_and_started", target_type="job", target_id=""
        ) as entry:
            saved = self.store(form)
            entry.target_id = str(saved.pk)
            try:
                request_start(job=saved, actor=user.actor, audit_tenant=user.tenant)
            except Conflict as error:
                messages.error(self.request, error.message)
        return saved


class JobAction(ActionPage):
    """Base of Start, Stop and Enable."""

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the job."""
        super().setup(request, *args, **kwargs)
        self.job = get_object_or_404(JobDefinition, pk=kwargs["pk"])

    def refused_url(self) -> str:
        """The job's page."""
        return reverse("jobs:job", args=[self.job.pk])


class JobStart(JobAction):
    """Start now."""

    def act(self) -> str:
        """Conflict when the job is disabled."""
        user = viewer(self.request)
        request_start(job=self.job, actor=user.actor, audit_tenant=user.tenant)
        if self.job.schedule == Schedule.CONTINUOUS:
            text = _("The job was woken. It runs continuously.")
        else:
            text = _("The job starts with what is in its queue now.")
        messages.success(self.request, text)
        return self.refused_url()


class JobStop(JobAction):
    """Disable: nothing is aborted."""

    def act(self) -> str:
        """Its records wait until the job is enabled again."""
        user = viewer(self.request)
        set_enabled(job=self.job, enabled=False, actor=user.actor, audit_tenant=user.tenant)
        messages.success(self.request, _("The job was stopped. Its records wait."))
        return self.refused_url()


class JobEnable(JobAction):
    """Enable a stopped job."""

    def act(self) -> str:
        """It goes on where it stopped."""
        user = viewer(self.request)
        set_enabled(job=self.job, enabled=True, actor=user.actor, audit_tenant=user.tenant)
        messages.success(self.request, _("The job is enabled."))
        return self.refused_url()


def delete_message(job: JobDefinition, records: int) -> str:
    """Object, count and consequence of a deletion."""
    number = ngettext("%(n)s processing record", "%(n)s processing records", records) % {"n": f"{records:,}"}
    return _(
        "The job “%(name)s” is deleted with its runs, logs and %(count)s. What is in progress is aborted. "
        "The calls and their transcripts stay."
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
        return delete_message(self.job, Record.objects.filter(job=self.job).count())

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
