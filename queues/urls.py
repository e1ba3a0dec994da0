"""Routes of processing queues."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from queues.models import ProcessingQueue
from queues.reach import View, on_own
from queues.views import definitions, details

app_name = "queues"

look = requires(Permission.QUEUES_VIEW)
edit = requires(Permission.QUEUES_EDIT)


def change(view: View) -> View:
    """What changes a queue as a whole: nobody else's tenants may be in its scope."""
    return edit(on_own(ProcessingQueue)(view))


QUEUE = "processing-queues/<int:pk>/"

urlpatterns = [
    path("processing-queues/", look(definitions.QueueList.as_view()), name="queues"),
    path("processing-queues/add/", edit(definitions.QueuePage.as_view()), name="add"),
    path("processing-queues/bulk/", edit(definitions.QueueBulk.as_view()), name="bulk"),
    path(QUEUE, look(details.QueueDetails.as_view()), name="queue"),
    path(f"{QUEUE}edit/", change(definitions.QueuePage.as_view()), name="edit"),
    path(f"{QUEUE}pause/", change(details.QueuePause.as_view()), name="pause"),
    path(f"{QUEUE}resume/", change(details.QueueResume.as_view()), name="resume"),
    path(f"{QUEUE}enable/", change(details.QueueEnable.as_view()), name="enable"),
    path(f"{QUEUE}drain/", change(details.QueueDrain.as_view()), name="drain"),
    path(f"{QUEUE}detach/", change(details.QueueDetach.as_view()), name="detach"),
    path(f"{QUEUE}purge/", change(details.PurgeQueue.as_view()), name="purge"),
    path(f"{QUEUE}keep/", change(details.QueueKeep.as_view()), name="keep"),
    path(f"{QUEUE}delete/", change(details.QueueDelete.as_view()), name="delete"),
]
