"""The walk through everything that may keep a job from working, as a page."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.policy import viewer
from core.pages import Crumbs, Page, stamp_of
from jobs.models import JobDefinition
from jobs.views.definitions import job_crumbs
from usage.troubleshooting import walk


class Troubleshooting(Page):
    """Live: each question in the guide's order with what was found, the verdict and where to mend it."""

    title = gettext_lazy("Troubleshooting")
    template_name = "usage/check_list.html"
    region = "check-list"
    live = True

    @cached_property
    def job(self) -> JobDefinition:
        """The job. Raises Http404."""
        return get_object_or_404(JobDefinition, pk=self.kwargs["pk"])

    def breadcrumbs(self) -> Crumbs:
        """Below the job."""
        return job_crumbs(self.job)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page or its region."""
        lines = walk(self.job, viewer(request))
        return self.show(
            self.context(lines=lines, subtitle=self.job.name, failed_label=_("Mend it")), stamp=stamp_of(lines)
        )
