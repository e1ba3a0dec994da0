"""The tab Logs (domain M11)."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from core.bulk import BulkMixin
from core.pages import KeysetListPage, Text
from jobs.filtersets import LogFilter
from jobs.models import LogEntry
from jobs.selectors import logs_of
from jobs.services import delete_logs
from jobs.tables import LogTable
from jobs.views.monitoring import JobTab


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
