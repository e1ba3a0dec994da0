"""Routes of the start page."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from usage import views

app_name = "usage"

urlpatterns = [path("", requires(Permission.HOME_VIEW)(views.Home.as_view()), name="home")]
