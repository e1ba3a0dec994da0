"""The grid of check boxes as plain values, and what VIEW ONLY, SET ALL and CLEAR ALL do to it (domain L10)."""

from collections.abc import Collection
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.permissions import LABELS, Row
from accounts.roles.selectors import grid_of, offered_codes
from core.errors import InvalidInput

BUTTONS = (
    ("view", gettext_lazy("View only")),
    ("set", gettext_lazy("Set all")),
    ("clear", gettext_lazy("Clear all")),
)


def all_labels() -> list[tuple[str, str]]:
    """All rights in the order of the grid with their labels, for choices; translated when they are shown."""
    return list(LABELS.items())


def applied(button: str, ticked: Collection[str], *, platform: bool, held: Collection[str]) -> frozenset[str]:
    """The boxes ticked after a press of ``button``: ``all:view`` or ``row:<key>:set``.

    Boxes of rights that the editor does not hold stay as they are. Raises InvalidInput for another button.
    """
    where, _colon, what = button.rpartition(":")
    rows = [row for row in grid_of(platform=platform) if where in ("all", f"row:{row.key}")]
    if not rows or what not in dict(BUTTONS):
        raise InvalidInput("apply", _("There is no such button."))
    after = set(ticked)
    for row in rows:
        movable = set(offered_codes(row, platform=platform)) & set(held)
        after -= movable
        if what != "clear":
            after |= movable & set(row.codes if what == "set" else row.view_codes)
    return frozenset(after)


def drawn(ticked: Collection[str], *, platform: bool, held: Collection[str], frozen: bool) -> list[dict[str, Any]]:
    """The groups of the grid with their rows and boxes. ``frozen``: nothing can be changed."""
    groups: list[dict[str, Any]] = []
    for row in grid_of(platform=platform):
        if not groups or groups[-1]["key"] != str(row.group):
            groups.append({"key": str(row.group), "label": row.group, "rows": []})
        groups[-1]["rows"].append(_drawn_row(row, ticked, platform=platform, held=held, frozen=frozen))
    return groups


def _drawn_row(
    row: Row, ticked: Collection[str], *, platform: bool, held: Collection[str], frozen: bool
) -> dict[str, Any]:
    offered = offered_codes(row, platform=platform)
    boxes = [
        {
            "code": code,
            "label": label,
            "ticked": code in ticked,
            "disabled": frozen or code not in held,
            "lacking": not frozen and code not in held,
            "view": right == "view",
        }
        for right, label in row.rights
        if (code := f"{row.key}.{right}") in offered
    ]
    return {
        "key": row.key,
        "label": row.label,
        "boxes": boxes,
        "buttons": [(f"row:{row.key}:{what}", what, label) for what, label in BUTTONS],
        "fixed": all(box["disabled"] for box in boxes),
    }


def compared(left: Collection[str], right: Collection[str]) -> list[dict[str, Any]]:
    """The rights that exactly one of two roles has, in the order of the grid."""
    return [
        {"code": code, "label": label, "left": code in left, "right": code in right}
        for code, label in all_labels()
        if (code in left) != (code in right)
    ]
