"""The lists of roles and of the users who have one."""

from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Role, User
from accounts.permissions import AccessScope
from core.tables import ActionsColumn, NumberColumn, PageTable, TextColumn, TimeColumn, badge, link, links


class RoleTable(PageTable):
    """Name, kind, access scope, number of rights and of users, and the tenant for those who see several."""

    name = tables.Column(verbose_name=gettext_lazy("Name"))
    key = tables.Column(verbose_name=gettext_lazy("Kind"), empty_values=())
    tenant = TextColumn(verbose_name=gettext_lazy("Tenant"), order_by="tenant__name")
    scope = tables.Column(verbose_name=gettext_lazy("Access scope"), orderable=False)
    granted = NumberColumn(verbose_name=gettext_lazy("Rights"), orderable=False, empty_values=())
    people = NumberColumn(verbose_name=gettext_lazy("Users"))
    created_at = TimeColumn(verbose_name=gettext_lazy("Created"), visible=False)
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = "name"

    def __init__(
        self, *args: Any, several: bool = False, may_edit: bool = False, people_links: bool = False, **kw: Any
    ) -> None:
        self.may_edit, self.people_links = may_edit, people_links
        hidden = [*([] if several else ["tenant"]), *([] if may_edit else ["actions"])]
        super().__init__(*args, **kw, exclude=hidden)

    def render_name(self, record: Role) -> str:
        """A link to the grid."""
        return link(reverse("accounts:role", args=[record.pk]), str(record))

    def value_name(self, record: Role) -> str:
        """The bare name."""
        return str(record)

    def render_key(self, value: str) -> str:
        """Built-in, or own."""
        return badge("info", _("Built-in")) if value else _("Own")

    def value_key(self, value: str) -> str:
        """One word."""
        return _("Built-in") if value else _("Own")

    def render_scope(self, record: Role) -> str:
        """In words."""
        return str(AccessScope(record.reach).label)

    def render_granted(self, record: Role) -> int:
        """How many boxes are ticked."""
        return len(record.permissions)

    def render_people(self, value: int, record: Role) -> str:
        """A link to who has it."""
        if not self.people_links:
            return str(value)
        return format_html('<a href="{}">{}</a>', reverse("accounts:role_users", args=[record.pk]), value)

    def value_people(self, value: int) -> int:
        """The number."""
        return value

    def render_actions(self, record: Role) -> str:
        """Clone; delete what is not built in."""
        actions = [(reverse("accounts:role_clone", args=[record.pk]), _("Clone"))]
        if not record.key:
            actions.append((reverse("accounts:role_delete", args=[record.pk]), _("Delete")))
        return links(actions)


class RoleUserTable(PageTable):
    """Who has a role."""

    username = TextColumn(verbose_name=gettext_lazy("User name"), ltr=True, order_by="username_key")
    full_name = TextColumn(verbose_name=gettext_lazy("Full name"))
    tenant = TextColumn(verbose_name=gettext_lazy("Tenant"), order_by="tenant__name")
    group = TextColumn(verbose_name=gettext_lazy("Group"))
    is_active = tables.Column(verbose_name=gettext_lazy("Status"))

    class Meta(PageTable.Meta):
        order_by = "username"

    def __init__(self, *args: Any, several: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, exclude=() if several else ("tenant",))

    def render_is_active(self, record: User) -> str:
        """A badge."""
        return badge("enabled" if record.is_active else "disabled")

    def value_is_active(self, record: User) -> str:
        """One word."""
        return _("Enabled") if record.is_active else _("Disabled")
