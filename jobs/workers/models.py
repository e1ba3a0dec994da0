"""Worker processes, as they say of themselves."""

from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# A worker says every three seconds that it lives; after five missed ones it counts as dead.
BEAT_S = 3.0
DEAD_AFTER = timedelta(seconds=15)


class Worker(models.Model):
    """One worker: a main process with its children. The row is written by its own heartbeats and no other way.

    ``stop_requested_at`` is what others may say to it: give back what is in hand and end.
    """

    class State(models.TextChoices):
        """running → stopping → stopped; one that is killed stays as it was and stops beating."""

        RUNNING = "running", _("Running")
        STOPPING = "stopping", _("Stopping")
        STOPPED = "stopped", _("Stopped")

    id = models.UUIDField(primary_key=True, editable=False)
    name = models.CharField(_("name"), max_length=255)
    host = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(_("process"))
    version = models.CharField(_("version"), max_length=40)
    pool = models.CharField(_("pool"), max_length=20)
    processes = models.PositiveSmallIntegerField(_("processes"))
    prefetch = models.PositiveSmallIntegerField(_("prefetch"))
    state = models.CharField(_("status"), max_length=10, choices=State, default=State.RUNNING)
    started_at = models.DateTimeField(_("started"))
    heartbeat_at = models.DateTimeField(_("last heartbeat"))
    stop_requested_at = models.DateTimeField(_("asked to stop"), null=True)
    stopped_at = models.DateTimeField(_("stopped"), null=True)

    def __str__(self) -> str:
        return self.name

    @property
    def status(self) -> str:
        """running, stopping, stopped or dead, as badges and exports name it; asked to stop counts as stopping."""
        if self.state == self.State.STOPPED:
            return "stopped"
        if self.heartbeat_at < timezone.now() - DEAD_AFTER:
            return "dead"
        return "stopping" if self.stop_requested_at is not None else self.state
