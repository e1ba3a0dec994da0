"""The table of custom fields."""

from collections.abc import Mapping
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.tables import EMPTY, ActionsColumn, NumberColumn, PageTable, SelectionColumn, TextColumn, badge, link, links
from customfields.models import CustomField
from customfields.uses import Use, uses_of


class FieldTable(PageTable):
    """Name, key, type, whose, where it is shown, who uses it."""

    selection = SelectionColumn()
    name = tables.Column(verbose_name=gettext_lazy("Name"))
    key = TextColumn(verbose_name=gettext_lazy("Key"), ltr=True)
    type = tables.Column(verbose_name=gettext_lazy("Type"))
    scope = tables.Column(
        accessor="tenant", verbose_name=gettext_lazy("Scope"), order_by="tenant__name", empty_values=()
    )
    status = tables.Column(accessor="enabled", verbose_name=gettext_lazy("Status"))
    group = TextColumn(verbose_name=gettext_lazy("Display group"))
    position = NumberColumn(verbose_name=gettext_lazy("Order"))
    attribute = tables.Column(
        accessor="get_attribute_display", verbose_name=gettext_lazy("Right"), order_by="attribute"
    )
    editable = tables.BooleanColumn(verbose_name=gettext_lazy("Edited by people"))
    in_lists = tables.BooleanColumn(verbose_name=gettext_lazy("In lists"))
    uses = tables.Column(accessor="pk", verbose_name=gettext_lazy("Used by"), orderable=False)
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = ("position", "name")

    def __init__(self, *args: Any, may_edit: bool = False, everywhere: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("selection", "actions"))
        self.may_edit, self.everywhere = may_edit, everywhere

    @cached_property
    def used(self) -> Mapping[int, list[Use]]:
        """Who uses the fields of the page, or of the piece of an export."""
        return uses_of([row.record.pk for row in self.paginated_rows])

    def render_name(self, value: str, record: CustomField) -> str:
        """To the field."""
        return link(reverse("customfields:field", args=[record.pk]), value)

    def value_name(self, value: str) -> str:
        """The bare name."""
        return value

    def render_type(self, record: CustomField) -> str:
        """In words."""
        return record.get_type_display()

    def value_type(self, value: str) -> str:
        """The code."""
        return value

    def render_scope(self, record: CustomField) -> str:
        """All, or the tenant."""
        return format_html("<bdi>{}</bdi>", self.value_scope(record))

    def value_scope(self, record: CustomField) -> str:
        """The same, bare."""
        return _("All tenants") if record.tenant is None else record.tenant.name

    def render_status(self, value: bool) -> str:
        """A badge."""
        return badge("enabled" if value else "disabled")

    def value_status(self, value: bool) -> str:
        """The code."""
        return "enabled" if value else "disabled"

    def render_uses(self, record: CustomField) -> str:
        """With links."""
        uses = self.used[record.pk]
        shown = [link(use.url, str(use)) if use.url else format_html("<bdi>{}</bdi>", str(use)) for use in uses[:5]]
        return format_html_join(" ", "<div>{}</div>", ((use,) for use in shown)) if shown else EMPTY

    def value_uses(self, record: CustomField) -> str:
        """All of them."""
        return "; ".join(str(use) for use in self.used[record.pk])

    def render_actions(self, record: CustomField) -> str:
        """Delete, where one may."""
        if record.tenant_id is None and not self.everywhere:
            return EMPTY
        return links([(reverse("customfields:delete", args=[record.pk]), _("Delete"))])
