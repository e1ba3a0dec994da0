"""The form of an AI engine."""

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from aiassistant.family import AI
from aiassistant.models import Visibility
from engines.forms import EngineForm
from tenants.forms import TenantsField
from tenants.models import Tenant
from tenants.selectors import tenants_to_offer


class AIEngineForm(EngineForm):
    """With the tenants that may use it."""

    family = AI
    head = [*EngineForm.head, "tenants"]

    visibility = forms.ChoiceField(label=_("Visibility"), choices=Visibility.choices, initial=Visibility.GLOBAL)
    tenants = TenantsField(
        label=_("Chosen tenants"),
        queryset=Tenant.objects.none(),
        required=False,
        help_text=_("Only for the visibility “Chosen tenants”."),
    )

    def __init__(self, *args: Any, editor: Any, engine: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, editor=editor, engine=engine, **kwargs)
        field: Any = self.fields["tenants"]
        stored = [] if engine is None else list(engine.tenants.values_list("pk", flat=True))
        # A tenant that the editor does not see is kept, or each change would take the engine away from it.
        open_to_editor = tenants_to_offer(editor).values("pk")
        field.queryset = Tenant.objects.filter(Q(pk__in=open_to_editor) | Q(pk__in=stored)).order_by("name")
        self.initial["tenants"] = stored
