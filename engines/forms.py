"""The form of an engine; its settings are made from the options of its type (domain T9)."""

from typing import Any, ClassVar, Literal, get_args, get_origin

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.engines import EngineOptions
from core.forms import EnableField, VersionedForm, WholeNumberField
from engines.families import Family
from engines.models import Visibility
from tenants.forms import TenantField
from tenants.selectors import tenants_to_offer

# What stands for the words of a choice that are no words.
_WORDS = {
    "auto": _("Auto"),
    "chat": "Chat Completions",
    "responses": "Responses",
    "json_schema": _("JSON schema"),
    "json_object": _("JSON object"),
    "text": _("In words only"),
    "cloud": _("Cloud"),
    "on_premises": _("On premises"),
}
STORED = _("A value is stored. Leave blank to keep it.")


class EngineForm(VersionedForm):
    """Engine type first, then the fields of that type. Secrets are write-only: blank keeps, the check box clears.

    ``head`` names what stands above the settings, in order.
    """

    family: ClassVar[Family]
    head: ClassVar[list[str]] = ["engine_type", "name", "enabled", "visibility", "tenant"]

    engine_type = forms.ChoiceField(label=_("Engine"))
    name = forms.CharField(label=_("Name"), max_length=120)
    enabled = EnableField()
    visibility = forms.ChoiceField(label=_("Visibility"), choices=Visibility.choices, initial=Visibility.GLOBAL)
    tenant = TenantField(help_text=_("Only for the visibility “One tenant”."))

    def __init__(
        self,
        *args: Any,
        editor: Any,
        engine: Any = None,
        stored_secrets: frozenset[str] = frozenset(),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        tenants: Any = self.fields["tenant"]
        tenants.queryset = tenants_to_offer(editor, engine.tenant_id if engine is not None else None)
        choices = [choice for choice in self.family.choices() if engine is None or choice[0] == engine.engine_type]
        self.fields["engine_type"].choices = choices  # type: ignore[attr-defined]
        self.options_type = self._chosen_type(choices)
        self.option_names: list[str] = []
        self.secret_names = self.options_type.secret_names()
        for name, field in self.options_type.model_fields.items():
            if name in self.secret_names:
                self._add_secret(name, field, name in stored_secrets)
            else:
                self.fields[name] = option_field(field)
                self.option_names.append(name)
        shown = [
            *self.option_names,
            *(name for name in self.fields if name.removeprefix("clear_") in self.secret_names),
        ]
        basic = {
            name
            for name in shown
            if self.fields[name].required or not isinstance(self.fields[name], forms.IntegerField | forms.FloatField)
        } - {name for name, field in self.options_type.model_fields.items() if _seldom(field)}
        self.sections = [
            ("", self.head),
            (str(_("Settings")), [name for name in shown if name in basic]),
        ]
        self.advanced = [name for name in shown if name not in basic]

    def _chosen_type(self, choices: list[tuple[str, str]]) -> type[EngineOptions]:
        key = self.data.get("engine_type") if self.is_bound else self.initial.get("engine_type")
        types = self.family.types()
        known = str(key) if key in types else choices[0][0]
        self.initial.setdefault("engine_type", known)
        options: type[EngineOptions] = types[known].options_type
        return options

    def _add_secret(self, name: str, field: Any, stored: bool) -> None:
        self.fields[name] = forms.CharField(
            label=field.title,
            max_length=4000,
            required=False,
            strip=True,
            help_text=STORED if stored else (field.description or ""),
            widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off", "spellcheck": "false"}),
        )
        if stored:
            label = _("Clear the stored value: %(name)s") % {"name": field.title}
            self.fields[f"clear_{name}"] = forms.BooleanField(label=label, required=False)

    def values(self) -> dict[str, Any]:
        """What is common to all engine types."""
        return {name: self.cleaned_data[name] for name in self.family.common}

    def settings(self) -> dict[str, Any]:
        """The options that are no secrets; what was left blank has its default."""
        return {
            name: self.cleaned_data[name] for name in self.option_names if self.cleaned_data[name] not in (None, "")
        }

    def secrets(self) -> dict[str, str | None]:
        """A typed value replaces, the check box clears (""), else the stored one is kept (None)."""
        return {
            name: self.cleaned_data[name] or ("" if self.cleaned_data.get(f"clear_{name}") else None)
            for name in self.secret_names
        }


class PriceForm(forms.Form):
    """From which day, and in which currency; families add what it is for and the amounts, and say the ``parts``."""

    parts: ClassVar[tuple[tuple[str | Promise, tuple[str, ...]], ...]]

    valid_from = forms.DateField(
        label=_("Valid from"),
        help_text=_("From the beginning of this day (UTC) on; earlier rows stay and explain what was spent."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    currency = forms.CharField(
        label=_("Currency"),
        max_length=3,
        help_text=_("Three letters, such as EUR; one for all prices of an engine."),
        widget=forms.TextInput(attrs={"dir": "ltr", "autocapitalize": "characters"}),
    )

    def groups(self) -> list[dict[str, Any]]:
        """For what it is, and how much."""
        return [
            {"label": label, "fields": [self[name] for name in names], "folded": False, "open": False}
            for label, names in self.parts
        ]

    def values(self) -> dict[str, Any]:
        """As the service takes them."""
        return {**self.cleaned_data, "currency": self.cleaned_data["currency"].strip().upper()}


def option_field(field: Any) -> forms.Field:
    """The form field of one pydantic option: yes or no, a number with its bounds, one of some words, or text."""
    common: dict[str, Any] = {"label": field.title, "help_text": field.description or ""}
    if field.annotation is bool:
        return forms.BooleanField(required=False, initial=field.default, **common)
    if get_origin(field.annotation) is Literal:
        words = [(word, _WORDS.get(word, word)) for word in get_args(field.annotation)]
        return forms.ChoiceField(choices=words, required=False, initial=field.default, **common)
    if field.annotation in {int, int | None, float | None}:
        numbers: type[forms.IntegerField] = forms.FloatField if field.annotation == float | None else WholeNumberField
        return numbers(
            required=field.is_required(),
            initial=None if field.is_required() else field.default,
            min_value=_bound(field, "ge"),
            max_value=_bound(field, "le"),
            **common,
        )
    length = _bound(field, "max_length") or 300
    widget = forms.TextInput(attrs={"dir": "ltr", "spellcheck": "false"})
    initial = None if field.is_required() else field.default
    return forms.CharField(required=field.is_required(), initial=initial, max_length=length, widget=widget, **common)


def _seldom(field: Any) -> bool:
    """Whether the option stands with the advanced ones although it is no number."""
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("advanced"))


def _bound(field: Any, name: str) -> int | None:
    return next((getattr(rule, name) for rule in field.metadata if hasattr(rule, name)), None)


def initial_of(engine: Any) -> dict[str, Any]:
    """The stored values as the form shows them: never a secret."""
    names = (*engine.family.common, "version")
    return {**engine.settings, **{name: getattr(engine, name) for name in names}}
