"""Administration > Speech Analytics > Transcription > Languages."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse, reverse_lazy
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from core.bulk import DISABLE, ENABLE, BulkMixin
from core.pages import Crumbs, FormPage, ListPage, Text
from transcription.languages.filters import LanguageFilter
from transcription.languages.forms import LanguageForm, initial_of
from transcription.languages.models import Language
from transcription.languages.selectors import engines_by_language
from transcription.languages.services import save_language, set_languages_enabled
from transcription.languages.tables import LanguageTable

TITLE = gettext_lazy("Languages")
ROOT: Crumbs = [
    (gettext_lazy("Administration"), None),
    (gettext_lazy("Speech Analytics"), None),
    (gettext_lazy("Transcription"), None),
]


class LanguageList(ListPage):
    """The table, with the engines that recognise each."""

    title = TITLE
    table_class = LanguageTable
    filterset_class = LanguageFilter
    bulk_actions = [ENABLE, DISABLE]

    def breadcrumbs(self) -> Crumbs:
        """Transcription."""
        return ROOT

    def get_queryset(self) -> QuerySet[Language]:
        """All of the platform."""
        return Language.objects.all()

    @property
    def may_edit(self) -> bool:
        """Whether the viewer may change them."""
        return viewer(self.request).has(Permission.ENGINES_EDIT)

    @cached_property
    def engines(self) -> dict[int, list[tuple[str, bool]]]:
        """Read once for all pieces of an export."""
        return engines_by_language()

    def table_arguments(self) -> dict[str, Any]:
        """Engines, and check boxes for those who may act."""
        return {"engines": self.engines, "may_edit": self.may_edit}

    def actions(self) -> list[dict[str, Any]]:
        """Add."""
        if not self.may_edit:
            return []
        return [{"label": _("Add"), "url": reverse("transcription:language_add"), "icon": "plus", "primary": True}]

    def bulk_url(self) -> str:
        """Enable and disable."""
        return reverse("transcription:languages_bulk")

    def more_context(self) -> dict[str, Any]:
        """What the names are for; no bulk actions for those who may only look."""
        intro = _(
            "Senders of offline tasks name languages by these names. An organisation may name those that an engine of its "
            "transcription jobs recognises."
        )
        return {"intro": intro} | ({} if self.may_edit else {"bulk_actions": []})

    def empty(self) -> dict[str, Any]:
        """None at all."""
        empty = {
            "icon": "language",
            "title": _("No language yet"),
            "text": _("Without a language no offline task can be submitted."),
        }
        return empty | ({"url": reverse("transcription:language_add"), "label": _("Add")} if self.may_edit else {})


class LanguageBulk(BulkMixin, LanguageList):
    """Enable or disable the chosen languages."""

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What it means for senders."""
        return {
            "enable": (_("Enable"), _("New tasks may name them again.")),
            "disable": (_("Disable"), _("New tasks that name them are refused; conversations stay what they are.")),
        }

    def asks(self, action: str) -> bool:
        """Only what turns senders away."""
        return action == "disable"

    def list_url(self) -> str:
        """The list."""
        return reverse("transcription:languages")

    def perform(self, action: str, rows: QuerySet[Language]) -> str:
        """Through the service."""
        number = set_languages_enabled(languages=list(rows), enabled=action == "enable", editor=viewer(self.request))
        return ngettext("%(n)s language was changed.", "%(n)s languages were changed.", number) % {"n": number}


class LanguagePage(FormPage):
    """Add and edit."""

    form_class = LanguageForm
    cancel_url = reverse_lazy("transcription:languages")  # type: ignore[assignment]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the language of the address."""
        super().setup(request, *args, **kwargs)
        self.language = get_object_or_404(Language, pk=kwargs["pk"]) if "pk" in kwargs else None

    def get_title(self) -> Text:
        """The name, or that it is new."""
        return self.language.name if self.language is not None else _("Add Language")

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return [*ROOT, (TITLE, reverse("transcription:languages"))]

    def form_arguments(self) -> dict[str, Any]:
        """The stored values."""
        return {} if self.language is None else {"initial": initial_of(self.language)}

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        saved = save_language(
            language=self.language,
            values=form.values(),
            version=form.cleaned_data["version"] or 0,
            editor=viewer(self.request),
        )
        messages.success(self.request, _("The language “%(name)s” was saved.") % {"name": saved.name})
        return redirect("transcription:languages")
