"""Administration > Speech Analytics > AI Assistant > AI Tasks."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse, reverse_lazy
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from aiassistant.kind import AIKind
from aiassistant.library.comparing import compared
from aiassistant.library.forms import LabelForm, TaskForm, initial_of
from aiassistant.library.listing import TaskFilter
from aiassistant.library.models import AITask, AITaskVersion, TaskLabel
from aiassistant.library.output_rows import with_row, without_row
from aiassistant.library.reach import may_change, policy_of, visible_tasks
from aiassistant.library.selectors import versions_of
from aiassistant.library.services import archive_tasks, restore_version, save_task, set_label, set_tasks_enabled
from aiassistant.library.tables import TaskTable, VersionTable
from aiassistant.library.templates import GENERATED, TRANSCRIPT, TRUSTED, UNTRUSTED
from aiassistant.playground.forms import TrialForm
from core.bulk import DISABLE, ENABLE, BulkMixin
from core.errors import Conflict, InvalidInput
from core.pages import ConfirmPage, Crumbs, FormPage, ListPage, Page, Text, whole
from jobs.clauses import ClausesPage

TITLE = gettext_lazy("AI Tasks")
ROOT: Crumbs = [
    (gettext_lazy("Administration"), None),
    (gettext_lazy("Speech Analytics"), None),
    (gettext_lazy("AI Assistant"), None),
]


class TaskList(ListPage):
    """The library, and the own tasks of the tenants that the viewer sees."""

    title = TITLE
    table_class = TaskTable
    filterset_class = TaskFilter
    bulk_actions = [
        ENABLE,
        {**DISABLE, "danger": True},
        {"name": "archive", "label": gettext_lazy("Archive"), "icon": "trash", "danger": True},
    ]

    def breadcrumbs(self) -> Crumbs:
        """The menu."""
        return ROOT

    def get_queryset(self) -> QuerySet[AITask]:
        """Those that the viewer may look at."""
        return visible_tasks(viewer(self.request))

    def may_edit(self) -> bool:
        """Whether the viewer may have tasks to change at all."""
        user = viewer(self.request)
        if not user.has(Permission.AI_TASKS_EDIT):
            return False
        return user.tenant.is_system or policy_of(user.tenant).own_tasks

    def table_arguments(self) -> dict[str, Any]:
        """Check boxes for those who may act."""
        return {"may_edit": self.may_edit(), "user": viewer(self.request)}

    def actions(self) -> list[dict[str, Any]]:
        """What the tenant of the viewer has switched on; add."""
        user = viewer(self.request)
        own = {
            "label": _("Switch on and off"),
            "url": reverse("aitasks:tenant", args=[user.stands_in]),
            "icon": "adjustments-horizontal",
        }
        add = {"label": _("Add"), "url": reverse("aitasks:add"), "icon": "plus", "primary": True}
        return [
            *([] if user.stands_in == user.tenant_id and user.tenant.is_system else [own]),
            *([add] if self.may_edit() else []),
        ]

    def bulk_url(self) -> str:
        """Enable, disable, archive."""
        return reverse("aitasks:bulk")

    def more_context(self) -> dict[str, Any]:
        """No bulk actions for those who may only look."""
        return {} if self.may_edit() else {"bulk_actions": []}

    def empty(self) -> dict[str, Any]:
        """The first task."""
        text = _("An AI task asks something of every conversation and stores the answer in custom fields.")
        return {"icon": "messages", "title": _("No AI task yet"), "text": text}


class TaskBulk(BulkMixin, TaskList):
    """Enable, disable or archive the chosen tasks."""

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What happens."""
        return {
            "enable": (_("Enable"), _("They run for the tenants that have switched them on.")),
            "disable": (_("Disable"), _("They run for nobody until they are enabled again.")),
            "archive": (_("Archive"), _("They are gone from all lists and never run again; values and history stay.")),
        }

    def asks(self, action: str) -> bool:
        """All but enabling."""
        return action != "enable"

    def list_url(self) -> str:
        """The list."""
        return reverse("aitasks:tasks")

    def perform(self, action: str, rows: QuerySet[AITask]) -> str:
        """Through the services; a task out of reach refuses the whole."""
        tasks, editor = list(rows), viewer(self.request)
        if action == "archive":
            number = archive_tasks(tasks=tasks, editor=editor)
        else:
            number = set_tasks_enabled(tasks=tasks, enabled=action == "enable", editor=editor)
        return ngettext("%(n)s task was changed.", "%(n)s tasks were changed.", number) % {"n": number}


