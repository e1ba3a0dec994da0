"""Which conversations a draft is tried on."""

import re
import uuid
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from aiassistant.library.models import AITask
from aiassistant.playground.reach import tenants_to_try
from aiassistant.playground.services import MOST
from core.forms import WholeNumberField
from tenants.models import Tenant

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
MAX_TEXT = 10_000


class IdsField(forms.CharField):
    """Ids of conversations, or the addresses of their pages, one a line."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 3, "dir": "ltr", "spellcheck": "false", "class": "p-mono"})
        super().__init__(**{"required": False, "max_length": MAX_TEXT, "widget": widget, **kwargs})

    def clean(self, value: Any) -> list[uuid.UUID]:
        """The ids; a line without one is named."""
        found = []
        for line in str(super().clean(value)).split():
            match = ID.search(line)
            if match is None:
                raise ValidationError(_("“%(line)s” names no conversation."), params={"line": line[:60]})
            found.append(uuid.UUID(match[0]))
        return found


class TrialForm(forms.Form):
    """Whose conversations, and which. In the editor; ``numbers`` adds the stored versions to choose from."""

    aliases = {"newest": "try_newest", "conversations": "try_conversations"}

    try_version = forms.TypedChoiceField(label=_("Version"), coerce=int)
    try_tenant = forms.ModelChoiceField(label=_("Tenant"), queryset=Tenant.objects.none(), empty_label=None)
    try_newest = WholeNumberField(
        label=_("Newest conversations that pass the filters"),
        min_value=1,
        max_value=MOST,
        required=False,
        initial=5,
        help_text=_("1 to 20."),
    )
    try_conversations = IdsField(
        label=_("Or these conversations"),
        help_text=_("Ids or addresses of their pages, at most 20, one a line; the filters do not hold them back."),
    )

    def __init__(self, *args: Any, editor: User, task: AITask, numbers: list[int] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        # One query for the choices, for the only one of others, and for whether there is any.
        self.tenants = list(tenants_to_try(editor, task))
        fields["try_tenant"].queryset = tenants_to_try(editor, task)
        fields["try_tenant"].choices = [(tenant.pk, tenant.name) for tenant in self.tenants]
        if not editor.tenant.is_system:
            # There is only one; it is not asked for.
            del fields["try_tenant"]
        if numbers is None:
            del fields["try_version"]
        else:
            fields["try_version"].choices = [(number, str(number)) for number in numbers]

    def tenant(self) -> Tenant:
        """The chosen one, or the only one."""
        return self.cleaned_data.get("try_tenant") or self.tenants[0]

    def selection(self) -> dict[str, Any]:
        """For the service."""
        return {"newest": self.cleaned_data["try_newest"], "wanted": self.cleaned_data["try_conversations"]}
