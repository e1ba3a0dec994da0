"""What the pairing server calls. The paths are part of what is signed (queues.replication.peer)."""

from django.urls import path

from queues.replication import wire

app_name = "pairing_wire"

urlpatterns = [
    path("ping", wire.ping, name="ping"),
    path("queues", wire.queues, name="queues"),
]
