"""State changes: a guarded UPDATE that names the old state and demands its rows (architecture §4.5)."""

from typing import Any

from django.db.models import QuerySet

from core.errors import Conflict


def move(rows: QuerySet[Any], *, expect: int = 1, conflict: str = "", **changes: Any) -> int:
    """Apply ``changes`` to exactly ``expect`` rows of ``rows``; the old state belongs into the filter of ``rows``.

    Raises Conflict with the text ``conflict`` when another number of rows was met: somebody was quicker.
    """
    changed = rows.update(**changes)
    if changed != expect:
        raise Conflict(conflict or "The object was changed in the meantime. Reload and try again.")
    return changed