class OneTask(Page):
    """Base of the pages of one task."""

    task: Any = None

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the task of the address, when the viewer may see it."""
        super().setup(request, *args, **kwargs)
        if "pk" in kwargs:
            self.task = get_object_or_404(visible_tasks(viewer(request)), pk=kwargs["pk"])

    def breadcrumbs(self) -> Crumbs:
        """Below the list, and below the task."""
        found: Crumbs = [*ROOT, (TITLE, reverse("aitasks:tasks"))]
        if self.task is not None and not isinstance(self, TaskPage):
            found.append((self.task.title, reverse("aitasks:task", args=[self.task.pk])))
        return found

    def may_edit(self) -> bool:
        """Whether the viewer may change this task."""
        return may_change(viewer(self.request), self.task)

    def demand_reach(self) -> None:
        """Refuse those who may not."""
        if self.task is not None and not self.may_edit():
            user = viewer(self.request)
            if not user.has(Permission.AI_TASKS_EDIT):
                raise PermissionDenied(user.lacking(Permission.AI_TASKS_EDIT))
            raise PermissionDenied(_("This task is of the library: the platform's administrators change it."))


class TaskPage(OneTask, ClausesPage):
    """Add and edit; who may only look sees the same without buttons."""

    form_class = TaskForm
    template_name = "aiassistant/task.html"
    cancel_url = reverse_lazy("aitasks:tasks")  # type: ignore[assignment]
    trial: TrialForm | None = None

    def get_title(self) -> Text:
        """The title, or that it is new."""
        return self.task.title if self.task else _("Add AI task")

    @cached_property
    def newest(self) -> AITaskVersion | None:
        """The newest version of the task."""
        return versions_of(self.task, None).first() if self.task is not None else None

    def form_arguments(self) -> dict[str, Any]:
        """The newest version."""
        newest = self.newest
        initial = initial_of(self.task, newest) if newest is not None else {"outputs": "[]"}
        return {"editor": viewer(self.request), "task": self.task, "newest": newest, "initial": initial}

    def more_context(self, form: Any) -> dict[str, Any]:
        """What prompts may name, and where the versions are."""
        variables = [(TRANSCRIPT, True), *((name, name in TRUSTED) for name in sorted(TRUSTED | UNTRUSTED | GENERATED))]
        shown = {"variables": variables, "may_change": self.task is None or self.may_edit(), "task": self.task}
        if self.task is not None:
            user = viewer(self.request)
            trial = self.trial
            if trial is None and user.has(Permission.AI_TASKS_EDIT):
                trial = TrialForm(editor=user, task=self.task)
            tries = trial is not None and bool(trial.tenants)
            shown |= {
                "may_try": tries,
                "trial": trial if tries and shown["may_change"] else None,
                "form_action": reverse("aitasks:task", args=[self.task.pk]),
            }
            if user.has(Permission.JOBS_EDIT):
                asked = urlencode({"kind": AIKind.key, "tasks": self.task.pk})
                shown["history_url"] = f"{reverse('jobs:backfill')}?{asked}"
            labels = TaskLabel.objects.filter(task=self.task).select_related("points_to").order_by("name")
            shown |= {"labels": labels, "newest": self.newest}
        return shown

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """As of any form with clauses, for those who may change the task."""
        if not viewer(request).has(Permission.AI_TASKS_EDIT):
            raise PermissionDenied(viewer(request).lacking(Permission.AI_TASKS_EDIT))
        self.demand_reach()
        return super().post(request, *args, **kwargs)

    def moved(self) -> QueryDict | None:
        """Outputs are added and removed in the same way."""
        posted = self.request.POST
        if "remove_output" in posted:
            return without_row(posted, posted["remove_output"])
        if "add_output" in posted:
            return with_row(posted)
        return super().moved()

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        task = save_task(
            task=self.task,
            tenant=form.owner(),
            head=form.head(),
            content=form.content(),
            why=form.cleaned_data["why"],
            publish=form.cleaned_data["publish"],
            version=form.cleaned_data["version"] or 0,
            editor=viewer(self.request),
        )
        messages.success(self.request, _("The task “%(name)s” was saved.") % {"name": task.title})
        return redirect("aitasks:task", pk=task.pk)


class VersionList(OneTask, ListPage):
    """The history of a task."""

    table_class = VersionTable
    template_name = "aiassistant/versions.html"

    def get_title(self) -> Text:
        """Of which task."""
        return _("Versions of “%(name)s”") % {"name": self.task.title}

    def get_queryset(self) -> QuerySet[AITaskVersion]:
        """Of the task itself, newest first."""
        return versions_of(self.task, None)

    def table_arguments(self) -> dict[str, Any]:
        """Restoring, for those who may."""
        return {"task": self.task, "may_edit": self.may_edit(), "user": viewer(self.request)}

    def actions(self) -> list[dict[str, Any]]:
        """Labels."""
        if not self.may_edit():
            return []
        return [{"label": _("Set a label"), "url": reverse("aitasks:label", args=[self.task.pk]), "icon": "tag"}]

    def more_context(self) -> dict[str, Any]:
        """The numbers to choose from when two are compared."""
        numbers = list(self.get_queryset().values_list("number", flat=True)[:500])
        return {"numbers": numbers, "compare_url": reverse("aitasks:compare", args=[self.task.pk])}


class Compare(OneTask):
    """Two versions beside each other."""

    template_name = "aiassistant/compare.html"

    def get_title(self) -> Text:
        """Which two."""
        return _("Version %(old)s and %(new)s") % {"old": self.old.number, "new": self.new.number}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Those of the address; without any, the newest and the one before."""
        rows = versions_of(self.task, None)
        newest = rows.first()
        if newest is None:
            raise Http404
        new = whole(request.GET.get("new"), newest.number)
        old = whole(request.GET.get("old"), max(new - 1, 1))
        self.new, self.old = get_object_or_404(rows, number=new), get_object_or_404(rows, number=old)
        parts = compared(self.old, self.new)
        return self.show(
            self.context(
                parts=[part for part in parts if part.changed],
                same=[part.label for part in parts if not part.changed],
                old=self.old,
                new=self.new,
            )
        )


