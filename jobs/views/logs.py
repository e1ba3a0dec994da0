"""The tab Logs (domain M11)."""

from typing import Any

from django.db.models import F, Func, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce, Upper
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from core.bulk import DELETE, BulkMixin
from core.exports import copied_response, harmless
from core.pages import KeysetListPage, Text
from jobs.filtersets import LogFilter
from jobs.models import LogEntry
from jobs.selectors import logs_of
from jobs.services import delete_logs
from jobs.tables import LogTable
from jobs.views.monitoring import JobTab

FORMATS = {"csv", "txt"}
TAIL = 1000


def moment() -> Func:
    """The time of a line as files have it: ISO 8601 in UTC with milliseconds."""
    text = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
    return Func(F("at"), template=text, output_field=TextField())


def log_line() -> Func:
    """Time, severity, record and message as one line without control characters."""
    bare = r"translate(%(expressions)s, E'\n\r\t\x01\x02', '     ')"
    record = Coalesce(Cast("record_uuid", TextField()), Value("-"), output_field=TextField())
    message = Func(F("message"), template=bare, output_field=TextField())
    parts = (moment(), Upper("severity"), record, message)
    return Func(Value(" "), *parts, function="CONCAT_WS", output_field=TextField())


class LogList(JobTab, KeysetListPage):
    """The job's log."""

    tab = "jobs:logs"
    template_name = "jobs/logs.html"
    region = "logs"
    table_class = LogTable
    filterset_class = LogFilter
    bulk_actions = [DELETE]

    def get_queryset(self) -> QuerySet[LogEntry]:
        """Lines of this job."""
        return logs_of(self.job, viewer(self.request))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The list; its newest lines as text, newest last; or all that match as CSV or text, whatever their number."""
        wanted, filterset = request.GET.get("format"), self.filterset(request.GET)
        if wanted in FORMATS and filterset.is_valid():
            return self.download(filterset.qs, plain=wanted == "txt")
        return super().get(request, *args, **kwargs)

    def download(self, lines: QuerySet[LogEntry], *, plain: bool) -> HttpResponseBase:
        """As text the oldest line comes first, as in every log; as CSV the newest, as on the page. Times are UTC."""
        name = f"{self.get_title()} {_('Logs')}"
        lines = lines.select_related(None)
        if plain:
            return copied_response(name, lines.order_by("pk").values_list(log_line()), plain=True)
        columns = ("run__number", moment(), "severity", "record_uuid", harmless("message"))
        head = [_("Run"), _("Date/Time (UTC)"), _("Severity"), _("Record ID"), _("Message")]
        return copied_response(name, lines.order_by("-pk").values_list(*columns), header=",".join(head) + "\n")

    def tail(self) -> str:
        """The newest lines that match, the newest last."""
        filterset = self.filterset(self.request.GET)
        if not filterset.is_valid():
            return ""
        newest = filterset.qs.order_by("-pk").select_related(None).values_list(log_line(), flat=True)[:TAIL]
        return "\n".join(reversed(newest))

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
        """The text, when it is asked for, and the ways to it; no bulk actions for those who may only look."""
        text = self.request.GET.get("view") == "text"
        more = {
            "as_text": text,
            "tail": self.tail() if text else "",
            "tail_lines": TAIL,
            "text_url": self.turned(view="" if text else "text"),
            "txt_url": self.turned(format="txt"),
        }
        return more if self.may_edit() else {**more, "bulk_actions": []}

    def turned(self, **changes: str) -> str:
        """The address with other parameters and the same filters."""
        query = self.request.GET.copy()
        for name in ("before", "after", "from", *changes):
            query.pop(name, None)
        query.update({name: value for name, value in changes.items() if value})
        return f"?{query.urlencode()}"

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
