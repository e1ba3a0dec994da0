"""The page of one queue, and what changes it as a whole: pause, resume, collect, drain, purge, delete."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from core.errors import Conflict
from core.pages import ActionPage, ConfirmPage, Crumbs, Page, Text, stamp_of, whole
from queues.describing import draining_of, rate_text, replication_text, scope_text, state_words, time_to_empty
from queues.emptying import abort_emptying, delete_queue, purge
from queues.events import event_label
from queues.models import ProcessingQueue, QueuePurge
from queues.pulse import pulse_of_queues
from queues.reach import beyond_text, is_within
from queues.readers import Reading, readings
from queues.replication.copies import detach
from queues.replication.selectors import following_of, sending_of
from queues.selectors import last_purge, oldest_items, queue_pages, queues_with_backlog
from queues.services import drain, set_enabled, set_paused
from queues.views.definitions import queue_crumbs
from tenants.selectors import visible_tenants

PEEKS = (20, 50, 100)
TABS = [("queues:queue", gettext_lazy("Queue")), ("dead_letters:list", gettext_lazy("Dead letters"))]


def queue_head(queue: ProcessingQueue, route: str) -> dict[str, Any]:
    """What the head of all tabs of a queue shows; ``route`` is the tab at hand."""
    tabs = [{"label": label, "url": reverse(name, args=[queue.pk]), "active": name == route} for name, label in TABS]
    return {"queue": queue, "tabs": tabs}


class QueueDetails(Page):
    """Pending, age, rates, readers, settings, and the oldest items: ids only."""

    template_name = "queues/queue_detail.html"
    region = "queue"
    live = True

    @cached_property
    def queue(self) -> Any:
        """The queue with what the page shows. Raises Http404."""
        return get_object_or_404(queue_pages(), pk=self.kwargs["pk"])

    def get_title(self) -> Text:
        """The name."""
        return self.queue.name

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return queue_crumbs()

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page or its region; a poll that finds the pulse unchanged looks at nothing else.

        The pulse is taken before the rows: what changes in between is seen at the next poll.
        """
        stamp = stamp_of(request.get_full_path(), viewer(request).pk, *pulse_of_queues())
        if self.polled and request.headers.get("If-None-Match") == stamp:
            return HttpResponse(status=204)
        queue, size = self.queue, whole(request.GET.get("peek"), PEEKS[0])
        reading = readings(viewer(request)).get(queue.pk, Reading())
        # For who sees all of them no condition: it would keep the index from answering.
        seen = Q() if viewer(request).everywhere else Q(tenant__in=visible_tenants(viewer(request)))
        items = oldest_items(queue, seen, size if size in PEEKS else PEEKS[0])
        peek = [(item, event_label(item.event)) for item in items]
        emptying = last_purge(queue)
        may_edit = viewer(request).has(Permission.QUEUES_EDIT)
        beyond = beyond_text(queue) if may_edit and not is_within(queue, viewer(request)) else ""
        context = self.context(
            **queue_head(queue, "queues:queue"),
            reading=reading,
            warnings=reading.warnings(queue),
            came=rate_text(queue.came),
            went=rate_text(queue.went),
            empty_in=time_to_empty(queue),
            pending=f"{queue.pending:,}",
            states=state_words(queue),
            scope=scope_text(queue),
            events=[event_label(event) for event in queue.events],
            peek=peek,
            peeks=PEEKS,
            may_edit=may_edit and not beyond,
            beyond=beyond,
            purge_message=purge_message(queue),
            delete_message=delete_message(queue),
            drain_message=drain_message(queue),
            emptying=emptying,
            draining=draining_of(queue),
            replication=replication_text(queue),
            sending=sending_of(queue),
            following=following_of(queue),
            detach_message=detach_message(queue),
        )
        return self.show(context, stamp=stamp)


def pending_text(queue: Any) -> str:
    """The count in words."""
    text = ngettext("%(n)s pending record", "%(n)s pending records", queue.pending)
    return text % {"n": f"{queue.pending:,}"}


def purge_message(queue: ProcessingQueue) -> str:
    """Name, count and consequence."""
    text = _(
        "%(count)s of the queue “%(name)s” are removed and will not be processed. The calls stay. "
        "What is published from now on stays in the queue. Jobs go on taking from it meanwhile: pause it first if they must not."
    )
    return text % {"name": queue.name, "count": pending_text(queue)}


def delete_message(queue: ProcessingQueue) -> str:
    """Name, count and consequence."""
    text = _("The queue “%(name)s” and its %(count)s are deleted. The calls stay.")
    return text % {"name": queue.name, "count": pending_text(queue)}


def detach_message(queue: ProcessingQueue) -> str:
    """What changes, also for what its origin sends later."""
    text = _(
        "The queue “%(name)s” does not follow its origin any more, and all its settings can be changed here. "
        "What the origin sends later is kept as a conflict."
    )
    return text % {"name": queue.name}


def drain_message(queue: ProcessingQueue) -> str:
    """What is worked off, and what is lost to the queue meanwhile."""
    text = _(
        "The queue “%(name)s” collects nothing more; its %(count)s are worked off. What is published from now on is not "
        "collected, also not later, when the queue is enabled again: only a job over all records would find it."
    )
    if queue.paused:
        text += " " + _("The queue is paused now; draining resumes it.")
    return text % {"name": queue.name, "count": pending_text(queue)}


