"""The part of the job form that asks for the policy: three folded groups."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from core.errors import InvalidInput
from core.forms import WholeNumberField
from jobs.models import Priority
from jobs.policy.rules import (
    LEAST_FACTOR,
    MOST_CALLS,
    MOST_CONVERSATION_MIN,
    MOST_FACTOR,
    MOST_PAUSE_S,
    MOST_REQUEST_S,
    weights_from,
    weights_text,
)
from jobs.sweeps.sources import MOST_PER_MINUTE

LOAD = ["priority", "concurrency", "rate", "batch_size"]
TENANTS = ["tenant_rate", "tenant_weights"]
PATIENCE = [
    "max_attempts",
    "retry_base_s",
    "retry_factor",
    "retry_max_s",
    "max_checks",
    "request_timeout_s",
    "conversation_timeout_min",
]


class WeightsField(forms.CharField):
    """Weights of tenants, one ``tenant = weight`` a line; its value is a dictionary by short name."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        """What is stored, as lines; what was typed, as it is."""
        return weights_text(value) if isinstance(value, dict) else value

    def clean(self, value: Any) -> Any:
        """The weights; which tenants there are is the service's to know."""
        try:
            return weights_from(super().clean(value))
        except InvalidInput as error:
            raise ValidationError(error.message) from None


class PolicyFields(forms.Form):
    """Blank fields have their defaults, or leave it to the engine; the help texts say which."""

    priority = forms.TypedChoiceField(
        label=_("Priority"),
        choices=Priority.choices,
        coerce=int,
        empty_value=None,
        initial=Priority.NORMAL,
        required=False,
        help_text=_(
            "Passes of a higher priority start first, and get three times the share of an engine that several jobs use."
        ),
    )
    concurrency = WholeNumberField(
        label=_("Calls at once"),
        min_value=1,
        max_value=MOST_CALLS,
        required=False,
        help_text=_("To the engine, over all workers. Blank: as many as the engine allows all its jobs together."),
    )
    rate = WholeNumberField(
        label=_("Rate of the job"),
        min_value=1,
        max_value=MOST_PER_MINUTE,
        required=False,
        help_text=_("New records within any minute, over all workers. Blank is without limit."),
    )
    tenant_rate = WholeNumberField(
        label=_("Rate of a tenant"),
        min_value=1,
        max_value=MOST_PER_MINUTE,
        required=False,
        help_text=_("New records of one tenant within any minute. Blank is without limit."),
    )
    tenant_weights = WeightsField(
        label=_("Weights of tenants"),
        required=False,
        max_length=60_000,
        widget=forms.Textarea(attrs={"rows": "3", "dir": "ltr", "spellcheck": "false", "placeholder": "acme = 3"}),
        help_text=_(
            "A line for each tenant: short name = weight, 1 to 100. A tenant of weight 3 gets three records while others "
            "get one. Who is not named has weight 1."
        ),
    )
    retry_base_s = WholeNumberField(
        label=_("First pause after an error"),
        min_value=1,
        max_value=MOST_PAUSE_S,
        initial=2,
        required=False,
        help_text=_("Seconds. An engine that says how long to wait is obeyed instead, up to an hour."),
    )
    retry_factor = forms.FloatField(
        label=_("Growth of the pause"),
        min_value=LEAST_FACTOR,
        max_value=MOST_FACTOR,
        initial=2.0,
        required=False,
        help_text=_("Each further pause is so many times as long, 1 to 10."),
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    retry_max_s = WholeNumberField(
        label=_("Longest pause"),
        min_value=1,
        max_value=MOST_PAUSE_S,
        initial=900,
        required=False,
        help_text=_("Seconds, up to a day."),
    )
    request_timeout_s = WholeNumberField(
        label=_("Timeout of a request"),
        min_value=1,
        max_value=MOST_REQUEST_S,
        required=False,
        help_text=_("Seconds for an upload or a check with its result. Blank: the timeout of the engine."),
    )
    conversation_timeout_min = WholeNumberField(
        label=_("Timeout of a conversation"),
        min_value=1,
        max_value=MOST_CONVERSATION_MIN,
        required=False,
        help_text=_("Minutes from the first upload to the result; then the record fails. Blank is without limit."),
    )
