"""The list of languages."""

from collections.abc import Mapping, Sequence
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.tables import EMPTY, PageTable, SelectionColumn, TextColumn, badge, link
from transcription.languages.models import Language


class LanguageTable(PageTable):
    """Name, tag, word for a speaker, status, and the engines that recognise it as far as they tell."""

    selection = SelectionColumn()
    name = TextColumn(verbose_name=gettext_lazy("Name"))
    code = TextColumn(verbose_name=gettext_lazy("Language tag"), ltr=True)
    speaker_word = TextColumn(verbose_name=gettext_lazy("Word for “speaker”"))
    enabled = tables.Column(verbose_name=gettext_lazy("Status"))
    engines = tables.Column(verbose_name=gettext_lazy("Engines"), accessor="pk", orderable=False)

    class Meta(PageTable.Meta):
        order_by = "name"

    def __init__(
        self, *args: Any, engines: Mapping[int, Sequence[tuple[str, bool]]], may_edit: bool, **kwargs: Any
    ) -> None:
        self.engines, self.may_edit = engines, may_edit
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("selection",))

    def render_name(self, value: str, record: Language) -> str:
        """A link to the form for those who may edit."""
        return link(reverse("transcription:language", args=[record.pk]), value) if self.may_edit else value

    def value_name(self, value: str) -> str:
        """The bare name."""
        return value

    def render_enabled(self, record: Language) -> str:
        """Whether new tasks may name it."""
        return badge("enabled" if record.enabled else "disabled")

    def value_enabled(self, record: Language) -> str:
        """The state as a word."""
        return "enabled" if record.enabled else "disabled"

    def render_engines(self, record: Language) -> str:
        """Their names; those that do not tell beforehand are named as such."""
        names = [
            name if told else _("%(name)s (does not tell)") % {"name": name}
            for name, told in self.engines.get(record.pk, ())
        ]
        return format_html_join(", ", "<bdi>{}</bdi>", ((name,) for name in names)) or EMPTY

    def value_engines(self, record: Language) -> str:
        """The names of those that tell, with a question mark behind the others."""
        return "; ".join(name if told else f"{name}?" for name, told in self.engines.get(record.pk, ()))
