"""The sign-in form."""

from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.services import record_failed_sign_in


class SignInForm(forms.Form):
    """Organisation, user name, password. Refuses with one sentence whatever was wrong."""

    organisation = forms.CharField(
        label=_("Organisation"),
        max_length=40,
        help_text=_("The short name of your organisation."),
        widget=forms.TextInput(attrs={"autocomplete": "organization", "autocapitalize": "none", "spellcheck": "false"}),
    )
    username = forms.CharField(
        label=_("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        self.request = request
        self.user: User | None = None
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        """Authenticate once all fields are there."""
        cleaned = super().clean() or {}
        if {"organisation", "username", "password"} <= cleaned.keys():
            user = authenticate(self.request, **cleaned)
            if not isinstance(user, User):
                record_failed_sign_in(organisation=cleaned["organisation"], username=cleaned["username"])
                raise forms.ValidationError(
                    _("Organisation, user name or password is not right."), code="invalid_sign_in"
                )
            self.user = user
        return cleaned