class Restore(OneTask, ConfirmPage):
    """Ask again what an older version asked."""

    confirm_label = gettext_lazy("Restore and let it run")
    danger = False

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the version."""
        super().setup(request, *args, **kwargs)
        self.number = kwargs["number"]
        get_object_or_404(versions_of(self.task, None), number=self.number)
        self.cancel_url = reverse("aitasks:versions", args=[self.task.pk])

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Refuse before anything is asked."""
        if request.method in ("GET", "HEAD", "POST"):
            self.demand_reach()
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def get_title(self) -> Text:
        """Which version."""
        return _("Restore version %(number)s?") % {"number": self.number}

    def message(self) -> Text:
        """A new version."""
        return _(
            "A new version is made that asks what this one asked, and it runs from now on. History stays as it is."
        )

    def act(self) -> Text:
        """Through the service; what breaks today's rules is named."""
        try:
            made = restore_version(task=self.task, number=self.number, publish=True, editor=viewer(self.request))
        except InvalidInput as error:
            raise Conflict(error.message) from error
        return _("Version %(number)s runs now.") % {"number": made.number}


class Label(OneTask, FormPage):
    """Let a label point to a version."""

    form_class = LabelForm
    title = gettext_lazy("Set a label")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Refuse before anything is asked."""
        if request.method in ("GET", "HEAD", "POST"):
            self.demand_reach()
        self.cancel_url = reverse("aitasks:versions", args=[self.task.pk])
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def form_arguments(self) -> dict[str, Any]:
        """The label of the address, where it stands now."""
        name = self.request.GET.get("label", "")[:40]
        standing = TaskLabel.objects.filter(task=self.task, name=name).select_related("points_to").first()
        number = standing.points_to.number if standing is not None else None
        numbers = list(versions_of(self.task, None).values_list("number", flat=True)[:500])
        return {"numbers": numbers, "initial": {"label": name, "number": number, "seen": number}}

    def more_context(self, form: Any) -> dict[str, Any]:
        """What labels are for."""
        return {"intro": _("A label points to one version and can be moved. The version labelled “production” runs.")}

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service; without a script the label that stands is taken as seen."""
        cleaned = form.cleaned_data
        seen = cleaned["seen"]
        if seen is None:
            name = cleaned["label"].strip().casefold()
            standing = TaskLabel.objects.filter(task=self.task, name=name).select_related("points_to").first()
            seen = standing.points_to.number if standing is not None else None
        set_label(
            task=self.task, name=cleaned["label"], number=cleaned["number"], seen=seen, editor=viewer(self.request)
        )
        messages.success(self.request, _("Saved."))
        return redirect("aitasks:versions", pk=self.task.pk)
