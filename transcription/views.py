"""Pages of speech engines (Administration > Speech Analytics > Transcription > Engines)."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.pages import Crumbs
from engines import views
from engines.bulk_views import EngineBulkMixin
from transcription.family import SPEECH
from transcription.forms import SpeechEngineForm
from transcription.services import save_engine
from transcription.tasks import start_test


class SpeechPages:
    """Whose pages these are."""

    family = SPEECH
    place: Crumbs = [
        (gettext_lazy("Administration"), None),
        (gettext_lazy("Speech Analytics"), None),
        (gettext_lazy("Transcription"), None),
    ]
    start_test = staticmethod(start_test)


class EngineList(SpeechPages, views.EngineList):
    """The engines with status, last test and use."""

    def empty(self) -> dict[str, Any]:
        """The first engine."""
        return {
            "icon": "microphone",
            "title": _("No speech engine yet"),
            "text": _("An engine turns recordings into text. Add one and test its connection."),
            "url": self.url("add"),
            "label": _("Add"),
        }


class EngineBulk(EngineBulkMixin, EngineList):
    """Enable, disable or test the chosen engines."""


class EnginePage(SpeechPages, views.EnginePage):
    """Add and edit."""

    form_class = SpeechEngineForm
    add_title = gettext_lazy("Add Speech Engine")

    def write(self, form: Any, **common: Any) -> Any:
        """By the service of speech engines, which looks after their jobs."""
        return save_engine(**common)


class EngineDelete(SpeechPages, views.EngineDelete):
    """Delete an engine that no job uses."""


class EngineResume(SpeechPages, views.EngineResume):
    """Let a paused engine work again."""


class EngineTry(SpeechPages, views.EngineTry):
    """Have a failing engine tried now."""


class EngineTrust(SpeechPages, views.EngineTrust):
    """Send everything to a failing engine again, without a probe."""


class EngineTestStart(SpeechPages, views.EngineTestStart):
    """Test Connection."""


class EngineTestPage(SpeechPages, views.EngineTestPage):
    """The steps of a test."""

    title = gettext_lazy("Test Speech Service")