class QueueAction(ActionPage):
    """Base of what needs no question, because it can be undone at once."""

    done: Text = ""
    refused: Text = ""

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the queue."""
        super().setup(request, *args, **kwargs)
        self.queue = get_object_or_404(ProcessingQueue, pk=kwargs["pk"])

    def change(self, **who: Any) -> int:
        """Call the service; return whether anything changed."""
        raise NotImplementedError

    def act(self) -> str:
        """Conflict when the queue is in that state already."""
        user = viewer(self.request)
        if not self.change(queues=[self.queue], actor=user.actor, audit_tenant=user.tenant):
            raise Conflict(str(self.refused))
        messages.success(self.request, str(self.done))
        return self.refused_url()

    def refused_url(self) -> str:
        """The queue's page."""
        return reverse("queues:queue", args=[self.queue.pk])


class QueuePause(QueueAction):
    """Jobs take nothing more from it."""

    done = gettext_lazy("The queue is paused: it still collects, but jobs take nothing from it.")
    refused = gettext_lazy("The queue is paused already.")

    def change(self, **who: Any) -> int:
        """Pause."""
        return set_paused(paused=True, **who)


class QueueResume(QueueAction):
    """Jobs take from it again."""

    done = gettext_lazy("The queue was resumed.")
    refused = gettext_lazy("The queue is not paused.")

    def change(self, **who: Any) -> int:
        """Resume."""
        return set_paused(paused=False, **who)


class QueueEnable(QueueAction):
    """It collects again."""

    done = gettext_lazy("The queue collects again.")
    refused = gettext_lazy("The queue is enabled already.")

    def change(self, **who: Any) -> int:
        """Enable."""
        return set_enabled(enabled=True, **who)


class QueueQuestion(ConfirmPage):
    """Base of drain, purge and delete."""

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the queue with its pending count."""
        super().setup(request, *args, **kwargs)
        self.queue: Any = get_object_or_404(queues_with_backlog(), pk=kwargs["pk"])
        self.name = self.queue.name
        self.cancel_url = reverse("queues:queue", args=[kwargs["pk"]])

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return queue_crumbs()


class QueueDrain(QueueQuestion):
    """Collect nothing new, work off what is pending."""

    title = gettext_lazy("Drain this queue?")
    confirm_label = gettext_lazy("Drain")
    danger = False

    def message(self) -> Text:
        """Name, count and consequence."""
        return drain_message(self.queue)

    def act(self) -> Text:
        """Drain; Conflict when nothing is collected already."""
        user = viewer(self.request)
        left = drain(queue=self.queue, actor=user.actor, audit_tenant=user.tenant)
        text = ngettext(
            "The queue collects nothing more; %(n)s record is left.",
            "The queue collects nothing more; %(n)s records are left.",
            left,
        )
        return text % {"n": f"{left:,}"}


class QueueDelete(QueueQuestion):
    """Delete with what is pending."""

    title = gettext_lazy("Delete this queue?")
    confirm_label = gettext_lazy("Delete")

    def message(self) -> Text:
        """Name and count."""
        return delete_message(self.queue)

    def type_name(self) -> str:
        """The name must be typed (screens §3.5)."""
        return str(self.name)

    def act(self) -> Text:
        """Delete, or begin to; a queue that a job reads stays (Conflict)."""
        user = viewer(self.request)
        self.asked = delete_queue(queue=self.queue, actor=user.actor, audit_tenant=user.tenant)
        if self.asked.state == QueuePurge.State.RUNNING:
            return _("The queue is emptied in the background and deleted then. This page shows how far that is.")
        return _("The queue “%(name)s” was deleted.") % {"name": self.name}

    def done_url(self) -> str:
        """The list, or the page of the queue that is still there."""
        return self.cancel_url if self.asked.state == QueuePurge.State.RUNNING else reverse("queues:queues")


class QueueDetach(QueueQuestion):
    """Make a copy a queue of our own."""

    title = gettext_lazy("Detach this queue?")
    confirm_label = gettext_lazy("Detach")
    danger = False

    def message(self) -> Text:
        """What changes."""
        return detach_message(self.queue)

    def act(self) -> Text:
        """Detach; Conflict when it follows nobody."""
        user = viewer(self.request)
        detach(queue=self.queue, actor=user.actor, audit_tenant=user.tenant)
        return _("The queue “%(name)s” is our own now.") % {"name": self.name}


class PurgeQueue(QueueQuestion):
    """Remove what is pending."""

    title = gettext_lazy("Purge this queue?")
    confirm_label = gettext_lazy("Purge")

    def message(self) -> Text:
        """Name and count."""
        return purge_message(self.queue)

    def type_name(self) -> str:
        """The name must be typed: what is purged is not processed by anybody."""
        return str(self.name)

    def act(self) -> Text:
        """Purge, or begin to."""
        user = viewer(self.request)
        asked = purge(queue=self.queue, actor=user.actor, audit_tenant=user.tenant)
        if asked.state == QueuePurge.State.RUNNING:
            return _("The queue is being emptied in the background. This page shows how far that is.")
        text = ngettext("%(n)s record removed.", "%(n)s records removed.", asked.removed)
        return text % {"n": f"{asked.removed:,}"}


class QueueKeep(ActionPage):
    """Stop emptying it."""

    def act(self) -> str:
        """What was removed stays removed. Conflict when it is not being emptied."""
        user = viewer(self.request)
        queue = get_object_or_404(ProcessingQueue, pk=self.kwargs["pk"])
        removed = abort_emptying(queue=queue, actor=user.actor, audit_tenant=user.tenant)
        text = ngettext(
            "Aborted: %(n)s record was removed, the others stay.",
            "Aborted: %(n)s records were removed, the others stay.",
            removed,
        )
        messages.success(self.request, text % {"n": f"{removed:,}"})
        return self.refused_url()

    def refused_url(self) -> str:
        """The queue's page."""
        return reverse("queues:queue", args=[self.kwargs["pk"]])
