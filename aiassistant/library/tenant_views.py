"""The tab "AI Tasks" of a tenant: what is switched on, and what is overridden."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from aiassistant.library.activating import activate_tasks, drop_override, save_override, save_policy
from aiassistant.library.comparing import compared
from aiassistant.library.estimating import DAYS, ask, question_of
from aiassistant.library.forms import OverrideForm, PolicyForm
from aiassistant.library.listing import TenantTaskFilter, with_state
from aiassistant.library.models import AITask, TaskActivation
from aiassistant.library.reach import may_override, policy_of, tasks_of
from aiassistant.library.selectors import production_of
from aiassistant.library.tables import TenantTaskTable
from aiassistant.library.tasks import ask_for_month
from core.bulk import BulkMixin
from core.money import money_text
from core.pages import ConfirmPage, ListPage, Page, Text
from jobs.clauses import ClausesPage
from tenants.pages import TenantFormPage, TenantPage

TAB = "aitasks:tenant"


class TenantTasks(TenantPage, ListPage):
    """Enabled and Disabled, for one tenant."""

    tab = TAB
    template_name = "aiassistant/tenant_tasks.html"
    table_class = TenantTaskTable
    filterset_class = TenantTaskFilter
    bulk_actions = [
        {"name": "activate", "label": gettext_lazy("Switch on"), "icon": "circle-check"},
        {"name": "deactivate", "label": gettext_lazy("Switch off"), "icon": "circle-minus"},
    ]

    def get_queryset(self) -> QuerySet[AITask]:
        """What the tenant can switch on."""
        return with_state(tasks_of(self.tenant_row), self.tenant_row.pk)

    def may_edit(self) -> bool:
        """Whether the viewer may switch."""
        return viewer(self.request).has(Permission.AI_TASKS_EDIT)

    def table_arguments(self) -> dict[str, Any]:
        """Whose choices."""
        return {
            "tenant": self.tenant_row,
            "may_edit": self.may_edit(),
            "may_override": may_override(viewer(self.request), self.tenant_row),
        }

    def bulk_url(self) -> str:
        """Switch on and off."""
        return reverse("aitasks:tenant_bulk", args=[self.tenant_row.pk])

    def more_context(self) -> dict[str, Any]:
        """The tabs Enabled and Disabled, each with its number."""
        rows, here = self.get_queryset(), self.request.path
        on, state = rows.filter(Q(on=True)).count(), self.request.GET.get("state", "")
        total = rows.count()
        tabs = [
            {"label": _("All"), "url": here, "active": state == "", "count": total},
            {"label": _("Enabled"), "url": f"{here}?state=enabled", "active": state == "enabled", "count": on},
            {
                "label": _("Disabled"),
                "url": f"{here}?state=disabled",
                "active": state == "disabled",
                "count": total - on,
            },
        ]
        may_allow = self.may_edit() and viewer(self.request).tenant.is_system
        policy_url = reverse("aitasks:policy", args=[self.tenant_row.pk]) if may_allow else ""
        return {"state_tabs": tabs, "policy_url": policy_url} | ({} if self.may_edit() else {"bulk_actions": []})

    def empty(self) -> dict[str, Any]:
        """Nothing in this tab."""
        return {
            "icon": "messages",
            "title": _("No AI task here"),
            "text": _("Tasks are off until they are switched on."),
        }


class TenantTaskBulk(BulkMixin, TenantTasks):
    """Switch the chosen tasks on or off."""

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What happens."""
        return {
            "activate": (_("Switch on"), _("They are asked about new conversations from now on.")),
            "deactivate": (_("Switch off"), _("They are asked no more; the values that there are stay.")),
        }

    def asks(self, action: str) -> bool:
        """Switching on costs money."""
        return action == "activate"

    def list_url(self) -> str:
        """The tab."""
        return self.tab_url()

    def perform(self, action: str, rows: QuerySet[AITask]) -> str:
        """Through the service."""
        number = activate_tasks(
            tenant=self.tenant_row, tasks=list(rows), enabled=action == "activate", editor=viewer(self.request)
        )
        return ngettext("%(n)s task was changed.", "%(n)s tasks were changed.", number) % {"n": number}


