"""Pages of AI engines (Administration > Speech Analytics > AI Assistant > Engines)."""

from typing import Any

from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from aiassistant.configuring.tables import AIEngineTable
from aiassistant.family import AI
from aiassistant.forms import AIEngineForm
from aiassistant.models import AIEngine
from aiassistant.services import save_engine
from aiassistant.tasks import start_test
from core.pages import Crumbs
from engines import views
from engines.bulk_views import EngineBulkMixin


class AIPages:
    """Whose pages these are."""

    family = AI
    place: Crumbs = [
        (gettext_lazy("Administration"), None),
        (gettext_lazy("Speech Analytics"), None),
        (gettext_lazy("AI Assistant"), None),
    ]
    start_test = staticmethod(start_test)


class EngineList(AIPages, views.EngineList):
    """The engines with model, status, last test and use."""

    table_class = AIEngineTable

    def table_arguments(self) -> dict[str, Any]:
        """With how many tenants may use each."""
        through = AIEngine.tenants.through.objects.values_list("aiengine_id").annotate(n=Count("pk"))
        return {**super().table_arguments(), "chosen": dict(through)}

    def actions(self) -> list[dict[str, Any]]:
        """Add, and the default engines."""
        link = {"label": _("Default engines"), "url": self.url("defaults"), "icon": "messages"}
        return [link, *super().actions()]

    def empty(self) -> dict[str, Any]:
        """The first engine."""
        return {
            "icon": "messages",
            "title": _("No AI engine yet"),
            "text": _("An engine answers questions about conversations. Add one and test its connection."),
            "url": self.url("add"),
            "label": _("Add"),
        }


class EngineBulk(EngineBulkMixin, EngineList):
    """Enable, disable or test the chosen engines."""


class EnginePage(AIPages, views.EnginePage):
    """Add and edit."""

    form_class = AIEngineForm
    add_title = gettext_lazy("Add AI Engine")

    def write(self, form: Any, **common: Any) -> AIEngine:
        """With the tenants that may use it."""
        return save_engine(**common, tenants=form.cleaned_data["tenants"])


class EngineDelete(AIPages, views.EngineDelete):
    """Delete an engine that no job uses."""


class EngineResume(AIPages, views.EngineResume):
    """Let a paused engine work again."""


class EngineTry(AIPages, views.EngineTry):
    """Have a failing engine tried now."""


class EngineTrust(AIPages, views.EngineTrust):
    """Send everything to a failing engine again, without a probe."""


class EngineTestStart(AIPages, views.EngineTestStart):
    """Test Connection."""


class EngineTestPage(AIPages, views.EngineTestPage):
    """The steps of a test."""

    title = gettext_lazy("Test AI Engine")
