"""Routes of processing queues."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from queues import views

app_name = "queues"

look = requires(Permission.QUEUES_VIEW)
edit = requires(Permission.QUEUES_EDIT)

urlpatterns = [
    path("processing-queues/", look(views.QueueList.as_view()), name="queues"),
    path("processing-queues/add/", edit(views.QueuePage.as_view()), name="add"),
    path("processing-queues/bulk/", edit(views.QueueBulk.as_view()), name="bulk"),
    path("processing-queues/<int:pk>/", edit(views.QueuePage.as_view()), name="queue"),
    path("processing-queues/<int:pk>/purge/", edit(views.QueuePurge.as_view()), name="purge"),
    path("processing-queues/<int:pk>/delete/", edit(views.QueueDelete.as_view()), name="delete"),
]
