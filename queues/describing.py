"""Queues in words."""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.timesince import timeuntil
from django.utils.translation import gettext as _

from core.tables import badge
from queues.models import ProcessingQueue, QueueScope
from queues.replication.copies import copy_of

LONGEST = timedelta(days=365)


def scope_text(queue: ProcessingQueue) -> str:
    """The scope with the tenant or groups that it names."""
    named = []
    if queue.scope == QueueScope.ONE_TENANT and queue.tenant is not None:
        named = [queue.tenant.name]
    elif queue.scope == QueueScope.TENANT_GROUPS:
        named = [group.name for group in queue.tenant_groups.all()]
    text = queue.get_scope_display()
    return f"{text}: {', '.join(named)}" if named else text


def state_words(queue: Any) -> list[tuple[str, str, str]]:
    """The states of a queue of ``queue_pages``, each as badge code, word and explanation."""
    if queue.enabled:
        words = [("enabled", _("Enabled"), "")]
    elif queue.pending and not queue.paused:
        words = [("working", _("Draining"), _("It collects nothing new; what is pending is worked off."))]
    else:
        words = [("disabled", _("Disabled"), _("It collects nothing new."))]
    if queue.paused:
        words.append(("paused", _("Paused"), _("Jobs take nothing from it.")))
    if queue.deleted is not None:
        text = _("Being deleted") if queue.deleted else _("Being purged")
        words.append(("working", text, _("What was pending is removed in the background.")))
    return words


def state_badges(queue: Any) -> list[str]:
    """The same as badges."""
    return [badge(*words) for words in state_words(queue)]


def replication_text(queue: ProcessingQueue) -> str:
    """Where a copy comes from, else whether the settings are sent to the pairing server."""
    copy = copy_of(queue)
    if copy is not None:
        return _("from “%(origin)s”") % {"origin": copy.origin_name}
    return _("Yes") if queue.replicate else _("No")


@dataclass(frozen=True, slots=True)
class Draining:
    """How far a queue is drained: ``done`` of ``total`` items that were pending when that began."""

    done: int
    total: int
    text: str


def draining_of(queue: Any) -> Draining | None:
    """Of a queue of ``queue_pages``; None unless somebody drains it and something was pending.

    What was requeued meanwhile is worked off, too: then there may be more to do than in the beginning.
    """
    if queue.enabled or not queue.drained_from:
        return None
    total = max(queue.drained_from, queue.pending)
    done = total - queue.pending
    return Draining(done, total, _("%(done)s of %(total)s worked off") % {"done": f"{done:,}", "total": f"{total:,}"})


def rate_text(rate: float) -> str:
    """Items a minute: whole numbers from ten on, else one decimal; "0" when nothing moves."""
    return f"{rate:,.0f}" if rate >= 10 or not rate else f"{rate:.1f}"


def time_to_empty(queue: Any) -> str:
    """How long the backlog lasts at the present rates; empty when it does not shrink or nothing is known."""
    net = queue.went - queue.came
    if not queue.pending or net <= 0:
        return ""
    left = timedelta(minutes=min(math.ceil(queue.pending / net), LONGEST // timedelta(minutes=1)))
    return _("empty in about %(time)s") % {"time": timeuntil(timezone.now() + left, depth=1)}
