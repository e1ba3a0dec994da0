"""Forms of alert rules; rules over several fields are the services'."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from alerts.models import AlertRule, Measure
from core.forms import EnableField, VersionedForm, WholeNumberField
from jobs.models import JobDefinition
from tenants.models import Tenant
from transcription.models import SpeechEngine


class RecipientsField(forms.CharField):
    """Addresses, one a line or with commas; each is checked and the wrong one is named."""

    widget = forms.Textarea(attrs={"rows": 3, "dir": "ltr", "spellcheck": "false", "autocapitalize": "none"})

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        """The addresses in order, each once."""
        if isinstance(value, list):
            return value
        found = dict.fromkeys(part.strip() for part in str(value or "").replace(",", "\n").splitlines() if part.strip())
        for address in found:
            try:
                validate_email(address)
            except ValidationError:
                raise ValidationError(_("“%(address)s” is no e-mail address.") % {"address": address}) from None
        return list(found)

    def prepare_value(self, value: Any) -> Any:
        """One a line."""
        return "\n".join(value) if isinstance(value, list) else value


class RuleForm(VersionedForm):
    """What is watched, from when on it is wrong, whose it is, who is told."""

    name = forms.CharField(label=_("Name"), max_length=120)
    enabled = EnableField()
    measure = forms.ChoiceField(label=_("Watches"), choices=Measure.choices)
    threshold = forms.FloatField(
        label=_("Threshold"),
        min_value=0,
        help_text=_("In the unit that stands behind what is watched. For an engine any number will do."),
    )
    minutes = WholeNumberField(
        label=_("For so many minutes"),
        min_value=0,
        initial=5,
        help_text=_("It must be wrong for so long before the rule fires; 0 fires at the next look, within a minute."),
    )
    tenant = forms.ModelChoiceField(
        label=_("Tenant"), queryset=Tenant.objects.order_by("name"), required=False, empty_label=_("All")
    )
    job = forms.ModelChoiceField(
        label=_("Job"), queryset=JobDefinition.objects.order_by("name"), required=False, empty_label=_("All")
    )
    engine = forms.ModelChoiceField(
        label=_("Engine"), queryset=SpeechEngine.objects.order_by("name"), required=False, empty_label=_("All")
    )
    recipients = RecipientsField(
        label=_("E-mail to"),
        required=False,
        help_text=_("One address a line. Without any, the rule shows on pages only."),
    )
    sections = [
        ("", ["name", "enabled"]),
        (_("When it fires"), ["measure", "threshold", "minutes"]),
        (_("Scope"), ["tenant", "job", "engine"]),
        (_("Who is told"), ["recipients"]),
    ]

    def __init__(self, *args: Any, rule: AlertRule | None = None, **kwargs: Any) -> None:
        self.rule = rule
        super().__init__(*args, **kwargs)

    def clean_name(self) -> str:
        """Names are unique, whatever their case."""
        name: str = self.cleaned_data["name"]
        same = AlertRule.objects.filter(name__iexact=name)
        if self.rule is not None:
            same = same.exclude(pk=self.rule.pk)
        if same.exists():
            raise ValidationError(_("There is a rule with this name."))
        return name


class SnoozeForm(forms.Form):
    """For how long nobody is told."""

    hours = WholeNumberField(
        label=_("Hours"), min_value=0, initial=8, help_text=_("0 ends the snooze. Firings are recorded meanwhile.")
    )
