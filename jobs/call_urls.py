"""Routes of jobs below a call."""

from django.urls import path

from accounts.permissions import Permission
from core.policy import requires
from jobs.views import why

app_name = "why"

urlpatterns = [
    path(
        "<uuid:pk>/why/",
        requires(Permission.CALLS_VIEW_OWN, Permission.CALLS_VIEW_OTHERS)(why.CallWhy.as_view()),
        name="call",
    ),
]
