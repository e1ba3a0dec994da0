"""Rules, values and settings of custom fields in the words of the viewer."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import InvalidInput
from customfields.models import Tone
from customfields.typed import CHOICES, BrokenRule, Definition, FieldType, Rule, Value, bands_of, plain

RULES: dict[Rule, str | Promise] = {
    Rule.NOT_TEXT: gettext_lazy("This must be a text."),
    Rule.UNSTORABLE: gettext_lazy("This has characters that cannot be stored."),
    Rule.TOO_LONG: gettext_lazy("At most %(most)s characters."),
    Rule.NOT_INTEGER: gettext_lazy("A whole number, in the digits 0–9."),
    Rule.NOT_NUMBER: gettext_lazy("A number, in the digits 0–9 with a point."),
    Rule.TOO_BIG: gettext_lazy("A number between %(low)s and %(high)s."),
    Rule.TOO_LOW: gettext_lazy("At least %(low)s."),
    Rule.TOO_HIGH: gettext_lazy("At most %(high)s."),
    Rule.PLACES: gettext_lazy("At most %(places)s digits behind the point."),
    Rule.NOT_CHOICE: gettext_lazy("One of: %(choices)s."),
    Rule.NOT_CHOICES: gettext_lazy("Choices out of: %(choices)s."),
    Rule.NOT_BOOLEAN: gettext_lazy("Yes or no."),
    Rule.NOT_DATE: gettext_lazy("A day, written as year-month-day."),
    Rule.NO_CHOICES: gettext_lazy("A choice needs at least one line here."),
    Rule.MANY_CHOICES: gettext_lazy("At most %(most)s choices."),
    Rule.BAD_LABEL: gettext_lazy("Each label needs 1 to %(most)s characters."),
    Rule.TWICE: gettext_lazy("“%(what)s” stands here twice."),
    Rule.NO_RANGE: gettext_lazy("A score needs a smallest and a largest value."),
    Rule.RANGE: gettext_lazy("The smallest value must be below the largest."),
    Rule.MANY_BANDS: gettext_lazy("At most %(most)s bands."),
    Rule.BAND_RANGE: gettext_lazy("The band from “%(what)s” lies outside the range of the score."),
    Rule.BAND_COLOUR: gettext_lazy("“%(what)s” is not one of the colours."),
}


def rule_text(error: BrokenRule) -> str:
    """The broken rule as a sentence, without the field."""
    return str(RULES[error.rule]) % error.facts


def refused(error: BrokenRule, field: str) -> InvalidInput:
    """The error that forms and services show at ``field``."""
    return InvalidInput(field, rule_text(error))


def shown(definition: Definition, value: Value | None) -> str:
    """A value as people read it: labels of choices, yes or no, days as ISO text; empty text for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if definition.type in CHOICES:
        labels = dict(definition.choices)
        chosen = value if isinstance(value, tuple) else (value,)
        # A choice that was taken from the list since then still says what was chosen.
        return ", ".join(labels.get(str(part), str(part)) for part in chosen)
    if isinstance(value, (int, Decimal)):
        return plain(Decimal(value))
    return value.isoformat() if isinstance(value, date) else str(value)


def range_text(definition: Definition) -> str:
    """What the settings demand, in a few words; empty when nothing."""
    low, high = definition.low, definition.high
    if low is not None and high is not None:
        return _("from %(low)s to %(high)s") % {"low": plain(low), "high": plain(high)}
    if low is not None:
        return _("at least %(low)s") % {"low": plain(low)}
    if high is not None:
        return _("at most %(high)s") % {"high": plain(high)}
    if definition.type in CHOICES:
        return ", ".join(label for _value, label in definition.choices)
    most = definition.settings.get("max_length")
    return _("at most %(most)s characters") % {"most": f"{most:,}"} if most else ""


def settings_lines(kind: FieldType, settings: dict[str, Any]) -> dict[str, str]:
    """Choices and bands as the form's lines: ``value | label`` and ``from | label | colour``."""
    definition = Definition("", kind, settings)
    choices = [value if value == label else f"{value} | {label}" for value, label in definition.choices]
    bands = [f"{plain(band.start)} | {band.label} | {Tone(band.tone).label}" for band in bands_of(definition)]
    return {"choices": "\n".join(choices), "bands": "\n".join(bands)}
