"""The backfill wizard and the continuation token of a job."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.policy import viewer
from core.errors import InvalidInput
from core.pages import ConfirmPage, Crumbs, FormPage, Text
from jobs.forms import JobForm
from jobs.models import Continuation, DataSource, JobDefinition
from jobs.selectors import reached
from jobs.services import checked_values
from jobs.sweeps.backfills import FIXED, start_backfill
from jobs.sweeps.continuing import import_token, reset_token
from jobs.sweeps.estimating import Estimate, Question, look_up
from jobs.sweeps.form import BackfillForm
from jobs.sweeps.tokens import MOST, token_of
from jobs.tasks import ask_estimate
from jobs.views.definitions import job_crumbs
from jobs.views.editing import JobPage, scope_ids
from queues.models import AccessScope

OF_SOME = (AccessScope.ONE_TENANT, AccessScope.TENANT_GROUPS)


class BackfillPage(JobPage):
    """Choose, see what it comes to, then start: nothing is made before the figures were there."""

    form_class = BackfillForm
    template_name = "jobs/backfill_form.html"

    def get_title(self) -> Text:
        """The guide's word."""
        return _("Backfill")

    def save(self, form: JobForm) -> HttpResponseBase:
        """Show the figures; "Start" makes the job when they are complete for exactly what was typed."""
        values = form.values()
        if reached(viewer(self.request)) and values["access_scope"] not in OF_SOME:
            # The figures of an estimate are those of the whole scope.
            text = _("You manage certain tenants: choose one of them, or one of their groups.")
            raise InvalidInput("access_scope", text)
        groups, queues = form.groups_of_scope(), list(form.cleaned_data["publish_to"])
        checked = checked_values(None, {**values, **FIXED}, groups, queues)
        question = Question(
            checked["kind"],
            checked["settings"],
            checked["filters"],
            checked["access_scope"],
            scope_ids(checked, groups),
        )
        estimate, unasked = look_up(question)
        counting = estimate is None or not estimate.done
        reachable = not (counting and unasked) or ask_estimate(question.key())
        wants_start = self.request.POST.get("action") == "start"
        if wants_start and estimate is not None and estimate.done:
            return self.start(values, groups, queues, estimate)
        if wants_start:
            form.add_error(None, _("Look at the estimate first: it is not complete for what is chosen now."))
        self.previewed = {
            "estimate": estimate,
            "asking": counting and reachable,
            "previewing": True,
            "estimate_key": question.key(),
            **self.figures(estimate, checked),
        }
        return self.show_form(form, status=409 if wants_start else 200)

    def figures(self, estimate: Estimate | None, values: dict[str, Any]) -> dict[str, Any]:
        """Price and time of what was counted."""
        if estimate is None:
            return {}
        per_minute = self.kind.price_per_minute(values["settings"])
        budget = values["budget_minutes"]
        shown = {
            "minutes": f"{estimate.minutes:,.1f}",
            "price": estimate.price(per_minute),
            "per_minute": None if per_minute is None else per_minute.normalize(),
            "over_budget": budget is not None and estimate.minutes > budget,
            "budget": budget,
        }
        if values["throttle"]:
            lasts = estimate.lasts(values["throttle"])
            shown |= {"lasts": duration_text(lasts), "finish": timezone.now() + lasts}
        return shown

    def start(self, values: dict[str, Any], groups: Any, queues: Any, estimate: Estimate) -> HttpResponseBase:
        """On to the page of the new job."""
        user = viewer(self.request)
        job = start_backfill(
            values=values,
            tenant_groups=groups,
            publish_to=queues,
            expected=estimate.found,
            actor=user.actor,
            audit_tenant=user.tenant,
            editor=user,
        )
        messages.success(self.request, _("The backfill “%(name)s” has started.") % {"name": job.name})
        return redirect("jobs:latest_run", pk=job.pk)


def duration_text(length: timedelta) -> str:
    """Days, hours and minutes: the two that matter."""
    minutes = -(-int(length.total_seconds()) // 60)
    days, hours = minutes // 1440, minutes % 1440 // 60
    if days:
        return _("%(days)s d %(hours)s h") % {"days": f"{days:,}", "hours": hours}
    if hours:
        return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes % 60}
    return _("%(minutes)s min") % {"minutes": minutes}


class TokenForm(forms.Form):
    """A token to go on from."""

    token = forms.CharField(
        label=gettext_lazy("Continuation token"),
        max_length=MOST,
        widget=forms.Textarea(attrs={"rows": 16, "dir": "ltr", "spellcheck": "false"}),
        help_text=gettext_lazy("The position as it is now. Replace it by a token that this job had before."),
    )


class OfToken:
    """What the pages of a token share: the job, which must have one."""

    job: JobDefinition

    def load(self, **kwargs: Any) -> None:
        """404 for a job with another data source."""
        self.job = get_object_or_404(JobDefinition, pk=kwargs["pk"], data_source=DataSource.TOKEN)
        self.cancel_url = reverse("jobs:job", args=[self.job.pk])

    def breadcrumbs(self) -> Crumbs:
        """Below the job."""
        return job_crumbs(self.job)


class TokenPage(OfToken, FormPage):
    """Copy the token, or go on from another one."""

    form_class = TokenForm
    title = gettext_lazy("Continuation token")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the job."""
        super().setup(request, *args, **kwargs)
        self.load(**kwargs)

    def form_arguments(self) -> dict[str, Any]:
        """The token as it is."""
        return {"initial": {"token": token_of(Continuation.objects.get(job=self.job))}}

    def more_context(self, form: TokenForm) -> dict[str, Any]:
        """What saving does."""
        intro = _("The sweep goes on from the token that is saved here. A token is good only for the job that made it.")
        return {"intro": intro, "submit_label": _("Go on from this token")}

    def save(self, form: TokenForm) -> HttpResponseBase:
        """Through the service."""
        user = viewer(self.request)
        text = form.cleaned_data["token"]
        import_token(job=self.job, text=text, actor=user.actor, audit_tenant=user.tenant)
        messages.success(self.request, _("The sweep goes on from the token. Start the job if it is not under way."))
        return redirect("jobs:job", pk=self.job.pk)


class TokenReset(OfToken, ConfirmPage):
    """[+ Reset token]: the sweep begins anew."""

    title = gettext_lazy("Reset the continuation token?")
    confirm_label = gettext_lazy("Reset token")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the job."""
        super().setup(request, *args, **kwargs)
        self.load(**kwargs)

    def message(self) -> Text:
        """What has been seen so far, and what happens to it."""
        place = get_object_or_404(Continuation, job=self.job)
        text = _("“%(name)s” has seen %(n)s conversations. It begins anew at the first tenant. %(rule)s")
        again = self.job.ended_records == "again"
        rule = _("What has ended is processed again, and charged.") if again else _("What has ended stays as it is.")
        return text % {"name": self.job.name, "n": f"{place.seen:,}", "rule": rule}

    def act(self) -> Text:
        """Through the service."""
        user = viewer(self.request)
        reset_token(job=self.job, actor=user.actor, audit_tenant=user.tenant)
        return _("The token was reset. Start the job to begin anew.")
