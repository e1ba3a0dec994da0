"""The list of audit entries."""

import uuid
from typing import Any

import orjson
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from audit.models import AuditEntry
from audit.words import ACTIONS, action_words, kind_words, names_of
from core.tables import PageTable, TextColumn, TimeColumn, show_time

SHORT_ID = 16


class AuditTable(PageTable):
    """Time, tenant, who, action, object, reason, IP; exports hold all that the digest covers.

    On the page codes have words, and objects names where they are known; exports have the codes and ids alone.
    """

    at = TimeColumn(verbose_name=_("Time"), seconds=True)
    tenant_id = TextColumn(verbose_name=_("Tenant"))
    actor = TextColumn(verbose_name=_("Who"))
    action = TextColumn(verbose_name=_("Action"), ltr=True)
    target_type = TextColumn(verbose_name=_("Object"))
    target_id = TextColumn(verbose_name=_("Object id"), visible=False)
    reason = TextColumn(verbose_name=_("Reason"))
    ip = TextColumn(verbose_name=_("IP address"), ltr=True)
    request_id = TextColumn(verbose_name=_("Request id"), visible=False)
    details = TextColumn(verbose_name=_("Details"), visible=False)
    before = TextColumn(verbose_name=_("Before"), visible=False)
    after = TextColumn(verbose_name=_("After"), visible=False)
    position = TextColumn(verbose_name=_("Position"), visible=False)
    digest = TextColumn(verbose_name=_("Digest"), visible=False)

    def __init__(self, *args: Any, tenants: dict[uuid.UUID, str] | None = None, **kwargs: Any) -> None:
        self.tenants = tenants
        super().__init__(*args, **kwargs, exclude=() if tenants is not None else ("tenant_id",))

    def render_at(self, record: AuditEntry) -> str:
        """The way to the entry."""
        return format_html(
            '<a href="{}">{}</a>', reverse("audit:entry", args=[record.pk]), show_time(record.at, seconds=True)
        )

    def value_at(self, value: Any) -> str:
        """ISO 8601 in the viewer's zone, with the offset."""
        return timezone.localtime(value).isoformat(timespec="seconds")

    def render_action(self, value: str) -> str:
        """In words, with the code behind them."""
        if value not in ACTIONS:
            return format_html('<bdi dir="ltr" class="p-mono">{}</bdi>', value)
        return format_html('<span title="{}">{}</span>', value, action_words(value))

    def value_action(self, value: str) -> str:
        """The code."""
        return value

    @cached_property
    def names(self) -> dict[int, str]:
        """The names of the objects of this page."""
        return names_of(self.data.data, self.tenants)

    def value_tenant_id(self, value: uuid.UUID) -> str:
        """The name, or the id of a tenant that the viewer cannot see (any more)."""
        return (self.tenants or {}).get(value, str(value))

    def render_tenant_id(self, value: uuid.UUID) -> str:
        """The name."""
        return format_html("<bdi>{}</bdi>", self.value_tenant_id(value))

    def render_target_type(self, record: AuditEntry) -> str:
        """Type, name and the begin of the id; the page of the entry has the whole one."""
        identity, name = record.target_id, self.names.get(record.pk, "")
        short = identity if len(identity) <= SHORT_ID else f"{identity[:8]}…"
        return format_html(
            '<span>{} <bdi>{}</bdi> <bdi dir="ltr" class="p-mono p-soft" title="{}">{}</bdi></span>',
            kind_words(record.target_type),
            name,
            identity,
            short,
        )

    def value_target_type(self, value: str) -> str:
        """The type alone: the id has a column of its own."""
        return value

    def value_details(self, value: Any) -> str:
        """JSON."""
        return as_json(value)

    def value_before(self, value: Any) -> str:
        """JSON."""
        return as_json(value)

    def value_after(self, value: Any) -> str:
        """JSON."""
        return as_json(value)


def as_json(value: Any) -> str:
    """JSON with sorted keys; empty for nothing."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() if value else ""
