"""Forms of prices, abilities and default engines; rules over several fields are the services'."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from aiassistant.configuring.abilities import WHOLE, abilities_of
from aiassistant.models import AIEngine
from core.forms import VersionedForm, WholeNumberField
from engines.forms import PriceForm
from tenants.models import Tenant
from tenants.selectors import tenants_to_offer


class AIPriceForm(PriceForm):
    """One price row. Blank: cached input costs what input does, reasoning what other output does."""

    parts = (
        (_("What it is for"), ("model_pattern", "valid_from", "currency")),
        (_("Price"), ("input", "cached_input", "output", "reasoning")),
    )

    model_pattern = forms.CharField(
        label=_("Model"),
        max_length=120,
        initial="*",
        help_text=_("The name of a model, or its beginning and *. The most exact one counts."),
        widget=forms.TextInput(attrs={"dir": "ltr", "spellcheck": "false"}),
    )
    input = forms.DecimalField(label=_("Prompt, per million tokens"), max_digits=14, decimal_places=6)
    cached_input = forms.DecimalField(
        label=_("Cached prompt, per million tokens"),
        max_digits=14,
        decimal_places=6,
        required=False,
        help_text=_("Blank: as the prompt."),
    )
    output = forms.DecimalField(label=_("Answer, per million tokens"), max_digits=14, decimal_places=6)
    reasoning = forms.DecimalField(
        label=_("Reasoning, per million tokens"),
        max_digits=14,
        decimal_places=6,
        required=False,
        help_text=_("Part of the answer that is not shown. Blank: as the answer."),
    )

    def values(self) -> dict[str, Any]:
        """With what blank stands for."""
        values = super().values()
        values["model_pattern"] = values["model_pattern"].strip()
        if values["cached_input"] is None:
            values["cached_input"] = values["input"]
        return {**values, "batch_factor": Decimal(1)}


class AbilitiesForm(VersionedForm):
    """For each ability: as it was found, yes, or no."""

    def __init__(self, *args: Any, engine: AIEngine, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = []
        for ability in abilities_of(engine):
            found, label = found_text(ability.found), str(ability.label)
            if ability.name in WHOLE:
                self.fields[ability.name] = WholeNumberField(
                    label=label,
                    required=False,
                    min_value=64,
                    max_value=4_000_000,
                    help_text=_("Found: %(found)s. Blank: as found.") % {"found": found},
                )
                self.initial.setdefault(ability.name, ability.set)
            else:
                choices = [("", _("As found (%(found)s)") % {"found": found}), ("yes", _("Yes")), ("no", _("No"))]
                self.fields[ability.name] = forms.ChoiceField(label=label, choices=choices, required=False)
                self.initial.setdefault(ability.name, {None: "", True: "yes", False: "no"}[ability.set])
            names.append(ability.name)
        self.sections = [("", names)]

    def overrides(self) -> dict[str, Any]:
        """What is set by hand."""
        words = {"yes": True, "no": False}
        cleaned = {name: self.cleaned_data[name] for name in self.sections[0][1]}
        return {name: value if name in WHOLE else words.get(value) for name, value in cleaned.items()}


class DefaultForm(forms.Form):
    """The engine of a tenant, or of all that have none of their own."""

    tenant = forms.ModelChoiceField(
        label=_("Tenant"),
        queryset=Tenant.objects.none(),
        required=False,
        empty_label=_("The system: all tenants without a default of their own"),
    )
    engine = forms.ModelChoiceField(
        label=_("AI engine"),
        queryset=AIEngine.objects.order_by("name"),
        help_text=_("It answers where neither the task nor the job names one. The tenant must be allowed to use it."),
    )

    def __init__(self, *args: Any, editor: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["tenant"]
        field.queryset = tenants_to_offer(editor, self.initial.get("tenant"))

    def groups(self) -> list[dict[str, Any]]:
        """All in one."""
        return [{"label": "", "fields": [self["tenant"], self["engine"]], "folded": False, "open": False}]


def found_text(value: Any) -> str:
    """What was found out, in a word."""
    if value is None:
        return str(_("not tried yet"))
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    return f"{value:,}"
