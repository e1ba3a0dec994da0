"""Routes of the pairing server and of conflicts."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import everywhere, requires
from queues.replication.views import conflicts, server

app_name = "pairing"

look = requires(Permission.PAIRING_VIEW)
edit = requires(Permission.PAIRING_EDIT)
queues_look = requires(Permission.QUEUES_VIEW)
queues_edit = requires(Permission.QUEUES_EDIT)

ONE = "conflicts/<int:pk>/"

urlpatterns = [
    path("", look(server.ServerPage.as_view()), name="server"),
    path("edit/", edit(server.EditPage.as_view()), name="edit"),
    path("confirm/", edit(server.ConfirmFingerprint.as_view()), name="confirm"),
    path("test/", edit(server.TestConnection.as_view()), name="test"),
    path("try-now/", edit(server.TryNow.as_view()), name="try_now"),
    path("unpair/", edit(server.Unpair.as_view()), name="unpair"),
    path("conflicts/", queues_look(conflicts.ConflictList.as_view()), name="conflicts"),
    path("conflicts/bulk/", queues_edit(everywhere(conflicts.ConflictBulk.as_view())), name="conflicts_bulk"),
    path(ONE, queues_look(conflicts.ConflictPage.as_view()), name="conflict"),
    path(f"{ONE}take/", queues_edit(everywhere(conflicts.TakeTheirs.as_view())), name="take"),
    path(f"{ONE}keep/", queues_edit(everywhere(conflicts.KeepOurs.as_view())), name="keep"),
    path(f"{ONE}rename/", queues_edit(everywhere(conflicts.RenameTheirs.as_view())), name="rename"),
]
