"""The list of tenants with their figures (Administration > User Management > Tenants)."""

from typing import Any

import django_tables2 as tables
from django.db.models import QuerySet
from django.http import HttpResponseBase, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from core.bulk import BulkMixin
from core.counting import COUNT_LIMIT
from core.errors import Conflict
from core.ids import uuids
from core.pages import Crumbs, ListPage, Text
from core.tables import EMPTY, NumberColumn, SelectionColumn
from licensing.seats.selectors import with_figures
from tenants.filters import TenantFilter
from tenants.models import Tenant
from tenants.pages import ROOT
from tenants.selectors import visible_tenants
from tenants.services import set_state
from tenants.tables import TenantTable


class FiguresTable(TenantTable):
    """As the plain list, with seats of Speech analytics, minutes of the month and the share of the limit."""

    selection = SelectionColumn()
    accepted = tables.Column(
        verbose_name=gettext_lazy("Speech analytics seats"),
        attrs={"td": {"class": "p-num"}, "th": {"class": "p-num"}},
    )
    used = NumberColumn(verbose_name=gettext_lazy("Minutes this month"))
    share = NumberColumn(verbose_name=gettext_lazy("% of limit"))

    class Meta(TenantTable.Meta):
        sequence = ("selection", "name", "slug", "state", "people", "accepted", "used", "share", "...")

    def __init__(self, *args: Any, selectable: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, exclude=() if selectable else ("selection",))

    def render_accepted(self, record: Any) -> str:
        """Accepted of the seats, and how many are over the cap."""
        text = f"{record.accepted:,} / {_('unlimited') if record.seats is None else f'{record.seats:,}'}"
        over = record.holders - record.accepted
        return f"{text} (+{over:,})" if over else text

    def value_accepted(self, record: Any) -> str:
        """The same without the surplus; the bare number when unlimited."""
        return str(record.accepted) if record.seats is None else f"{record.accepted}/{record.seats}"

    def render_used(self, value: int) -> str:
        """Minutes to one decimal (domain C27)."""
        return f"{value / 60:,.1f}"

    def value_used(self, value: int) -> float:
        """Minutes to one decimal."""
        return round(value / 60, 1)

    def render_share(self, value: float | None) -> str:
        """Percent to one decimal; nothing when unlimited."""
        return EMPTY if value is None else f"{value:.1f} %"

    def value_share(self, value: float | None) -> Any:
        """Percent to one decimal."""
        return "" if value is None else round(value, 1)


class TenantList(ListPage):
    """The tenants that the viewer may see, with seats and minutes."""

    title = gettext_lazy("Tenants")
    table_class = FiguresTable
    filterset_class = TenantFilter
    bulk_actions = [
        {"name": "suspend", "label": gettext_lazy("Suspend"), "icon": "player-pause", "danger": True},
        {"name": "resume", "label": gettext_lazy("Resume"), "icon": "player-play"},
    ]

    def breadcrumbs(self) -> Crumbs:
        """Administration > User Management."""
        return ROOT

    def get_queryset(self) -> QuerySet[Tenant]:
        """With the figures."""
        return with_figures(visible_tenants(viewer(self.request)))

    @property
    def may_edit(self) -> bool:
        """Whether this viewer may suspend and add."""
        return viewer(self.request).has(Permission.TENANTS_EDIT)

    def table_arguments(self) -> dict[str, Any]:
        """Check boxes for those who may change something."""
        return {"selectable": self.may_edit}

    def bulk_url(self) -> str:
        """Suspend and resume."""
        return reverse("licensing:tenants_bulk")

    def more_context(self) -> dict[str, Any]:
        """No bulk actions for those who may only look."""
        return {} if self.may_edit else {"bulk_actions": []}

    def actions(self) -> list[dict[str, Any]]:
        """The groups, and the wizard for those who may."""
        groups = {"label": _("Tenant Groups"), "url": reverse("tenants:groups"), "icon": "stack-2"}
        add = {"label": _("Add"), "url": reverse("tenants:add"), "icon": "plus", "primary": True}
        return [groups, add] if self.may_edit else [groups]

    def empty(self) -> dict[str, Any]:
        """No tenant yet."""
        return {"icon": "building", "title": _("No tenant yet")}

    def chosen(self, posted: QueryDict) -> QuerySet[Tenant]:
        """As every list; tenants have ids of another kind."""
        if posted.get("all_matching") == "1":
            return super().chosen(posted)
        return self.get_queryset().filter(pk__in=uuids(posted.getlist("selection")[:COUNT_LIMIT]))


class TenantBulk(BulkMixin, TenantList):
    """Suspend or resume the chosen tenants; those in another state and System are left as they are."""

    moves = {
        "suspend": (Tenant.State.READY, Tenant.State.SUSPENDED),
        "resume": (Tenant.State.SUSPENDED, Tenant.State.READY),
    }

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What each does."""
        only = _("Only tenants in the right state are changed; System is left out.")
        return {
            "suspend": (_("Suspend"), _("Nobody can sign in there, and nothing is processed. ") + only),
            "resume": (_("Resume"), _("People can sign in again, and processing goes on. ") + only),
        }

    def list_url(self) -> str:
        """The list."""
        return reverse("licensing:tenants")

    def perform(self, action: str, rows: QuerySet[Tenant]) -> str | HttpResponseBase:
        """One after the other: each tenant has its own audit chain and its own state."""
        old, new = self.moves[action]
        done = 0
        ids = list(rows.values_list("pk", flat=True))
        for tenant in Tenant.objects.filter(pk__in=ids, state=old, is_system=False).order_by("pk"):
            try:
                set_state(tenant=tenant, old=old, new=new, actor=viewer(self.request).actor)
            except Conflict:
                # Somebody was quicker with this one.
                continue
            done += 1
        text = ngettext("%(n)s of %(all)s tenant changed.", "%(n)s of %(all)s tenants changed.", len(ids))
        return text % {"n": f"{done:,}", "all": f"{len(ids):,}"}
