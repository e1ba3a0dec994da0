"""Routes of processing queues."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from queues.views import definitions, details

app_name = "queues"

look = requires(Permission.QUEUES_VIEW)
edit = requires(Permission.QUEUES_EDIT)

QUEUE = "processing-queues/<int:pk>/"

urlpatterns = [
    path("processing-queues/", look(definitions.QueueList.as_view()), name="queues"),
    path("processing-queues/add/", edit(definitions.QueuePage.as_view()), name="add"),
    path("processing-queues/bulk/", edit(definitions.QueueBulk.as_view()), name="bulk"),
    path(QUEUE, look(details.QueueDetails.as_view()), name="queue"),
    path(f"{QUEUE}edit/", edit(definitions.QueuePage.as_view()), name="edit"),
    path(f"{QUEUE}pause/", edit(details.QueuePause.as_view()), name="pause"),
    path(f"{QUEUE}resume/", edit(details.QueueResume.as_view()), name="resume"),
    path(f"{QUEUE}enable/", edit(details.QueueEnable.as_view()), name="enable"),
    path(f"{QUEUE}drain/", edit(details.QueueDrain.as_view()), name="drain"),
    path(f"{QUEUE}detach/", edit(details.QueueDetach.as_view()), name="detach"),
    path(f"{QUEUE}purge/", edit(details.PurgeQueue.as_view()), name="purge"),
    path(f"{QUEUE}keep/", edit(details.QueueKeep.as_view()), name="keep"),
    path(f"{QUEUE}delete/", edit(details.QueueDelete.as_view()), name="delete"),
]
