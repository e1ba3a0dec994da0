"""The forms of signing in."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.devices import known_device
from accounts.models import User
from accounts.passwords import MAX_LENGTH
from accounts.signin.services import check_password

NAMES = {"autocapitalize": "none", "spellcheck": "false"}


def password_field(label: Any, autocomplete: str = "current-password", **more: Any) -> forms.CharField:
    """A password: compared exactly, so nothing is stripped; at most 1,000 characters, no NUL (hostile 3B7)."""
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, max_length=MAX_LENGTH, strip=False, widget=widget, **more)


class SignInForm(forms.Form):
    """Organisation, user name, password. Refuses with one sentence whatever was wrong."""

    organisation = forms.CharField(
        label=_("Organisation"),
        max_length=40,
        help_text=_("The short name of your organisation."),
        widget=forms.TextInput(attrs={"autocomplete": "organization", **NAMES}),
    )
    username = forms.CharField(
        label=_("User name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "username", **NAMES})
    )
    password = password_field(_("Password"))

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        self.request = request
        self.user: User | None = None
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        """Check once all fields are there; TooManyAttempts passes through."""
        cleaned = super().clean() or {}
        if {"organisation", "username", "password"} <= cleaned.keys():
            self.user = check_password(**cleaned, device=lambda account: known_device(self.request, account))
            if self.user is None:
                raise forms.ValidationError(
                    _("Organisation, user name or password is not right."), code="invalid_sign_in"
                )
        return cleaned


class CodeForm(forms.Form):
    """A code of the authenticator app, or a recovery code; pasting with spaces and dashes is fine."""

    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        help_text=_("The six digits of your authenticator app, or one of your recovery codes."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True, **NAMES}),
    )


class ConfirmForm(forms.Form):
    """The password again."""

    current = password_field(_("Password"))
