"""The form of the tab Service Limits."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.forms import VersionedForm, WholeNumberField
from licensing.limits_pages.services import FIELDS, LIMITS
from licensing.models import MAX_MINUTES, Entitlement


class MinutesField(WholeNumberField):
    """Whole minutes; blank is unlimited, zero allows nothing."""

    def __init__(self, **kwargs: Any) -> None:
        words = {
            "invalid": _("Use whole minutes in digits. Leave the field blank for no limit."),
            "min_value": _("A limit cannot be negative."),
            "max_value": _("A limit is at most %(limit_value)s minutes. Leave the field blank for no limit."),
        }
        super().__init__(
            min_value=0,
            max_value=MAX_MINUTES,
            required=False,
            error_messages=words,
            # A text field: a browser hides what it cannot read as a number, and so the reason of the refusal.
            widget=forms.TextInput(
                attrs={"dir": "ltr", "inputmode": "numeric", "autocomplete": "off", "placeholder": _("unlimited")}
            ),
            **kwargs,
        )


class LimitsForm(VersionedForm):
    """The four limits under the guide's names (domain L2), and how they are applied."""

    user_month = MinutesField(
        label=_("Transcription (minutes/user) per month"),
        help_text=_(
            "Usual: 1,000–1,500 for a business user, 5,000–6,000 for an agent of a contact centre. Blank is unlimited."
        ),
    )
    user_lifetime = MinutesField(
        label=_("Transcription (minutes/user) lifetime"),
        help_text=_("Never resets; only a raise lets more through. A monthly limit is advised. Blank is unlimited."),
    )
    org_month = MinutesField(
        label=_("Transcription (minutes/org) per month"),
        help_text=_("Caps the pool of all users. Blank is unlimited."),
    )
    org_lifetime = MinutesField(
        label=_("Transcription (minutes/org) lifetime"),
        help_text=_("Never resets. Blank is unlimited."),
    )
    policy = forms.ChoiceField(label=_("When a limit is reached"), choices=Entitlement.Policy, widget=forms.RadioSelect)
    per_user = forms.ChoiceField(label=_("Limits per user"), choices=Entitlement.PerUser, widget=forms.RadioSelect)
    month_zone = forms.ChoiceField(
        label=_("Months begin in"),
        choices=Entitlement.MonthZone,
        widget=forms.RadioSelect,
        help_text=_("A month that has begun keeps its zone; a change counts from the next month on."),
    )
    sections = [
        (_("Transcription (minutes/user)"), ["user_month", "user_lifetime"]),
        (_("Transcription (minutes/org)"), ["org_month", "org_lifetime"]),
        (_("How limits are applied"), ["policy", "per_user", "month_zone"]),
    ]

    def values(self) -> dict[str, Any]:
        """What the service stores."""
        return {name: self.cleaned_data[name] for name in FIELDS}

    def tried(self, stored: Entitlement) -> Entitlement | None:
        """Limits as typed, for the figures; those of ``stored`` while nothing was typed, None while something is wrong."""
        if not self.is_bound:
            return stored
        if any(name in self.errors for name in (*LIMITS, "per_user")):
            return None
        values = {name: self.cleaned_data[name] for name in (*LIMITS, "per_user")}
        return Entitlement(tenant_id=stored.tenant_id, **values)
