"""The list of tasks."""

from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.tables import NumberColumn, PageTable, SelectionColumn, TextColumn, TimeColumn, badge
from miaop.models import Task
from miaop.states import Status

# The look of each status; its word is the status' own.
LOOKS = {Status.PENDING: "waiting", Status.PROCESSING: "running", Status.DONE: "done", Status.ERROR: "failed"}


def status_badge(status: str, note: str = "") -> str:
    """As all badges."""
    known = Status(status)
    return badge(LOOKS[known], str(known.label), note)


class TaskTable(PageTable):
    """Newest change first. A row opens its task. Hidden columns are for exports."""

    selection = SelectionColumn()
    name = TextColumn(verbose_name=gettext_lazy("Task"))
    task_id = TextColumn(verbose_name=gettext_lazy("Task id"), ltr=True, visible=False)
    status = tables.Column(verbose_name=gettext_lazy("Status"))
    done = NumberColumn(verbose_name=gettext_lazy("Files done"))
    files = NumberColumn(verbose_name=gettext_lazy("Files"), visible=False)
    base_languages = tables.Column(verbose_name=gettext_lazy("Languages"), orderable=False)
    supervisor_email = TextColumn(verbose_name=gettext_lazy("Supervisor"), ltr=True, empty_values=(None,))
    supervisor_name = TextColumn(verbose_name=gettext_lazy("Supervisor's name"), visible=False)
    archived = tables.Column(verbose_name=gettext_lazy("Archived"), visible=False)
    created_at = TimeColumn(verbose_name=gettext_lazy("Submitted"))
    updated = TimeColumn(verbose_name=gettext_lazy("Changed"))

    class Meta(PageTable.Meta):
        order_by = "-updated"
        row_attrs = {"data-href": lambda record: reverse("offline:task", args=[record.pk])}

    def __init__(self, *args: Any, may_act: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, exclude=() if may_act else ("selection",))

    def render_name(self, record: Task) -> str:
        """The link of the row, with the id and whether it is in the archive."""
        mark = format_html(' <span class="p-badge p-tone-muted">{}</span>', _("Archived")) if record.archived else ""
        line = '<a href="{}"><bdi>{}</bdi></a>{}<br><bdi dir="ltr" class="p-mono p-soft">{}</bdi>'
        return format_html(line, reverse("offline:task", args=[record.pk]), record.name, mark, record.task_id)

    def value_name(self, value: str) -> str:
        """The bare name."""
        return value

    def render_status(self, value: str) -> str:
        """A badge."""
        return status_badge(value)

    def value_status(self, value: str) -> str:
        """The API's word."""
        return value

    def render_done(self, value: int, record: Any) -> str:
        """Of how many."""
        text = _("%(done)s of %(files)s") % {"done": number_format(value), "files": number_format(record.files)}
        return format_html("<bdi>{}</bdi>", text)

    def render_supervisor_email(self, value: str, record: Task) -> str:
        """The name above the address."""
        name = format_html("<bdi>{}</bdi>", record.supervisor_name)
        address = format_html('<bdi dir="ltr" class="p-mono p-soft">{}</bdi>', value)
        parts = [part for part, text in ((name, record.supervisor_name), (address, value)) if text]
        return format_html("<div>{}</div>", format_html_join("", "<div>{}</div>", ((part,) for part in parts or "–")))

    def value_supervisor_email(self, value: str) -> str:
        """The bare address."""
        return value

    def value_done(self, value: int) -> int:
        """The bare number."""
        return value

    def render_base_languages(self, value: list[str]) -> str:
        """In the order of the task."""
        return format_html("<bdi>{}</bdi>", ", ".join(value))

    def value_base_languages(self, value: list[str]) -> str:
        """One text."""
        return "; ".join(value)

    def value_archived(self, value: bool) -> str:
        """As the API says it."""
        return "true" if value else "false"
