"""What can be done to many calls, and who may."""

from dataclasses import dataclass, field

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.permissions import Permission
from conversations.models import SPOKEN, WRITTEN, TranscriptionState
from conversations.selectors import within
from queues.events import Event


@dataclass(frozen=True, slots=True)
class Deed:
    """One action. ``own`` and ``others`` are the rights for one's own calls and those of others.

    ``fit`` leaves the calls that it can do something to. With ``tagged`` the start names a tag. ``queued`` ones change
    nothing themselves: jobs take the conversations up from their queues.
    """

    label: str | Promise
    effect: str | Promise
    icon: str
    own: str
    others: str
    audited: str
    fit: Q = field(default_factory=Q)
    tagged: bool = False
    queued: bool = False
    danger: bool = False

    def held_by(self, user: User) -> bool:
        """Whether ``user`` may do it to any call."""
        return user.has(self.own) or user.has(self.others)

    def open_to(self, user: User) -> Q:
        """The calls that ``user`` may do it to, of those that are seen."""
        return within(user, own=self.own, others=self.others) & self.fit


DEEDS: dict[str, Deed] = {
    "tag": Deed(
        _("Assign tag"),
        _("The tag is put on the conversations. One that has as many tags as it may have gets none more."),
        "tag",
        Permission.CALLS_TAG_OWN,
        Permission.CALLS_TAG_OTHERS,
        "calls.tagged",
        tagged=True,
    ),
    "untag": Deed(
        _("Clear tag"),
        _("The tag is taken off the conversations that have it."),
        "x",
        Permission.CALLS_TAG_OWN,
        Permission.CALLS_TAG_OTHERS,
        "calls.untagged",
        tagged=True,
    ),
    "process": Deed(
        _("Process again"),
        _(
            "The calls go into the queues that collect finished recordings, and jobs take up those that they have not "
            "processed, that failed or were skipped. What is completed or in progress is left as it is."
        ),
        "refresh",
        Permission.CALLS_EDIT_OWN,
        Permission.CALLS_EDIT_OTHERS,
        "calls.queued",
        queued=True,
        fit=SPOKEN & ~Q(transcription_state__in=[TranscriptionState.COMPLETED, TranscriptionState.IN_PROGRESS]),
    ),
    "analyse": Deed(
        _("Reprocess with AI"),
        _(
            "The conversations go into the queues that collect transcripts and threads, and AI jobs ask their tasks about "
            "them again. What has not changed since is not asked, and not paid, a second time, unless the job says so; "
            "values that people pinned stay."
        ),
        "refresh",
        Permission.CALLS_EDIT_OWN,
        Permission.CALLS_EDIT_OTHERS,
        "calls.analysed",
        queued=True,
        fit=WRITTEN | Q(transcription_state=TranscriptionState.COMPLETED),
    ),
    "delete": Deed(
        _("Delete"),
        _("The conversations are deleted with their recordings, texts, values and tags. That cannot be undone."),
        "trash",
        Permission.CALLS_DELETE_OWN,
        Permission.CALLS_DELETE_OTHERS,
        "calls.deleted",
        danger=True,
    ),
}
# What tells AI jobs of a text, by whether it was written.
TEXT_EVENTS: dict[bool, Event] = {False: Event.CALL_TRANSCRIPTION_COMPLETED, True: Event.CONVERSATION_UPDATED}
RIGHTS = tuple(dict.fromkeys(right for deed in DEEDS.values() for right in (deed.own, deed.others)))