class Estimate(TenantPage, Page):
    """What a task would cost this tenant a month; a worker counts while the page waits."""

    tab = TAB
    template_name = "aiassistant/estimate.html"
    region = "list"
    live_interval = 2

    def get_title(self) -> Text:
        """Of which task."""
        return _("Cost of “%(name)s” a month") % {"name": self.task.title}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The answer, or that it is being counted."""
        self.task = get_object_or_404(tasks_of(self.tenant_row), pk=kwargs["task"])
        question = question_of(self.tenant_row, self.task)
        answer, asking = None, False
        if question is not None:
            answer, unasked = ask(question)
            asking = answer is None and (not unasked or ask_for_month(question.key()))
        self.live = asking
        cost = "" if answer is None or answer.cost_micros is None else money_text(answer.cost_micros, answer.currency)
        return self.show(self.context(answer=answer, asking=asking, question=question, cost=cost, days=DAYS))


class OverrideCompare(TenantPage, Page):
    """What runs for the tenant beside what the library has in production."""

    tab = TAB
    template_name = "aiassistant/compare.html"

    def get_title(self) -> Text:
        """Of which task."""
        return _("Override of “%(name)s” beside the library") % {"name": self.task.title}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Without an override the two are the same."""
        self.task = get_object_or_404(tasks_of(self.tenant_row), pk=kwargs["task"])
        chosen = TaskActivation.objects.filter(tenant=self.tenant_row, task=self.task).select_related("override")
        library = production_of(self.task)
        own = next((row.override for row in chosen if row.override is not None), library)
        if library is None or own is None:
            raise Http404
        parts = compared(library, own)
        shown = [part for part in parts if part.changed]
        same = [part.label for part in parts if not part.changed]
        return self.show(self.context(parts=shown, same=same, old=library, new=own))


class OfTask(TenantPage):
    """Base of the pages about one task of one tenant."""

    tab = TAB

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the task, and what the tenant chose about it."""
        super().setup(request, *args, **kwargs)
        self.task = get_object_or_404(tasks_of(self.tenant_row), pk=kwargs["task"], tenant=None)
        self.chosen = (
            TaskActivation.objects.filter(tenant=self.tenant_row, task=self.task).select_related("override").first()
        )
        self.cancel_url = self.tab_url()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Refuse where the platform does not allow it."""
        if request.method in ("GET", "HEAD", "POST") and not may_override(viewer(request), self.tenant_row):
            raise PermissionDenied(_("This tenant may not override tasks: ask your provider to allow it."))
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]


class Override(OfTask, ClausesPage):
    """Own prompt, own filters, or both."""

    form_class = OverrideForm
    template_name = "tenants/tenant_form.html"

    def get_title(self) -> Text:
        """Which task."""
        return _("Override “%(name)s”") % {"name": self.task.title}

    def form_arguments(self) -> dict[str, Any]:
        """The tenant's override, or what is in production."""
        own = self.chosen.override if self.chosen is not None else None
        stored = own or production_of(self.task)
        if stored is None:
            raise PermissionDenied(_("“%(name)s” has no version in production.") % {"name": self.task.title})
        initial = {
            "own_prompt": own is not None and own.own_prompt,
            "own_filters": own is not None and own.own_filters,
            "system_template": stored.system_template,
            "user_template": stored.user_template,
            "version": self.chosen.version if self.chosen is not None else 0,
        }
        return {"owner": self.tenant_row, "stored": stored, "initial": initial}

    def more_context(self, form: Any) -> dict[str, Any]:
        """What an override rests on, and whether the library has moved on."""
        own = self.chosen.override if self.chosen is not None else None
        intro = _("All else is that of the version in production, as it is when this is saved.")
        running = production_of(self.task)
        moved = own is not None and running is not None and own.base_id != running.pk
        warning = _("The library has a newer version. Save again to rest on it, or drop the override.") if moved else ""
        return {"intro": intro, "warning": warning}

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        save_override(
            tenant=self.tenant_row,
            task=self.task,
            prompt=form.prompt(),
            filters=form.own_clauses(),
            why=form.cleaned_data["why"],
            version=form.cleaned_data["version"] or 0,
            editor=viewer(self.request),
        )
        messages.success(self.request, _("Saved."))
        return redirect(self.tab_url())


class OverrideDrop(OfTask, ConfirmPage):
    """Go back to the library."""

    title = gettext_lazy("Drop this override?")
    confirm_label = gettext_lazy("Drop override")

    def message(self) -> Text:
        """What runs then."""
        return _("The task “%(name)s” runs as the library has it again.") % {"name": self.task.title}

    def act(self) -> Text:
        """Through the service."""
        drop_override(tenant=self.tenant_row, task=self.task, editor=viewer(self.request))
        return _("The override was dropped.")


class Policy(TenantFormPage):
    """What the tenant may do itself; platform staff alone."""

    tab = TAB
    title = gettext_lazy("What the tenant may do")
    template_name = "tenants/tenant_form.html"
    form_class = PolicyForm
    edit_right = Permission.AI_TASKS_EDIT

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Refuse the tenant's own people."""
        if request.method in ("GET", "HEAD", "POST") and not viewer(request).tenant.is_system:
            raise PermissionDenied(_("The platform's administrators decide this."))
        self.cancel_url = self.tab_url()
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def form_arguments(self) -> dict[str, Any]:
        """As it is."""
        policy = policy_of(self.tenant_row)
        return {"initial": {"overrides": policy.overrides, "own_tasks": policy.own_tasks}}

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        cleaned = form.cleaned_data
        save_policy(
            tenant=self.tenant_row,
            overrides=cleaned["overrides"],
            own_tasks=cleaned["own_tasks"],
            editor=viewer(self.request),
        )
        messages.success(self.request, _("Saved."))
        return redirect(self.tab_url())
