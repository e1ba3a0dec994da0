"""The lists of tenants, of tenant groups and of allowed addresses."""

from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.tables import (
    ActionsColumn,
    NumberColumn,
    PageTable,
    SelectionColumn,
    TextColumn,
    TimeColumn,
    badge,
    link,
    links,
)
from tenants.models import AllowedAddress, Tenant, TenantGroup


class AllowedAddressTable(PageTable):
    """Network, port, note."""

    selection = SelectionColumn()
    cidr = TextColumn(verbose_name=gettext_lazy("Network"), ltr=True)
    port = NumberColumn(verbose_name=gettext_lazy("Port"))
    note = TextColumn(verbose_name=gettext_lazy("Note"))
    created_at = TimeColumn(verbose_name=gettext_lazy("Created"))
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = ("cidr", "port")

    def value_cidr(self, record: AllowedAddress) -> str:
        """CIDR form."""
        return f"{record.cidr}/{record.prefix_length}"

    def render_cidr(self, record: AllowedAddress) -> str:
        """CIDR form."""
        return format_html('<bdi dir="ltr" class="p-mono">{}</bdi>', self.value_cidr(record))

    def render_actions(self, record: AllowedAddress) -> str:
        """Delete."""
        return links([(reverse("tenants:allowed_address_delete", args=[record.pk]), _("Delete"))])


class TenantTable(PageTable):
    """Name, short name, state, users, time zone."""

    name = TextColumn(verbose_name=gettext_lazy("Name"))
    slug = TextColumn(verbose_name=gettext_lazy("Short name"), ltr=True)
    state = TextColumn(verbose_name=gettext_lazy("State"))
    people = NumberColumn(verbose_name=gettext_lazy("Users"))
    time_zone = TextColumn(verbose_name=gettext_lazy("Time zone"), ltr=True)
    created_at = TimeColumn(verbose_name=gettext_lazy("Created"))

    class Meta(PageTable.Meta):
        order_by = ("name",)

    def render_name(self, record: Tenant) -> str:
        """To the details."""
        return link(reverse("tenants:tenant", args=[record.pk]), record.name)

    def value_name(self, record: Tenant) -> str:
        """The bare name."""
        return record.name

    def render_state(self, record: Tenant) -> str:
        """A badge: new until its schema is provisioned."""
        return badge(record.state, record.get_state_display())

    def value_state(self, record: Tenant) -> str:
        """One word."""
        return record.get_state_display()


class GroupTable(PageTable):
    """Name and number of tenants."""

    name = TextColumn(verbose_name=gettext_lazy("Name"))
    size = NumberColumn(verbose_name=gettext_lazy("Tenants"))
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = ("name",)

    def __init__(self, *args: Any, may_edit: bool = False, **kwargs: Any) -> None:
        self.may_edit = may_edit
        super().__init__(*args, **kwargs)

    def render_name(self, record: TenantGroup) -> str:
        """To the form, for those who may edit."""
        if not self.may_edit:
            return format_html("<bdi>{}</bdi>", record.name)
        return link(reverse("tenants:group", args=[record.pk]), record.name)

    def value_name(self, record: TenantGroup) -> str:
        """The bare name."""
        return record.name

    def render_actions(self, record: TenantGroup) -> str:
        """Edit and delete."""
        if not self.may_edit:
            return ""
        edit, delete = (reverse(f"tenants:{name}", args=[record.pk]) for name in ("group", "group_delete"))
        return links([(edit, _("Edit")), (delete, _("Delete"))])
