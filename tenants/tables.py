"""The list of allowed addresses."""

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.tables import ActionsColumn, NumberColumn, PageTable, TextColumn, TimeColumn, links
from tenants.models import AllowedAddress


class AllowedAddressTable(PageTable):
    """Network, port, note."""

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
