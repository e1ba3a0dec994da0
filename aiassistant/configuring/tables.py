"""Tables of engines, their prices, and default engines."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from aiassistant.models import AIEngine, DefaultEngine, EnginePrice, Visibility
from core.tables import ActionsColumn, NumberColumn, PageTable, TextColumn, badge, link, links
from engines.tables import EngineTable


class AIEngineTable(EngineTable):
    """With the model, the page that shows how each fares, and the word for a model that is gone."""

    model = TextColumn(accessor="settings__model", verbose_name=gettext_lazy("Model"), orderable=False, ltr=True)

    class Meta(EngineTable.Meta):
        sequence = ("selection", "name", "engine_type", "model", "...")

    def __init__(self, *args: Any, chosen: Mapping[int, int], **kwargs: Any) -> None:
        self.chosen = chosen
        super().__init__(*args, **kwargs)

    def render_name(self, value: str, record: AIEngine) -> str:
        """To how it fares, for all who see the list."""
        return link(reverse("aiassistant:overview", args=[record.pk]), value)

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
        """Prices and abilities beside the usual ones."""
        more = [
            (reverse("aiassistant:prices", args=[record.pk]), _("Prices")),
            (reverse("aiassistant:abilities", args=[record.pk]), _("What the server can do")),
        ]
        return format_html("{} {}", links(more), super().render_actions(record))


class PriceColumn(NumberColumn):
    """Per million tokens, in the currency of the row."""

    def render(self, value: Decimal | None) -> str:
        """Without zeros at the end."""
        return f"{value.normalize():,f}" if value is not None else "–"

    def value(self, value: Decimal | None) -> str:
        """Exactly as stored."""
        return f"{value:f}" if value is not None else ""


class PriceTable(PageTable):
    """Model, day, currency, the four prices; which rows hold today."""

    model_pattern = TextColumn(verbose_name=gettext_lazy("Model"), ltr=True)
    valid_from = tables.DateColumn(verbose_name=gettext_lazy("Valid from"), format="Y-m-d")
    holds = tables.Column(accessor="pk", verbose_name=gettext_lazy("Status"), orderable=False)
    currency = tables.Column(verbose_name=gettext_lazy("Currency"), orderable=False)
    input = PriceColumn(verbose_name=gettext_lazy("Prompt"))
    cached_input = PriceColumn(verbose_name=gettext_lazy("Cached prompt"))
    output = PriceColumn(verbose_name=gettext_lazy("Answer"))
    reasoning = PriceColumn(verbose_name=gettext_lazy("Reasoning"), orderable=False, empty_values=())
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = "-valid_from"

    def __init__(self, *args: Any, holding: frozenset[int], may_edit: bool, **kwargs: Any) -> None:
        self.holding = holding
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("actions",))

    def render_holds(self, record: EnginePrice) -> str:
        """A badge."""
        return badge(*self.status_of(record))

    def value_holds(self, record: EnginePrice) -> str:
        """The word."""
        return self.status_of(record)[1]

    def status_of(self, record: EnginePrice) -> tuple[str, str]:
        """Coming, holding, or replaced."""
        if record.valid_from > timezone.localdate():
            return "info", _("Coming")
        return ("ok", _("In force")) if record.pk in self.holding else ("disabled", _("Replaced"))

    def render_actions(self, record: EnginePrice) -> str:
        """Only what does not hold yet can be deleted."""
        if record.valid_from <= timezone.localdate():
            return ""
        return links([(reverse("aiassistant:price_delete", args=[record.engine_id, record.pk]), _("Delete"))])


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
