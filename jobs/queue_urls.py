"""Routes of what jobs add to the pages of queues."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from jobs.views import dead_letters

app_name = "dead_letters"

look = requires(Permission.QUEUES_VIEW)
act = requires(Permission.RECORDS_EDIT)

urlpatterns = [
    path("processing-queues/<int:pk>/dead-letters/", look(dead_letters.DeadLetterList.as_view()), name="list"),
    path("processing-queues/<int:pk>/dead-letters/bulk/", act(dead_letters.DeadLetterBulk.as_view()), name="bulk"),
]
