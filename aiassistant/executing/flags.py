"""What is noticed about executions (providers §6.6, 6): codes that are stored, and their words."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Flag(models.TextChoices):
    """What is noticed about an execution beside how it ended."""

    INJECTION = "injection", _("The conversation gives orders to the model")
    ECHO = "echo", _("The answer repeats the instructions")
    MARKUP = "markup", _("Markup in the answer")
    TRUNCATED = "truncated", _("An answer was cut at the limit of tokens")
    CUT = "cut", _("A text was shortened to fit its field")
    UNVERIFIED = "unverified_quote", _("A quotation is not in the conversation")
    NO_TEMPERATURE = "temperature_ignored", _("The engine takes no temperature")
    NO_REASONING = "reasoning_ignored", _("The engine takes no reasoning effort")
    REFUSED_BY_FIELD = "refused_by_field", _("A custom field refused a value")

    @classmethod
    def label_of(cls, code: str) -> str:
        """In words; a code of another release as it is."""
        return str(cls(code).label) if code in cls.values else code
