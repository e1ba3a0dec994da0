"""Where the pages stand in the menu."""

from typing import Any

from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy

from core.pages import Crumbs, Text

ROOT: Crumbs = [
    (gettext_lazy("Administration"), None),
    (gettext_lazy("Speech Analytics"), None),
    (gettext_lazy("AI Assistant"), None),
]
USAGE: tuple[Text, Any] = (gettext_lazy("Usage and cost"), reverse_lazy("rails:usage"))
EXECUTIONS: tuple[Text, Any] = (gettext_lazy("Executions"), reverse_lazy("rails:executions"))
