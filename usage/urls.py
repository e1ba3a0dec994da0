"""Routes of the start page, of usage, statements and the check list."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from usage.views import statements, usage
from usage.views.checklist import CheckList
from usage.views.dashboard import Dashboard
from usage.views.home import Home
from usage.views.metrics import scrape
from usage.views.troubleshooting import Troubleshooting

app_name = "usage"

CONVERSATIONS = (Permission.CALLS_VIEW_OWN, Permission.CALLS_VIEW_OTHERS)

look = requires(Permission.USAGE_VIEW)
USAGE = "administration/speech-analytics/transcription/usage/"
TENANT = f"{USAGE}<uuid:pk>/"

urlpatterns = [
    path("", requires(Permission.HOME_VIEW)(Home.as_view()), name="home"),
    path("dashboard/", requires(*CONVERSATIONS)(Dashboard.as_view()), name="dashboard"),
    path("metrics", scrape, name="metrics"),
    path(
        "administration/speech-analytics/transcription/jobs/<int:pk>/troubleshooting/",
        requires(Permission.JOBS_VIEW)(Troubleshooting.as_view()),
        name="troubleshooting",
    ),
    path(USAGE, look(usage.transcription), name="transcription"),
    path(TENANT, look(usage.TenantUsage.as_view()), name="tenant"),
    path(f"{TENANT}denied/", look(usage.DeniedList.as_view()), name="denied"),
    path(f"{TENANT}statements/", look(statements.StatementList.as_view()), name="statements"),
    path(f"{TENANT}statements/<str:period>/", look(statements.StatementPage.as_view()), name="statement"),
    path(f"{TENANT}check-list/", look(CheckList.as_view()), name="check_list"),
]
