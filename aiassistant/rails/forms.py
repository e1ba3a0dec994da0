"""Forms of budgets and rates; rules over several fields are the services'."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from aiassistant.library.models import AITask
from aiassistant.models import AIEngine
from aiassistant.rails.models import Budget
from core.forms import EnableField, VersionedForm, WholeNumberField
from core.money import MICRO
from tenants.models import Tenant
from tenants.selectors import tenants_to_offer, visible_tenants

AMOUNTS = ("soft", "hard")


class BudgetForm(VersionedForm):
    """Whose spending is counted, in what, and from where on it warns and stops."""

    name = forms.CharField(label=_("Name"), max_length=120)
    enabled = EnableField()
    tenant = forms.ModelChoiceField(
        label=_("Tenant"),
        queryset=Tenant.objects.none(),
        required=False,
        empty_label=_("All tenants together"),
        help_text=_("Months begin in the time zone of the tenant; those of all tenants together in UTC."),
    )
    task = forms.ModelChoiceField(
        label=_("Task"), queryset=AITask.objects.none(), required=False, empty_label=_("All tasks together")
    )
    engine = forms.ModelChoiceField(
        label=_("Engine"), queryset=AIEngine.objects.none(), required=False, empty_label=_("All engines together")
    )
    currency = forms.CharField(
        label=_("Currency"),
        max_length=3,
        required=False,
        help_text=_("As in the prices of engines, such as EUR. Empty: the budget counts tokens."),
        widget=forms.TextInput(attrs={"dir": "ltr", "autocapitalize": "characters"}),
    )
    soft = forms.DecimalField(
        label=_("Warn at"), required=False, max_digits=15, decimal_places=6, help_text=_("A month. Raises an alert.")
    )
    hard = forms.DecimalField(
        label=_("Stop at"),
        required=False,
        max_digits=15,
        decimal_places=6,
        help_text=_("A month. Executions are skipped, with the name of this budget as the reason."),
    )
    sections = [
        ("", ["name", "enabled"]),
        (_("What it counts"), ["tenant", "task", "engine", "currency"]),
        (_("How much in a month"), ["soft", "hard"]),
    ]

    def __init__(self, *args: Any, editor: User, budget: Budget | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = budget.tenant_id if budget is not None else None
        tenants = tenants_to_offer(editor, stored)
        present = AITask.objects.filter(archived_at=None).order_by("title", "pk")
        fields: dict[str, Any] = self.fields
        fields["tenant"].queryset = tenants
        fields["task"].queryset = present.filter(Q(tenant=None) | Q(tenant__in=visible_tenants(editor)))
        fields["engine"].queryset = AIEngine.objects.order_by("name")
        if not (editor.tenant.is_system and editor.everywhere):
            fields["tenant"].required, fields["tenant"].empty_label = True, None
            fields["tenant"].initial = editor.tenant_id

    def clean_currency(self) -> str:
        """In capital letters."""
        return str(self.cleaned_data["currency"]).strip().upper()

    def clean(self) -> dict[str, Any]:
        """Amounts as whole numbers: tokens, or micro-units of the currency."""
        cleaned = super().clean() or self.cleaned_data
        for name in AMOUNTS:
            amount: Decimal | None = cleaned.get(name)
            if amount is None:
                continue
            whole = amount * MICRO if cleaned.get("currency") else amount
            if whole != int(whole):
                self.add_error(name, ValidationError(_("Tokens are whole numbers.")))
            cleaned[name] = int(whole)
        return cleaned


def initial_of(budget: Budget) -> dict[str, Any]:
    """What the form shows of a stored budget."""
    values = {name: getattr(budget, name) for name in ("name", "enabled", "tenant", "task", "engine", "currency")}
    for name in AMOUNTS:
        amount = getattr(budget, name)
        values[name] = amount if amount is None or budget.in_tokens else (amount / MICRO).normalize().__format__("f")
    return {**values, "version": budget.version}


class RateForm(VersionedForm):
    """How many executions of a tenant may begin within a minute."""

    version = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    per_minute = WholeNumberField(
        label=_("Executions a minute"),
        required=False,
        help_text=_("Over all jobs of the AI Assistant; what is more waits. Empty: no limit."),
    )
    sections = [("", ["per_minute"])]
