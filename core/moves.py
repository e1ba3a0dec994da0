"""State changes: a guarded UPDATE that names the old state and demands its rows (architecture §4.5)."""

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db.models import F, Model, QuerySet

from core.errors import Conflict

Row = TypeVar("Row", bound=Model)


def move(rows: QuerySet[Any], *, expect: int = 1, conflict: str = "", **changes: Any) -> int:
    """Apply ``changes`` to exactly ``expect`` rows of ``rows``; the old state belongs into the filter of ``rows``.

    Raises Conflict with the text ``conflict`` when another number of rows was met: somebody was quicker.
    """
    changed = rows.update(**changes)
    if changed != expect:
        raise Conflict(conflict or "The object was changed in the meantime. Reload and try again.")
    return changed


def switch(rows: Iterable[Row], name: str, value: bool) -> list[Row]:
    """Set the column ``name`` of those of ``rows`` that have the other value, and return these; their versions go up.

    One statement. Raises Conflict when one of them is not any more as it was read.
    """
    found = [row for row in rows if getattr(row, name) != value]
    if found:
        other = type(found[0])._default_manager.filter(pk__in=[row.pk for row in found], **{name: not value})
        changes: dict[str, Any] = {name: value, "version": F("version") + 1}
        move(other, expect=len(found), **changes)
    return found
