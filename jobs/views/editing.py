"""The form of a job: add, edit, preview, clone."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.policy import viewer
from audit.services import grouped
from core.errors import Conflict
from core.pages import Crumbs, FormPage, Text
from jobs.clauses import ClausesPage
from jobs.describing import next_runs, starts_shown
from jobs.forms import CloneForm, JobForm, initial_of
from jobs.kinds import kinds
from jobs.models import JobDefinition
from jobs.preview import Answer, Question, answer_within, ask
from jobs.selectors import reached
from jobs.services import checked_values, clone_job, save_job, start_job
from jobs.tasks import ask_worker
from jobs.views.definitions import job_crumbs
from jobs.wording import answer_text
from queues.models import AccessScope
from tenants.models import Tenant, TenantGroup
from tenants.selectors import visible_tenants


class JobPage(ClausesPage):
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
        """The stored values; of a new job what the address says of the settings of its kind."""
        initial = initial_of(self.job) if self.job is not None else self._named()
        return {"editor": viewer(self.request), "kind": self.kind, "job": self.job, "initial": initial}

    def _named(self) -> dict[str, Any]:
        asked = {setting.name: setting for setting in self.kind.setting_fields() if setting.name in self.request.GET}
        return {
            name: self.request.GET.getlist(name) if setting.several else self.request.GET[name]
            for name, setting in asked.items()
        }

    def more_context(self, form: Any) -> dict[str, Any]:
        """The preview, when it was asked for, and the next runs of what is stored or previewed."""
        shown = {"next_runs": next_runs(self.job), "zone": self.job.time_zone} if self.job is not None else {}
        return {**shown, **getattr(self, "previewed", {})}

    def preview(self, form: JobForm) -> HttpResponseBase:
        """What the job would do with the last records and when it would run. Raises InvalidInput as saving would."""
        queues, groups = list(form.cleaned_data["publish_to"]), form.groups_of_scope()
        values = checked_values(self.job, form.values(), groups, queues)
        answer, unasked = ask(question := question_of(values, groups, viewer(self.request)))
        self.previewed = {
            "preview": answer_text(answer, self.kind.filter_fields) if answer is not None else "",
            "preview_partial": answer is not None and answer.partial,
            "preview_tone": tone_of(answer),
            "preview_key": question.key(),
            "asking": answer is None and (not unasked or ask_worker(question.key())),
            "previewing": True,
            "next_runs": starts_shown(values["cron"], values["time_zone"]) if values["cron"] else [],
            "zone": values["time_zone"],
        }
        return self.show_form(form)

    def save(self, form: JobForm) -> HttpResponseBase:
        """Store; "Save and start" starts it too, "Preview" stores nothing, and a surprise is shown once before."""
        if self.request.POST.get("action") == "preview":
            return self.preview(form)
        if self.surprises(form):
            return self.show_form(form)
        if self.job is not None:
            self.job.version = form.cleaned_data["version"] or 0
        saved = self.save_and_start(form) if self.request.POST.get("action") == "save_and_start" else self.store(form)
        messages.success(self.request, _("The job “%(name)s” was saved.") % {"name": saved.name})
        return redirect("jobs:job", pk=saved.pk)

    def surprises(self, form: JobForm) -> bool:
        """Whether new filters match nothing or everything and nobody has said yet that this is meant.

        What cannot be judged soon is saved without a word. Raises InvalidInput as saving would.
        """
        queues, groups = list(form.cleaned_data["publish_to"]), form.groups_of_scope()
        values = checked_values(self.job, form.values(), groups, queues)
        if not values["filters"] or (self.job is not None and self.job.filters == values["filters"]):
            return False
        question = question_of(values, groups, viewer(self.request))
        if self.request.POST.get("confirmed") == question.key():
            return False
        answer = answer_within(question, settings.JOB_FORM_WAIT_S, ask_worker)
        if answer is None or not answer.surprising:
            return False
        self.previewed = {
            "preview": answer_text(answer, self.kind.filter_fields),
            "preview_partial": answer.partial,
            "preview_tone": "warning",
            "previewing": True,
            "confirm_key": question.key(),
        }
        return True

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
            editor=user,
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
                start_job(job=saved, actor=user.actor, audit_tenant=user.tenant)
            except Conflict as error:
                messages.error(self.request, error.message)
        return saved


def question_of(values: dict[str, Any], groups: Sequence[TenantGroup], user: User) -> Question:
    """What a preview asks about a job that is not saved yet, within the reach of ``user``."""
    return Question(
        kind=values["kind"],
        settings=values["settings"],
        filters=values["filters"],
        access_scope=values["access_scope"],
        tenant_ids=scope_ids(values, groups),
        queue=values["source_queue"].pk if values["source_queue"] is not None else None,
        reach=sorted(str(pk) for pk in visible_tenants(user).values_list("pk", flat=True)) if reached(user) else None,
    )


def scope_ids(values: dict[str, Any], groups: Sequence[TenantGroup]) -> list[str]:
    """The tenants that a scope names one by one, for a question to a worker."""
    ids: set[Any] = set()
    if values["access_scope"] == AccessScope.ONE_TENANT:
        ids = {values["tenant"].pk}
    elif values["access_scope"] == AccessScope.TENANT_GROUPS:
        ids = set(Tenant.objects.filter(groups__in=groups).values_list("pk", flat=True))
    return sorted(str(pk) for pk in ids)


def tone_of(answer: Answer | None) -> str:
    """Nothing matches: a warning."""
    return "warning" if answer is not None and answer.judged and not answer.matched else "info"


class JobClone(FormPage):
    """Copy a job under a new name; the copy is disabled."""

    form_class = CloneForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the job."""
        super().setup(request, *args, **kwargs)
        self.job = get_object_or_404(JobDefinition, pk=kwargs["pk"])
        self.cancel_url = reverse("jobs:job", args=[self.job.pk])

    def get_title(self) -> Text:
        """Names the original."""
        return _("Clone “%(name)s”") % {"name": self.job.name}

    def breadcrumbs(self) -> Crumbs:
        """Below the job."""
        return job_crumbs(self.job)

    def form_arguments(self) -> dict[str, Any]:
        """A name to begin with."""
        return {"initial": {"name": _("Copy of %(name)s") % {"name": self.job.name[:100]}}}

    def more_context(self, form: CloneForm) -> dict[str, Any]:
        """What the copy is."""
        intro = _("The copy has the same settings and no history. It is disabled until you enable it.")
        return {"intro": intro, "submit_label": _("Clone")}

    def save(self, form: CloneForm) -> HttpResponseBase:
        """On to the form of the copy: what it shares with the original is changed there."""
        user = viewer(self.request)
        name = form.cleaned_data["name"]
        made = clone_job(job=self.job, name=name, actor=user.actor, audit_tenant=user.tenant)
        messages.success(self.request, _("The job “%(name)s” was made. It is disabled.") % {"name": made.name})
        return redirect("jobs:edit", pk=made.pk)
