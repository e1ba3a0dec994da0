"""Budgets and rates (Administration > Speech Analytics > AI Assistant > Usage and cost > Budgets)."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse, reverse_lazy
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from aiassistant.rails import budgets
from aiassistant.rails.filters import BudgetFilter
from aiassistant.rails.forms import BudgetForm, RateForm, initial_of
from aiassistant.rails.models import Budget, TenantRate
from aiassistant.rails.places import ROOT, USAGE
from aiassistant.rails.selectors import budgets_for
from aiassistant.rails.tables import BudgetTable
from aiassistant.rails.watching import paces
from core.bulk import DELETE, DISABLE, ENABLE, BulkMixin
from core.pages import ConfirmPage, Crumbs, FormPage, ListPage, Page, Text
from tenants.selectors import visible_tenants

TITLE = gettext_lazy("AI budgets")


class BudgetList(ListPage):
    """The budgets with what is used of them."""

    title = TITLE
    table_class = BudgetTable
    filterset_class = BudgetFilter
    bulk_actions = [ENABLE, DISABLE, DELETE]

    def breadcrumbs(self) -> Crumbs:
        """Below usage and cost."""
        return [*ROOT, USAGE]

    def get_queryset(self) -> QuerySet[Budget]:
        """Those that the viewer may see."""
        return budgets_for(viewer(self.request))

    @cached_property
    def changeable(self) -> frozenset[int]:
        """The budgets that the viewer may change."""
        return frozenset(budgets.changeable(viewer(self.request)).order_by().values_list("pk", flat=True))

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """What is used of all visible budgets, and which may be changed."""
        found = paces(list(self.get_queryset()))
        return {"paces": {pace.budget.pk: pace for pace in found}, "changeable": self.changeable}

    def table_arguments(self) -> dict[str, Any]:
        """The same for page and file."""
        return self.arguments

    def actions(self) -> list[dict[str, Any]]:
        """Add."""
        if not viewer(self.request).has(Permission.AI_BUDGETS_EDIT):
            return []
        return [{"label": _("Add"), "url": reverse("rails:budget_add"), "icon": "plus", "primary": True}]

    def bulk_url(self) -> str:
        """Change several."""
        return reverse("rails:budgets_bulk")

    def more_context(self) -> dict[str, Any]:
        """No bulk actions for those who may only look."""
        return {} if self.changeable else {"bulk_actions": []}

    def empty(self) -> dict[str, Any]:
        """The first."""
        return {
            "icon": "gauge",
            "title": _("No budget yet"),
            "text": _("A budget warns or stops when a tenant, a task or an engine has used so much in a month."),
        }


class BudgetBulk(BulkMixin, BudgetList):
    """Enable, disable or delete the chosen budgets, as far as the viewer may change them."""

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What happens."""
        return {
            "enable": (_("Enable"), _("They count all that was spent this month.")),
            "disable": (_("Disable"), _("They neither warn nor stop any more.")),
            "delete": (_("Delete"), _("What they stopped is not made up for by itself.")),
        }

    def asks(self, action: str) -> bool:
        """Only what cannot be undone."""
        return action == "delete"

    def list_url(self) -> str:
        """The list."""
        return reverse("rails:budgets")

    def perform(self, action: str, rows: QuerySet[Budget]) -> str:
        """Through the services."""
        found, editor = list(rows), viewer(self.request)
        if action == "delete":
            number = budgets.delete_budgets(budgets=found, editor=editor)
        else:
            number = budgets.set_enabled(budgets=found, enabled=action == "enable", editor=editor)
        return ngettext("%(n)s budget was changed.", "%(n)s budgets were changed.", number) % {"n": number}


class OneBudget(Page):
    """Base of the pages of one budget."""

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the budget of the address, when the viewer may see it."""
        super().setup(request, *args, **kwargs)
        pk = kwargs.get("pk")
        self.budget: Any = get_object_or_404(budgets_for(viewer(request)), pk=pk) if pk is not None else None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """403 for budgets that only the platform may change."""
        if self.budget is not None and not budgets.changeable(viewer(request)).filter(pk=self.budget.pk).exists():
            raise PermissionDenied(_("This budget was set by the platform."))
        return super().dispatch(request, *args, **kwargs)

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return [*ROOT, USAGE, (TITLE, reverse("rails:budgets"))]


class BudgetPage(OneBudget, FormPage):
    """Add and edit."""

    form_class = BudgetForm
    cancel_url = reverse_lazy("rails:budgets")  # type: ignore[assignment]

    def get_title(self) -> Text:
        """The name, or that it is new."""
        return self.budget.name if self.budget else _("Add AI budget")

    def form_arguments(self) -> dict[str, Any]:
        """The stored values."""
        initial = initial_of(self.budget) if self.budget is not None else {}
        return {"editor": viewer(self.request), "budget": self.budget, "initial": initial}

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        saved = budgets.save_budget(
            budget=self.budget,
            values={name: form.cleaned_data[name] for name in budgets.FIELDS},
            version=form.cleaned_data["version"] or 0,
            editor=viewer(self.request),
        )
        messages.success(self.request, _("The budget “%(name)s” was saved.") % {"name": saved.name})
        return redirect("rails:budgets")


class BudgetDelete(OneBudget, ConfirmPage):
    """Delete a budget."""

    title = gettext_lazy("Delete this budget?")
    confirm_label = gettext_lazy("Delete")
    cancel_url = reverse_lazy("rails:budgets")  # type: ignore[assignment]

    def message(self) -> Text:
        """What it means."""
        return _("The budget “%(name)s” neither warns nor stops any more.") % {"name": self.budget.name}

    def act(self) -> Text:
        """Through the service."""
        budgets.delete_budgets(budgets=[self.budget], editor=viewer(self.request))
        return _("The budget “%(name)s” was deleted.") % {"name": self.budget.name}


class RatePage(FormPage):
    """The rate of one tenant."""

    form_class = RateForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the tenant, when the viewer may see it."""
        super().setup(request, *args, **kwargs)
        self.of = get_object_or_404(visible_tenants(viewer(request)), pk=kwargs["pk"])
        self.cancel_url = reverse("rails:usage") + f"?tenant={self.of.pk}"

    def breadcrumbs(self) -> Crumbs:
        """Below usage and cost."""
        return [*ROOT, USAGE]

    def get_title(self) -> Text:
        """Whose."""
        return _("Rate of AI executions: %(tenant)s") % {"tenant": self.of.name}

    def form_arguments(self) -> dict[str, Any]:
        """The stored rate."""
        rate = TenantRate.objects.filter(tenant=self.of).first()
        known = {"per_minute": rate.per_minute, "version": rate.version} if rate is not None else {"version": 0}
        return {"initial": known}

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        budgets.save_rate(
            tenant=self.of,
            per_minute=form.cleaned_data["per_minute"],
            version=form.cleaned_data["version"] or 0,
            editor=viewer(self.request),
        )
        messages.success(self.request, _("Saved."))
        return redirect(self.cancel_url)
