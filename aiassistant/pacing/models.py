"""What was sent to an engine within the last minute, shared by all passes."""

from typing import Any

from django.db import models

from aiassistant.models import AIEngine


class EngineWindow(models.Model):
    """Requests and tokens of one engine that has a limit a minute, and how often it asked to wait; no row for others.

    All hold pairs of time (seconds since 1970, by the clock of the database) and number, oldest first, as the rates of
    jobs do (``jobs.policy.rates``).
    """

    engine = models.OneToOneField(AIEngine, on_delete=models.CASCADE, primary_key=True, related_name="+")
    requests: Any = models.JSONField(default=list)
    tokens: Any = models.JSONField(default=list)
    # By the hour, for a day.
    throttled: Any = models.JSONField(default=list)

    def __str__(self) -> str:
        return str(self.engine_id)
