"""Routes of alert rules."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import everywhere, requires
from alerts import views

app_name = "alerts"

look = requires(Permission.JOBS_VIEW)
edit = requires(Permission.JOBS_EDIT)

urlpatterns = [
    path("", look(views.RuleList.as_view()), name="list"),
    path("bulk/", edit(everywhere(views.RuleBulk.as_view())), name="bulk"),
    path("history/", look(views.History.as_view()), name="history"),
    path("add/", edit(everywhere(views.RulePage.as_view())), name="add"),
    path("<int:pk>/", edit(everywhere(views.RulePage.as_view())), name="edit"),
    path("<int:pk>/delete/", edit(everywhere(views.RuleDelete.as_view())), name="delete"),
    path("<int:pk>/snooze/", edit(everywhere(views.RuleSnooze.as_view())), name="snooze"),
    path("<int:pk>/test/", edit(everywhere(views.RuleTest.as_view())), name="test"),
]
