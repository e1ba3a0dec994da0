"""Tables of tasks and of their versions."""

from collections.abc import Mapping
from typing import Any

import django_tables2 as tables
from django.db.models import Count
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from aiassistant.library.figures import SAMPLE, Figures, figures_of_tasks, figures_of_versions
from aiassistant.library.models import PRODUCTION, AITask, AITaskVersion, TaskActivation, TaskLabel
from aiassistant.models import AIEngine
from core.tables import (
    EMPTY,
    ActionsColumn,
    NumberColumn,
    PageTable,
    SelectionColumn,
    TextColumn,
    TimeColumn,
    badge,
    link,
    links,
)
from customfields.models import CustomField
from tenants.models import Tenant


class RunningMixin(PageTable):
    """What each task of the page asks now: one query for versions, one for fields, one for engines."""

    @cached_property
    def running(self) -> Mapping[int, AITaskVersion]:
        """The version in production by task."""
        ids = [row.record.pk for row in self.paginated_rows]
        labels = TaskLabel.objects.filter(task__in=ids, name=PRODUCTION).select_related("points_to")
        return {label.task_id: label.points_to for label in labels}

    @cached_property
    def field_names(self) -> Mapping[int, str]:
        """Names of the custom fields that are filled."""
        wanted = {each["field"] for version in self.running.values() for each in version.outputs if "field" in each}
        return dict(CustomField.objects.filter(pk__in=wanted, deleted_at=None).values_list("pk", "name"))

    @cached_property
    def engine_names(self) -> Mapping[int, str]:
        """Names of the engines that tasks name."""
        return dict(AIEngine.objects.values_list("pk", "name"))

    def written(self, version: AITaskVersion | None) -> list[str]:
        """The names of the fields that a version fills."""
        outputs = version.outputs if version is not None else []
        return [self.field_names[each["field"]] for each in outputs if each.get("field") in self.field_names]

    def render_fields(self, record: AITask) -> str:
        """Isolated names."""
        names = self.written(self.version(record))
        return format_html_join(", ", "<bdi>{}</bdi>", ((name,) for name in names)) if names else EMPTY

    def value_fields(self, record: AITask) -> str:
        """Bare names."""
        return "; ".join(self.written(self.version(record)))

    def version(self, record: AITask) -> AITaskVersion | None:
        """The version that counts in this table."""
        return self.running.get(record.pk)

    def render_engine(self, record: AITask) -> str:
        """Its name, or that the choice is left to others."""
        return format_html("<bdi>{}</bdi>", self.value_engine(record))

    def value_engine(self, record: AITask) -> str:
        """Bare."""
        version = self.version(record)
        if version is None or version.engine_ref is None:
            return _("Default")
        return self.engine_names.get(version.engine_ref, _("(deleted)"))


