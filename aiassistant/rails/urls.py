"""Routes of usage and cost, executions, budgets and rates."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from aiassistant.rails import budget_views, views

app_name = "rails"

look = requires(Permission.USAGE_VIEW)
edit = requires(Permission.AI_BUDGETS_EDIT)

urlpatterns = [
    path("usage/", look(views.UsagePage.as_view()), name="usage"),
    path("executions/", look(views.ExecutionList.as_view()), name="executions"),
    path("executions/<uuid:pk>/", look(views.ExecutionPage.as_view()), name="execution"),
    path("budgets/", look(budget_views.BudgetList.as_view()), name="budgets"),
    path("budgets/bulk/", edit(budget_views.BudgetBulk.as_view()), name="budgets_bulk"),
    path("budgets/add/", edit(budget_views.BudgetPage.as_view()), name="budget_add"),
    path("budgets/<int:pk>/", edit(budget_views.BudgetPage.as_view()), name="budget"),
    path("budgets/<int:pk>/delete/", edit(budget_views.BudgetDelete.as_view()), name="budget_delete"),
    path(
        "rates/<uuid:pk>/",
        requires(Permission.SERVICE_LIMITS_EDIT)(budget_views.RatePage.as_view()),
        name="rate",
    ),
]
