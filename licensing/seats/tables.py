"""The ranked list of the holders of a licence."""

from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from core.tables import NumberColumn, PageTable, TextColumn, TimeColumn, badge, link


class SeatTable(PageTable):
    """Rank, names, whether there is a seat, last sign-in. ``now`` and ``then`` are the seats as they are and as asked."""

    place = NumberColumn(verbose_name=gettext_lazy("Rank"), orderable=False)
    username = TextColumn(verbose_name=gettext_lazy("User name"), ltr=True, orderable=False)
    full_name = TextColumn(verbose_name=gettext_lazy("Full name"), orderable=False)
    seat = tables.Column(verbose_name=gettext_lazy("Seat"), accessor="place", orderable=False)
    last_sign_in_at = TimeColumn(verbose_name=gettext_lazy("Last sign-in"), ago=True, orderable=False)

    class Meta(PageTable.Meta):
        pass

    def __init__(
        self, *args: Any, now: int | None, then: int | None, people_links: bool, found: str = "", **kwargs: Any
    ) -> None:
        self.now, self.then, self.people_links, self.found = now, then, people_links, found
        super().__init__(*args, **kwargs, row_attrs={"data-cut": self._cut, "data-found": self._found})

    def _cut(self, record: User) -> str:
        """Marks the first row without a seat; the style draws the cut line above it."""
        return "1" if self.then is not None and record.place == self.then + 1 else ""  # type: ignore[attr-defined]

    def _found(self, record: User) -> str:
        return "1" if self.found and record.username_key == self.found else ""

    def render_username(self, record: User) -> str:
        """To the user, for those who may look."""
        if not self.people_links:
            return record.username
        return link(reverse("licensing:user", args=[record.pk]), record.username)

    def value_username(self, record: User) -> str:
        """The bare name."""
        return record.username

    def seat_state(self, rank: int) -> tuple[str, str]:
        """State of the badge and its word: as it is, and what would change."""
        has = self.now is None or rank <= self.now
        would = self.then is None or rank <= self.then
        if has and would:
            return "enabled", _("Accepted")
        if has:
            return "warning", _("Would lose the seat")
        if would:
            return "info", _("Would get a seat")
        return "warning", _("Over the cap")

    def render_seat(self, record: User) -> str:
        """A badge."""
        return badge(*self.seat_state(record.place))  # type: ignore[attr-defined]

    def value_seat(self, record: User) -> str:
        """The words."""
        return self.seat_state(record.place)[1]  # type: ignore[attr-defined]
