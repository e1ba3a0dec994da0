"""The forms of the profile."""

import zoneinfo
from typing import Any

from django import forms
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.signin.forms import NAMES, password_field
from core.forms import VersionedForm


class ProfileForm(VersionedForm):
    """Name, time zone and language of the viewer."""

    full_name = forms.CharField(label=gettext_lazy("Full name"), max_length=150, required=False)
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), required=False)
    language = forms.ChoiceField(label=gettext_lazy("Language"), required=False)
    sections: list[tuple[str | Promise, list[str]]] = [("", ["full_name", "time_zone", "language"])]

    def __init__(self, *args: Any, tenant_zone: str = "UTC", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = sorted(zoneinfo.available_timezones())
        inherited = _("As the organisation: %(zone)s") % {"zone": tenant_zone}
        self.fields["time_zone"].choices = [("", inherited), *((zone, zone) for zone in zones)]  # type: ignore[attr-defined]
        languages = [("", _("As the browser asks")), *settings.LANGUAGES]
        self.fields["language"].choices = languages  # type: ignore[attr-defined]


class PasswordForm(forms.Form):
    """The password one has and the one one wants, twice."""

    current = password_field(gettext_lazy("Current password"))
    new = password_field(
        gettext_lazy("New password"),
        "new-password",
        help_text=gettext_lazy(
            "At least 15 characters; spaces and any signs are fine. A sentence is easy to remember."
        ),
    )
    repeat = password_field(gettext_lazy("New password again"), "new-password")

    def clean(self) -> dict[str, Any]:
        """Both new ones must be the same."""
        cleaned = super().clean() or {}
        if "new" in cleaned and "repeat" in cleaned and cleaned["new"] != cleaned["repeat"]:
            self.add_error("repeat", _("This is not the same as the new password."))
        return cleaned


class FirstCodeForm(forms.Form):
    """The first code of a new authenticator app."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=10,
        help_text=gettext_lazy("The six digits that the app shows now."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", **NAMES}),
    )


class PasskeyForm(forms.Form):
    """A passkey's name, and what the browser answered."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=80,
        help_text=gettext_lazy("So that you know it again, for example “Laptop”."),
    )
    credential = forms.CharField(max_length=20_000, required=False, widget=forms.HiddenInput)
