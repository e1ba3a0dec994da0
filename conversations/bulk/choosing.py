"""Fixing which calls an action is about: at its preview, with what each of them was then. Kept for an hour.

It lies in the cache, not in a table: a preview that is lost is made again, and what was done stands in the audit trail.
"""

import hashlib
import uuid
from dataclasses import asdict, dataclass, field

from django.core.cache import cache
from django.db.models import QuerySet

from accounts.models import User
from conversations.bulk.deeds import DEEDS
from conversations.models import Call

AT_ONCE = 1000
KEPT_S = 3600


@dataclass
class Choice:
    """The newest ``AT_ONCE`` calls that somebody may do ``deed`` to, each with the stamp of what it was.

    ``more``: further ones match. ``outcome`` is what came of it: how many changed, and (id, why) of those that did not.
    """

    id: str
    deed: str
    user: str
    tenant: str
    filters: list[str]
    ticked: bool
    calls: list[tuple[str, str]]
    more: bool
    value: str = ""
    done: bool = False
    changed: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)


def stamp_of(call: Call) -> str:
    """What tells that somebody or something changed the call."""
    parts = (call.changed_at, call.tags, call.transcription_state, call.user_id, call.group, call.confidential)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def freeze(*, deed: str, rows: QuerySet[Call], user: User, filters: list[str], ticked: bool) -> Choice:
    """Fix the calls of ``rows``, which ``user`` sees, that the deed is open to: the newest 1,000. Nothing is changed."""
    open_ones = rows.filter(DEEDS[deed].open_to(user)).order_by("-started_at", "-pk").distinct()
    names = ("changed_at", "tags", "transcription_state", "user_id", "group", "confidential", "started_at")
    found = list(open_ones.select_related(None).only(*names)[: AT_ONCE + 1])
    choice = Choice(
        id=str(uuid.uuid4()),
        deed=deed,
        user=str(user.pk),
        tenant=str(user.stands_in),
        filters=filters,
        ticked=ticked,
        calls=[(str(call.pk), stamp_of(call)) for call in found[:AT_ONCE]],
        more=len(found) > AT_ONCE,
    )
    keep(choice)
    return choice


def keep(choice: Choice) -> None:
    """Store what was chosen, or what came of it."""
    cache.set(_key(choice.id), asdict(choice), KEPT_S)


def choice_of(user: User, identity: uuid.UUID) -> Choice | None:
    """What ``user`` has chosen under this id while standing in the same tenant; None for another's, or after an hour."""
    kept = cache.get(_key(str(identity)))
    if kept is None or (kept["user"], kept["tenant"]) != (str(user.pk), str(user.stands_in)):
        return None
    return Choice(**kept)


def begin(choice: Choice) -> bool:
    """True for the first who begins it."""
    return cache.add(f"{_key(choice.id)}:begun", True, KEPT_S)


def unbegin(choice: Choice) -> None:
    """It was refused, and may be begun once more."""
    cache.delete(f"{_key(choice.id)}:begun")


def _key(identity: str) -> str:
    return f"conversations.bulk:{identity}"
