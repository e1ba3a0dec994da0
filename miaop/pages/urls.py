"""Routes of the pages of offline tasks."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from miaop.pages import submitting, views

app_name = "offline"
look = requires(Permission.MIAOP_READ)
edit = requires(Permission.MIAOP_SUBMIT)

urlpatterns = [
    path("", look(views.TaskList.as_view()), name="tasks"),
    path("bulk/", edit(views.TaskBulk.as_view()), name="bulk"),
    path("submit/", submitting.submit_page, name="submit"),
    path("<uuid:pk>/", look(views.TaskPage.as_view()), name="task"),
]
