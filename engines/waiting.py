"""Tests that a lost message or a dead worker left behind."""

from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from engines.families import Family
from engines.models import ConnectionTest

LOST_AFTER = timedelta(seconds=5)


def left_behind(family: Family) -> list[UUID]:
    """Ids of tests that still wait, and of those whose worker died."""
    now = timezone.now()
    left = family.test_model.objects.filter(
        Q(state=ConnectionTest.State.WAITING, created_at__lt=now - LOST_AFTER)
        | Q(state=ConnectionTest.State.RUNNING, heartbeat_until__lt=now)
    )
    return list(left.values_list("pk", flat=True))