class TaskTable(RunningMixin):
    """The library and own tasks of tenants: what runs, what it fills, for how many it is switched on."""

    selection = SelectionColumn()
    title = tables.Column(verbose_name=gettext_lazy("Title"))
    key = TextColumn(verbose_name=gettext_lazy("Key"), ltr=True)
    scope = tables.Column(
        accessor="tenant", verbose_name=gettext_lazy("Scope"), order_by="tenant__name", empty_values=()
    )
    status = tables.Column(accessor="enabled", verbose_name=gettext_lazy("Status"))
    production = tables.Column(accessor="pk", verbose_name=gettext_lazy("Version in production"), orderable=False)
    fields = tables.Column(accessor="pk", verbose_name=gettext_lazy("Fills"), orderable=False)
    engine = tables.Column(accessor="pk", verbose_name=gettext_lazy("AI engine"), orderable=False)
    tenants = NumberColumn(accessor="pk", verbose_name=gettext_lazy("Tenants"), orderable=False)
    each = TextColumn(accessor="pk", verbose_name=gettext_lazy("Cost a call, 30 days"), orderable=False, ltr=True)
    failing = TextColumn(accessor="pk", verbose_name=gettext_lazy("Failed, 30 days"), orderable=False, ltr=True)
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = ("position", "title")
        sequence = (
            "selection",
            "title",
            "key",
            "scope",
            "status",
            "production",
            "fields",
            "engine",
            "tenants",
            "each",
            "failing",
            "actions",
        )

    def __init__(self, *args: Any, user: User, may_edit: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("selection",))
        self.user = user

    @cached_property
    def figures(self) -> Mapping[int, Figures]:
        """Of the tasks of the page."""
        return figures_of_tasks(self.user, [row.record for row in self.paginated_rows])

    def render_each(self, record: AITask) -> str:
        """What an execution costs."""
        found = self.figures.get(record.pk)
        return found.each if found is not None and found.executions else "–"

    def render_failing(self, record: AITask) -> str:
        """In per cent."""
        found = self.figures.get(record.pk)
        return found.failing if found is not None else "–"

    value_each, value_failing = render_each, render_failing

    @cached_property
    def switched_on(self) -> Mapping[int, int]:
        """For how many tenants, by task."""
        ids = [row.record.pk for row in self.paginated_rows]
        rows = TaskActivation.objects.filter(task__in=ids, enabled=True).values("task").annotate(number=Count("pk"))
        return {row["task"]: row["number"] for row in rows}

    def render_title(self, value: str, record: AITask) -> str:
        """To the task."""
        return link(reverse("aitasks:task", args=[record.pk]), value)

    def value_title(self, value: str) -> str:
        """Bare."""
        return value

    def render_scope(self, record: AITask) -> str:
        """The library, or the tenant."""
        return format_html("<bdi>{}</bdi>", self.value_scope(record))

    def value_scope(self, record: AITask) -> str:
        """Bare."""
        return _("Library") if record.tenant is None else record.tenant.name

    def render_status(self, value: bool) -> str:
        """A badge."""
        return badge("enabled" if value else "disabled")

    def value_status(self, value: bool) -> str:
        """The code."""
        return "enabled" if value else "disabled"

    def render_production(self, record: AITask) -> str:
        """To the versions."""
        return link(reverse("aitasks:versions", args=[record.pk]), str(self.value_production(record) or _("none")))

    def value_production(self, record: AITask) -> Any:
        """Its number."""
        version = self.version(record)
        return version.number if version is not None else ""

    def render_tenants(self, record: AITask) -> int:
        """How many switched it on."""
        return self.switched_on.get(record.pk, 0)

    value_tenants = render_tenants

    def render_actions(self, record: AITask) -> str:
        """Versions."""
        return links([(reverse("aitasks:versions", args=[record.pk]), _("Versions"))])


class TenantTaskTable(RunningMixin):
    """The tasks that one tenant can have: on or off, what runs there, what it overrides."""

    selection = SelectionColumn()
    title = tables.Column(verbose_name=gettext_lazy("Title"))
    description = TextColumn(verbose_name=gettext_lazy("Description"))
    state = tables.Column(accessor="pk", verbose_name=gettext_lazy("Status"), orderable=False)
    runs = tables.Column(accessor="pk", verbose_name=gettext_lazy("Runs"), orderable=False)
    fields = tables.Column(accessor="pk", verbose_name=gettext_lazy("Fills"), orderable=False)
    engine = tables.Column(accessor="pk", verbose_name=gettext_lazy("AI engine"), orderable=False)
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = ("position", "title")
        sequence = ("selection", "title", "description", "state", "runs", "fields", "engine", "actions")

    def __init__(self, *args: Any, tenant: Tenant, may_edit: bool, may_override: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("selection",))
        self.tenant, self.may_edit, self.may_override = tenant, may_edit, may_override

    @cached_property
    def choices(self) -> Mapping[int, TaskActivation]:
        """What the tenant chose, by task."""
        rows = TaskActivation.objects.filter(tenant=self.tenant).select_related("override")
        return {row.task_id: row for row in rows}

    def version(self, record: AITask) -> AITaskVersion | None:
        """The tenant's override, or what is in production."""
        row = self.choices.get(record.pk)
        return row.override if row is not None and row.override is not None else self.running.get(record.pk)

    def render_title(self, value: str, record: AITask) -> str:
        """To the task."""
        return link(reverse("aitasks:task", args=[record.pk]), value)

    def value_title(self, value: str) -> str:
        """Bare."""
        return value

    def value_state(self, record: AITask) -> str:
        """The code."""
        row = self.choices.get(record.pk)
        return "enabled" if row is not None and row.enabled else "disabled"

    def render_state(self, record: AITask) -> str:
        """A badge."""
        return badge(self.value_state(record))

    def value_runs(self, record: AITask) -> str:
        """Version, and what is overridden."""
        version = self.version(record)
        if version is None:
            return ""
        if version.tenant_id is None:
            return _("Version %(number)s") % {"number": version.number}
        parts = [
            str(name) for name, own in ((_("prompt"), version.own_prompt), (_("filters"), version.own_filters)) if own
        ]
        return _("Own %(parts)s, %(number)s") % {"parts": ", ".join(parts), "number": version.number}

    def render_runs(self, record: AITask) -> str:
        """Isolated."""
        return format_html("<bdi>{}</bdi>", self.value_runs(record) or _("nothing yet"))

    def render_actions(self, record: AITask) -> str:
        """Override it."""
        items = [(reverse("aitasks:estimate", args=[self.tenant.pk, record.pk]), _("Cost"))]
        if self.may_override and record.tenant_id is None:
            items.append((reverse("aitasks:override", args=[self.tenant.pk, record.pk]), _("Override")))
        row = self.choices.get(record.pk)
        if row is not None and row.override_id is not None:
            items.append((reverse("aitasks:override_compare", args=[self.tenant.pk, record.pk]), _("Compare")))
        if self.may_override and row is not None and row.override_id is not None:
            items.append((reverse("aitasks:override_drop", args=[self.tenant.pk, record.pk]), _("Drop override")))
        return links(items)


