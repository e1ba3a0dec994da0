"""Routes of workers, and of the help about errors."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import everywhere, requires
from jobs.views import errors, workers

app_name = "workers"

look = requires(Permission.JOBS_VIEW)
edit = requires(Permission.JOBS_EDIT)

urlpatterns = [
    path("error-classes/", look(errors.ErrorClasses.as_view()), name="error_classes"),
    path("workers/", look(workers.WorkerList.as_view()), name="list"),
    path("workers/bulk/", edit(everywhere(workers.WorkerBulk.as_view())), name="bulk"),
    path("workers/<uuid:pk>/stop/", edit(everywhere(workers.WorkerStop.as_view())), name="stop"),
]
