"""Tables of engines, their prices, and default engines."""

from collections.abc import Mapping
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from aiassistant.models import AIEngine, DefaultEngine, Visibility
from core.tables import ActionsColumn, PageTable, TextColumn, badge, link, links
from engines.tables import EngineTable, PriceColumn, PriceTable


class AIEngineTable(EngineTable):
    """With the model, the page that shows how each fares, and the word for a model that is gone."""

    model = TextColumn(accessor="settings__model", verbose_name=gettext_lazy("Model"), orderable=False, ltr=True)

    class Meta(EngineTable.Meta):
        sequence = ("selection", "name", "engine_type", "model", "...")

    def __init__(self, *args: Any, chosen: Mapping[int, int], **kwargs: Any) -> None:
        self.chosen = chosen
        super().__init__(*args, **kwargs)

    def render_enabled(self, record: AIEngine) -> str:
        """A model that is gone has a word of its own."""
        if record.paused_at is not None and record.missing_model:
            look = badge("paused", _("Model not found"))
            return format_html('{}<br><span class="p-soft"><bdi>{}</bdi></span>', look, record.pause_reason)
        return super().render_enabled(record)

    def render_visibility(self, record: AIEngine) -> str:
        """Global, how many, or which one."""
        if record.visibility == Visibility.TENANTS:
            number = self.chosen.get(record.pk, 0)
            return ngettext("%(n)s tenant", "%(n)s tenants", number) % {"n": number}
        return super().render_visibility(record)

    def render_actions(self, record: AIEngine) -> str:
        """Abilities beside the usual ones."""
        more = [(reverse("aiassistant:abilities", args=[record.pk]), _("What the server can do"))]
        return format_html("{} {}", links(more), super().render_actions(record))


class AIPriceTable(PriceTable):
    """Model and the four prices per million tokens."""

    model_pattern = TextColumn(verbose_name=gettext_lazy("Model"), ltr=True)
    input = PriceColumn(verbose_name=gettext_lazy("Prompt"))
    cached_input = PriceColumn(verbose_name=gettext_lazy("Cached prompt"))
    output = PriceColumn(verbose_name=gettext_lazy("Answer"))
    reasoning = PriceColumn(verbose_name=gettext_lazy("Reasoning"), orderable=False, empty_values=())

    class Meta(PriceTable.Meta):
        sequence = ("model_pattern", "valid_from", "holds", "currency", "input", "...", "actions")


class DefaultTable(PageTable):
    """Tenant, engine, how that stands."""

    tenant = TextColumn(accessor="tenant__name", verbose_name=gettext_lazy("Tenant"), empty_values=())
    engine = tables.Column(accessor="engine__name", verbose_name=gettext_lazy("AI engine"))
    enabled = tables.Column(accessor="engine__enabled", verbose_name=gettext_lazy("Status"), orderable=False)
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = "tenant"

    def __init__(self, *args: Any, may_edit: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("actions",))

    def render_tenant(self, record: DefaultEngine) -> str:
        """The tenant, or the system."""
        return format_html("<bdi>{}</bdi>", self.value_tenant(record))

    def value_tenant(self, record: DefaultEngine) -> str:
        """The same."""
        return record.tenant.name if record.tenant is not None else _("The system")

    def render_engine(self, value: str, record: DefaultEngine) -> str:
        """To the engine."""
        return link(reverse("aiassistant:overview", args=[record.engine_id]), value)

    def value_engine(self, value: str) -> str:
        """The bare name."""
        return value

    def render_enabled(self, record: DefaultEngine) -> str:
        """A badge."""
        return badge(self.value_enabled(record))

    def value_enabled(self, record: DefaultEngine) -> str:
        """One word."""
        return "paused" if record.engine.paused_at is not None else "enabled" if record.engine.enabled else "disabled"

    def render_actions(self, record: DefaultEngine) -> str:
        """Change and clear."""
        return links(
            [
                (reverse("aiassistant:default", args=[record.pk]), _("Edit")),
                (reverse("aiassistant:default_clear", args=[record.pk]), _("Clear")),
            ]
        )
