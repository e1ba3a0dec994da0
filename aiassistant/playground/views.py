"""The playground of AI tasks: choose a version and conversations, try the edits of the form, see what came of it."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.permissions import Permission
from accounts.policy import viewer
from aiassistant.library.checking import CONTENT
from aiassistant.library.models import AITask
from aiassistant.library.selectors import versions_of
from aiassistant.library.views import OneTask, TaskPage
from aiassistant.playground.forms import TrialForm
from aiassistant.playground.models import PlaygroundRun
from aiassistant.playground.reach import may_try, readable_among, tenants_to_try
from aiassistant.playground.services import cancel_run, start_run
from aiassistant.playground.shown import cards_of, columns_of, tiles_of
from aiassistant.playground.tasks import start_trying
from conversations.trials import trials_of
from core.errors import Conflict, InvalidInput
from core.pages import ActionPage, Crumbs, FormPage, Page, Text, stamp_of
from tenants.selectors import visible_tenants

MOST_SHOWN = 20
NOBODY = gettext_lazy("There is no tenant on whose conversations you may try this task.")


def started(request: HttpRequest, task: AITask, trial: TrialForm, content: Any, number: int | None) -> HttpResponseBase:
    """Start through the service, ask a worker, go to the page of the run."""
    run = start_run(
        task=task,
        tenant=trial.tenant(),
        content=content,
        number=number,
        editor=viewer(request),
        **trial.selection(),
    )
    start_trying(run)
    return redirect("aitasks:playground_run", pk=task.pk, run=run.pk)


class Playground(OneTask, FormPage):
    """Try a stored version; the tries of the last week."""

    form_class = TrialForm
    template_name = "aiassistant/playground.html"

    def get_title(self) -> Text:
        """Of which task."""
        return _("Playground of “%(name)s”") % {"name": self.task.title}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Refuse where there is nobody to try it on."""
        if request.method in ("GET", "HEAD", "POST") and not tenants_to_try(viewer(request), self.task).exists():
            raise PermissionDenied(str(NOBODY))
        self.cancel_url = reverse("aitasks:task", args=[self.task.pk])
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def form_arguments(self) -> dict[str, Any]:
        """The versions, newest first."""
        numbers = list(versions_of(self.task, None).values_list("number", flat=True)[:500])
        return {"editor": viewer(self.request), "task": self.task, "numbers": numbers}

    def more_context(self, form: Any) -> dict[str, Any]:
        """What it is for, and what was tried."""
        tenants = visible_tenants(viewer(self.request)).order_by().values("pk")
        rows = PlaygroundRun.objects.filter(task=self.task, tenant__in=tenants)
        intro = _(
            "A version is asked about a few conversations beside the one that runs. No value is written; tokens and "
            "money count for budgets and rates."
        )
        runs = rows.select_related("tenant", "requested_by").order_by("-created_at")[:MOST_SHOWN]
        return {"intro": intro, "submit_label": _("Try"), "runs": runs}

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        number = form.cleaned_data["try_version"]
        version = versions_of(self.task, None).get(number=number)
        content = {name: getattr(version, name) for name in CONTENT}
        try:
            return started(self.request, self.task, form, content, number)
        except InvalidInput as error:
            if error.field in form.aliases:
                raise
            # The version breaks a rule of today, or its engine cannot be asked: there is no field for that here.
            raise InvalidInput("try_version", error.message) from error


class TryEdits(TaskPage):
    """What stands in the editor, saved or not: judged like a version, never stored as one."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Start, or show the editor again with what was wrong."""
        self.demand_reach()
        editor = viewer(request)
        if not tenants_to_try(editor, self.task).exists():
            raise PermissionDenied(str(NOBODY))
        form: Any = self.form_class(request.POST, **self.form_arguments())
        self.trial = TrialForm(request.POST, editor=editor, task=self.task)
        if not form.is_valid() or not self.trial.is_valid():
            return self.show_form(form, status=422)
        try:
            return started(request, self.task, self.trial, form.content(), None)
        except InvalidInput as error:
            if error.field in self.trial.aliases:
                self.trial.add_error(self.trial.aliases[error.field], error.message)
            else:
                name = form.aliases.get(error.field, error.field)
                form.add_error(name if name in form.fields else None, error.message)
            return self.show_form(form, status=422)
        except Conflict as error:
            form.add_error(None, error.message)
            return self.show_form(form, status=409)


class OfRun(OneTask):
    """Base of what concerns one run: of a tenant that the viewer sees."""

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the run of the address."""
        super().setup(request, *args, **kwargs)
        rows = PlaygroundRun.objects.select_related("task", "tenant")
        seen = visible_tenants(viewer(request)).order_by().values("pk")
        self.run = get_object_or_404(rows, pk=kwargs["run"], task=self.task, tenant__in=seen)


class RunPage(OfRun, Page):
    """How far a run is, what it costs, and the answers beside each other for those who may read them."""

    template_name = "aiassistant/playground_run.html"
    region = "trial"
    live_interval = 2

    def get_title(self) -> Text:
        """Of which task and tenant."""
        return _("Try of “%(name)s” for %(tenant)s") % {"name": self.task.title, "tenant": self.run.tenant.name}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page."""
        run, user = self.run, viewer(request)
        self.live = not run.ended
        here = user.stands_in == run.tenant_id
        bodies = trials_of(run.pk) if here else {}
        calls = readable_among(user, run.records) if here else {}
        cards = cards_of(run, bodies, calls)
        mine = may_try(user, self.task, run.tenant)
        context = self.context(
            run=run,
            columns=columns_of(run),
            tiles=tiles_of(run),
            total=len(run.records) or len(run.wanted) or run.newest,
            cards=cards,
            hidden=run.done - len(cards) if here else 0,
            elsewhere=not here,
            view_as_url=self.view_as_url(),
            may_cancel=mine and not run.ended and not run.stopping,
            cancel_url=reverse("aitasks:playground_cancel", args=[self.task.pk, run.pk]),
            again_url=reverse("aitasks:playground", args=[self.task.pk]) if mine else "",
        )
        return self.show(context, stamp=stamp_of(run.state, run.done, run.stopping, len(cards), request.path))

    def view_as_url(self) -> str:
        """Where staff begin to view as the tenant."""
        may = viewer(self.request).has(Permission.TENANTS_VIEW_AS)
        return reverse("tenants:view_as", args=[self.run.tenant_id]) if may else ""

    def breadcrumbs(self) -> Crumbs:
        """Below the playground, for those who may use it."""
        found = super().breadcrumbs()
        if may_try(viewer(self.request), self.task, self.run.tenant):
            found.append((_("Playground"), reverse("aitasks:playground", args=[self.task.pk])))
        return found


class CancelRun(OfRun, ActionPage):
    """Stop a run."""

    def act(self) -> str:
        """Through the service."""
        cancel_run(run=self.run, editor=viewer(self.request))
        return self.refused_url()

    def refused_url(self) -> str:
        """The page of the run."""
        return reverse("aitasks:playground_run", args=[self.task.pk, self.run.pk])
