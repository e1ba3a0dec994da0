"""Who was quicker: what stands above the form of the second of two people who saved the same object (hostile 3F7)."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.models import AuditEntry

NEWEST = 20


def whose_change(
    *,
    tenant_id: uuid.UUID,
    target_type: str,
    target_id: str,
    actions: Sequence[str],
    since: int | None,
    words: Callable[[str, Any], str],
    otherwise: str,
) -> str:
    """Who changed what and when since version ``since`` of the object; since None, by the newest change alone.

    Read from the newest of its rows with one of ``actions``, whose details hold the ``version`` that they made.
    ``words`` names one field, with its new value where that helps; ``otherwise`` is said when no row tells.
    """
    rows = AuditEntry.objects.filter(
        tenant_id=tenant_id, target_type=target_type, target_id=target_id, action__in=actions
    )
    found = [(row, after) for row in rows.order_by("-position")[:NEWEST] for after in _afters(row, since)]
    if not found:
        return otherwise
    if since is None:
        found = found[:1]
    after: dict[str, Any] = {}
    for _row, values in reversed(found):
        after |= values
    return _("Changed in the meantime by %(who)s (%(when)s): %(fields)s. Reload the page and try again.") % {
        "who": ", ".join(sorted({row.actor for row, _after in found})),
        "when": f"{timezone.localtime(found[0][0].at):%Y-%m-%d %H:%M}",
        "fields": ", ".join(words(name, after[name]) for name in sorted(after)) or "–",
    }


def field_words(model: type[Model]) -> Callable[[str, Any], str]:
    """``words`` for the columns of a model: their names, without values."""
    return lambda name, _value: str(model._meta.get_field(name).verbose_name)  # type: ignore[union-attr]


def _afters(row: AuditEntry, since: int | None) -> Iterator[dict[str, Any]]:
    """What the row made of the object, newest first; also where it is one part of a row about several services."""
    parts = [part for part in row.details.get("parts", []) if part.get("target_id") == row.target_id]
    for details, after in [
        (row.details, row.after),
        *((part.get("details") or {}, part.get("after")) for part in reversed(parts)),
    ]:
        if since is None or details.get("version", 0) > since:
            yield after or {}
