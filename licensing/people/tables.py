"""The list of users."""

import uuid
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from core.tables import NumberColumn, PageTable, SelectionColumn, TextColumn, TimeColumn, badge, link
from licensing.models import Bundle
from licensing.people.selectors import cut_names, minutes_used

LABELS: dict[str, Any] = {bundle.value: bundle.label for bundle in Bundle}


def shown_minutes(seconds: int) -> str:
    """Minutes to one decimal (domain C27)."""
    return f"{seconds / 60:,.1f}"


class UserTable(PageTable):
    """Names, tenant, role, group, licences with their marks, minutes of the month, status, last sign-in."""

    selection = SelectionColumn()
    username = TextColumn(verbose_name=gettext_lazy("User name"), ltr=True, order_by="username_key")
    full_name = TextColumn(verbose_name=gettext_lazy("Full name"))
    tenant = TextColumn(verbose_name=gettext_lazy("Tenant"), order_by="tenant__name")
    role = TextColumn(verbose_name=gettext_lazy("Role"), order_by=("role__key", "role__name"))
    group = TextColumn(verbose_name=gettext_lazy("Group"))
    held = tables.Column(verbose_name=gettext_lazy("Licences"), orderable=False, empty_values=())
    over = tables.Column(verbose_name=gettext_lazy("Over the cap"), accessor="pk", orderable=False, visible=False)
    minutes = NumberColumn(
        verbose_name=gettext_lazy("Minutes this month"), accessor="pk", orderable=False, empty_values=()
    )
    is_active = tables.Column(verbose_name=gettext_lazy("Status"))
    last_sign_in_at = TimeColumn(verbose_name=gettext_lazy("Last sign-in"), ago=True)

    class Meta(PageTable.Meta):
        order_by = "username"

    def __init__(self, *args: Any, several: bool = False, selectable: bool = False, **kwargs: Any) -> None:
        hidden = [*([] if several else ["tenant"]), *([] if selectable else ["selection"])]
        super().__init__(*args, **kwargs, exclude=hidden)

    @cached_property
    def people(self) -> list[User]:
        """The users of this page, or piece of an export."""
        return [row.record for row in self.paginated_rows]

    @cached_property
    def cuts(self) -> dict[tuple[uuid.UUID, str], str]:
        """Where the seats end, in one query."""
        return cut_names({user.tenant_id for user in self.people})

    @cached_property
    def used(self) -> dict[uuid.UUID, int]:
        """Seconds this month, in two queries."""
        return minutes_used(self.people)

    def without_seat(self, user: User) -> list[str]:
        """Bundles that the user holds without a seat."""
        held: list[str] = user.held  # type: ignore[attr-defined]
        cuts = [(code, self.cuts.get((user.tenant_id, code))) for code in held] if user.is_active else []
        # Both are compared as the database does it: code point by code point.
        return [code for code, cut in cuts if cut is not None and user.username_key >= cut]

    def render_username(self, record: User) -> str:
        """To the details."""
        return link(reverse("licensing:user", args=[record.pk]), record.username)

    def value_username(self, record: User) -> str:
        """The bare name."""
        return record.username

    def render_held(self, record: User) -> str:
        """One badge a licence; a warning where it has no seat."""
        over = set(self.without_seat(record))
        note = _("Over the seat cap: the licence is held, but without service.")
        badges = [
            badge("warning", _("%(licence)s: over the cap") % {"licence": label}, note)
            if code in over
            else badge("enabled", label)
            for code, label in LABELS.items()
            if code in record.held  # type: ignore[attr-defined]
        ]
        return format_html_join(" ", "{}", ((item,) for item in badges)) or "–"

    def value_held(self, record: User) -> str:
        """Codes, as the import reads them."""
        return ";".join(record.held)  # type: ignore[attr-defined]

    def value_over(self, record: User) -> str:
        """Codes."""
        return ";".join(self.without_seat(record))

    def render_minutes(self, record: User) -> str:
        """To one decimal."""
        return shown_minutes(self.used.get(record.pk, 0))

    def value_minutes(self, record: User) -> float:
        """To one decimal."""
        return round(self.used.get(record.pk, 0) / 60, 1)

    def render_is_active(self, record: User) -> str:
        """A badge."""
        return badge("enabled" if record.is_active else "disabled")

    def value_is_active(self, record: User) -> str:
        """One word."""
        return _("Enabled") if record.is_active else _("Disabled")