class VersionTable(PageTable):
    """All versions of a task: who made them, why, and which labels point to them."""

    number = tables.Column(verbose_name=gettext_lazy("Version"))
    labels = tables.Column(accessor="pk", verbose_name=gettext_lazy("Labels"), orderable=False)
    created_at = TimeColumn(verbose_name=gettext_lazy("When"))
    author = TextColumn(verbose_name=gettext_lazy("By"))
    why = TextColumn(verbose_name=gettext_lazy("Why"))
    executions = NumberColumn(accessor="pk", verbose_name=gettext_lazy("30 days"), orderable=False)
    each = TextColumn(accessor="pk", verbose_name=gettext_lazy("Cost of one"), orderable=False, ltr=True)
    p95 = TextColumn(accessor="pk", verbose_name=gettext_lazy("95 % within"), orderable=False, ltr=True)
    failing = TextColumn(accessor="pk", verbose_name=gettext_lazy("Failed"), orderable=False, ltr=True)
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = ("-number",)

    def __init__(self, *args: Any, task: AITask, may_edit: bool, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.task, self.may_edit, self.user = task, may_edit, user

    @cached_property
    def figures(self) -> Mapping[int, Figures]:
        """Of the versions of the page."""
        return figures_of_versions(self.user, [row.record.pk for row in self.paginated_rows])

    def render_executions(self, record: AITaskVersion) -> str:
        """How many; no more than are looked at."""
        number = self.value_executions(record)
        return f"{number:,}+" if number >= SAMPLE else f"{number:,}"

    def value_executions(self, record: AITaskVersion) -> int:
        """Bare."""
        return self.figures.get(record.pk, Figures()).executions

    def render_each(self, record: AITaskVersion) -> str:
        """What an execution costs."""
        found = self.figures.get(record.pk)
        return found.each if found is not None else "–"

    def render_p95(self, record: AITaskVersion) -> str:
        """In milliseconds."""
        found = self.figures.get(record.pk)
        return _("%(n)s ms") % {"n": f"{found.p95_ms:,}"} if found is not None and found.p95_ms is not None else "–"

    def render_failing(self, record: AITaskVersion) -> str:
        """In per cent."""
        found = self.figures.get(record.pk)
        return found.failing if found is not None else "–"

    value_each, value_p95, value_failing = render_each, render_p95, render_failing

    @cached_property
    def pointing(self) -> list[tuple[int, str]]:
        """Version and name of each label."""
        return list(TaskLabel.objects.filter(task=self.task).order_by("name").values_list("points_to", "name"))

    def value_labels(self, record: AITaskVersion) -> str:
        """Bare names."""
        return "; ".join(name for version, name in self.pointing if version == record.pk)

    def render_labels(self, record: AITaskVersion) -> str:
        """Badges."""
        names = [name for version, name in self.pointing if version == record.pk]
        shown = ((badge("enabled" if name == PRODUCTION else "info", name),) for name in names)
        return format_html_join(" ", "{}", shown) if names else EMPTY

    def render_actions(self, record: AITaskVersion) -> str:
        """Compare with the one before; restore."""
        compare = reverse(
            "aitasks:compare", args=[self.task.pk], query={"old": max(record.number - 1, 1), "new": record.number}
        )
        items = [(compare, _("Compare"))]
        if self.may_edit:
            items.append((reverse("aitasks:restore", args=[self.task.pk, record.number]), _("Restore")))
        return links(items)
