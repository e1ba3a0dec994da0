"""The list of tasks, archiving many, and one task."""

import json
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, QueryDict
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from conversations.exports import EXPORTS
from conversations.selectors import visible_calls
from conversations.shown import spoken_duration
from core.bulk import BulkMixin
from core.counting import COUNT_LIMIT
from core.ids import uuids
from core.pages import Crumbs, ListPage, Page, Text, stamp_of
from miaop.models import Meeting, Task
from miaop.pages.filters import TaskFilter
from miaop.pages.tables import TaskTable, status_badge
from miaop.problems import error_of
from miaop.selectors import counted_tasks, meetings_of, visible_tasks
from miaop.services import archive_tasks
from miaop.shown import meeting_id, meeting_status
from miaop.states import FINAL, Status
from tenants.doors import current_tenant

TITLE = gettext_lazy("Offline Tasks")


class TaskList(ListPage):
    """The tasks that the viewer may see (R3.4)."""

    title = TITLE
    table_class = TaskTable
    filterset_class = TaskFilter
    live = True
    bulk_actions = [
        {"name": "archive", "label": gettext_lazy("Archive"), "icon": "inbox"},
        {"name": "unarchive", "label": gettext_lazy("Take out of the archive"), "icon": "reload"},
    ]

    def get_queryset(self) -> QuerySet[Task]:
        """With status, last change and numbers of files."""
        return counted_tasks(visible_tasks(viewer(self.request)))

    @property
    def may_act(self) -> bool:
        """Whether the viewer may submit and archive."""
        return viewer(self.request).has(Permission.MIAOP_SUBMIT)

    def table_arguments(self) -> dict[str, Any]:
        """Check boxes for those who may act."""
        return {"may_act": self.may_act}

    def bulk_url(self) -> str:
        """Archive and take out."""
        return reverse("offline:bulk")

    def more_context(self) -> dict[str, Any]:
        """No bulk actions for those who may only look."""
        return {} if self.may_act else {"bulk_actions": []}

    def actions(self) -> list[dict[str, Any]]:
        """Submit, for those who may."""
        if not self.may_act:
            return []
        return [{"label": _("Submit a task"), "url": reverse("offline:submit"), "icon": "upload", "primary": True}]

    def empty(self) -> dict[str, Any]:
        """The first task."""
        empty = {
            "icon": "inbox",
            "title": _("No offline tasks yet"),
            "text": _(
                "A task is a set of audio files that is transcribed as one: by this page, or by the offline-task API."
            ),
        }
        if current_tenant().is_system:
            empty["text"] = _("These are the tasks of the System organisation. View as another one to see its tasks.")
        return empty | ({"url": reverse("offline:submit"), "label": _("Submit a task")} if self.may_act else {})


class TaskBulk(BulkMixin, TaskList):
    """Put the chosen tasks into the archive or take them out; nothing else changes, so nothing is asked."""

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What happens."""
        return {
            "archive": (_("Archive"), _("They can be read as before.")),
            "unarchive": (_("Take out of the archive"), _("They can be read as before.")),
        }

    def asks(self, action: str) -> bool:
        """When all that match are meant: they may be more than one sees."""
        return self.request.POST.get("all_matching") == "1" or not self.request.POST.getlist("selection")

    def list_url(self) -> str:
        """The list."""
        return reverse("offline:tasks")

    def chosen(self, posted: QueryDict) -> QuerySet[Task]:
        """As for other lists; tasks are named by UUIDs."""
        if posted.get("all_matching") == "1":
            return super().chosen(posted)
        return self.get_queryset().filter(pk__in=uuids(posted.getlist("selection")[:COUNT_LIMIT]))

    def perform(self, action: str, rows: QuerySet[Task]) -> str:
        """Through the service."""
        number = archive_tasks(
            tenant=current_tenant(), caller=viewer(self.request), tasks=list(rows), archived=action == "archive"
        )
        return ngettext("%(n)s task was changed.", "%(n)s tasks were changed.", number) % {"n": number}


class TaskPage(Page):
    """One task: its files with what became of them, and what was submitted."""

    template_name = "miaop/task.html"
    region = "task"
    live = True

    @cached_property
    def task(self) -> Any:
        """Raises Http404 for one that the viewer may not see, as for one that does not exist (R3.5)."""
        seen = visible_tasks(viewer(self.request)).select_related("submitted_by", "owner")
        found = seen.filter(pk=self.kwargs["pk"]).first()
        if found is None:
            raise Http404
        return found

    def get_title(self) -> Text:
        """The name of the task."""
        name: str = self.task.name
        return name

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return [(TITLE, reverse("offline:tasks")), (self.task.name, None)]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page, or its region when something changed."""
        task = self.task
        self.live = task.status not in FINAL
        rows = self._rows(meetings_of([task])[task.pk])
        context = {
            "task": task,
            "status": status_badge(task.status),
            "rows": rows,
            "belongs": self._belongs(),
            "members": json.dumps(task.members, ensure_ascii=False, indent=2),
            "may_act": viewer(request).has(Permission.MIAOP_SUBMIT),
            "formats": list(EXPORTS),
        }
        stamp = stamp_of(request.get_full_path(), task.status, task.updated, task.archived)
        return self.show(self.context(**context), stamp=stamp)

    def _belongs(self) -> str:
        """Whose the conversations are, where that is not the supervisor (A25); empty when there is nothing to say."""
        task = self.task
        if task.owner or not task.supervisor_email:
            return ""
        if task.submitted_by and task.submitted_by.tenant_id == current_tenant().pk:
            return _("No active user had this address: the conversations are the submitter's.")
        return _("No active user had this address: the conversations belong to nobody.")

    def _rows(self, meetings: list[Meeting]) -> list[dict[str, Any]]:
        """What is shown of each file; its conversation only to those who see that."""
        user = viewer(self.request)
        seen = set(visible_calls(user).filter(pk__in=[each.call_id for each in meetings]).values_list("pk", flat=True))
        reads = user.has(Permission.TRANSCRIPT_VIEW)
        return [
            {
                "meeting": meeting,
                "id": meeting_id(meeting),
                "badge": status_badge(meeting_status(meeting)),
                "problem": error_of(meeting.call),
                "length": spoken_duration(meeting.call.duration_ms)
                if meeting.call and meeting.call.duration_ms
                else "–",
                "url": reverse("conversations:call", args=[meeting.call_id]) if meeting.call_id in seen else "",
                "readable": reads and meeting.call_id in seen and meeting_status(meeting) == Status.DONE,
            }
            for meeting in meetings
        ]
