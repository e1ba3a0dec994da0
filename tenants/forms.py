"""Forms of tenants, tenant groups and allowed addresses; rules that hold everywhere are the services'."""

import zoneinfo
from functools import lru_cache
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from core.errors import InvalidInput
from core.forms import VersionedForm, WholeNumberField
from tenants.models import Tenant, TenantGroup
from tenants.selectors import groups_to_offer, tenants_to_offer
from tenants.services import GENERAL_FIELDS, RETENTION_FIELDS, check_slug

LTR = {"dir": "ltr", "spellcheck": "false"}
LANGUAGE_HELP = _(
    "Of the pages of its people. So far all texts are in English; another language changes direction, dates and numbers."
)


@lru_cache(maxsize=1)
def zone_choices() -> list[tuple[str, str]]:
    """The IANA zones by name; files that name no place are left out."""
    return [(name, name) for name in sorted(zoneinfo.available_timezones() - {"Factory", "localtime"})]


def language_choices() -> list[tuple[str, str]]:
    """The languages of the product."""
    return [(code, str(name)) for code, name in settings.LANGUAGES]


class AllowedAddressForm(forms.Form):
    """Network, port and a note; which networks may be listed is judged by the service."""

    cidr = forms.CharField(
        label=_("Network"),
        max_length=50,
        help_text=_("An address or network in CIDR form, for example 10.1.2.3/32."),
        widget=forms.TextInput(attrs=LTR),
    )
    port = WholeNumberField(label=_("Port"), min_value=1, max_value=65535)
    note = forms.CharField(label=_("Note"), max_length=200, required=False)


class ContactFields(forms.Form):
    """Whom to call."""

    contact_name = forms.CharField(label=_("Contact person"), max_length=120, required=False)
    contact_email = forms.EmailField(
        label=_("Email"), max_length=254, required=False, widget=forms.EmailInput(attrs=LTR)
    )
    contact_phone = forms.CharField(
        label=_("Phone"), max_length=40, required=False, widget=forms.TextInput(attrs={**LTR, "type": "tel"})
    )


class GroupsField(forms.ModelMultipleChoiceField):
    """Tenant groups as check boxes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{
                "queryset": TenantGroup.objects.order_by("name"),
                "label": _("Tenant groups"),
                "required": False,
                "widget": forms.CheckboxSelectMultiple,
                "help_text": _("Queues, jobs and people can be limited to groups of tenants."),
                **kwargs,
            }
        )


def offer_groups(form: forms.Form, groups: Any, *, required: bool = False) -> None:
    """Give the field of groups its choices, and say it when there are none."""
    field: Any = form.fields["groups_of_tenant"]
    field.queryset, field.required = groups, required
    if not groups.exists():
        field.help_text = _("There is no tenant group yet.")


class GeneralForm(VersionedForm, ContactFields):
    """The tab General. ``groups`` are those that the viewer may put tenants into."""

    name = forms.CharField(label=_("Name"), max_length=120)
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=zone_choices,
        help_text=_("Months of limits follow this zone. A change counts for limits from the next month on."),
    )
    language = forms.ChoiceField(label=_("Language"), choices=language_choices, help_text=LANGUAGE_HELP)
    groups_of_tenant = GroupsField()
    sections = [
        ("", ["name", "time_zone", "language"]),
        (_("Contact"), ["contact_name", "contact_email", "contact_phone"]),
        (_("Groups"), ["groups_of_tenant"]),
    ]

    def __init__(self, *args: Any, groups: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_groups(self, groups)

    def values(self) -> dict[str, Any]:
        """What the service stores."""
        return {field: self.cleaned_data[field] for field in GENERAL_FIELDS}


def initial_of(tenant: Tenant) -> dict[str, Any]:
    """The stored values as both tabs show them."""
    values = {field: getattr(tenant, field) for field in (*GENERAL_FIELDS, *RETENTION_FIELDS, "version")}
    return {**values, "groups_of_tenant": tenant.groups.all() if tenant.pk else []}


class RetentionForm(VersionedForm):
    """The tab Retention: days, blank is for ever."""

    call_days = WholeNumberField(
        label=_("Calls"),
        required=False,
        min_value=1,
        max_value=36_500,
        help_text=_("Days after which a call is removed with everything that belongs to it. Blank keeps it for ever."),
    )
    audio_days = WholeNumberField(
        label=_("Audio"),
        required=False,
        min_value=1,
        max_value=36_500,
        help_text=_("Days after which the audio of a call is removed. Blank keeps it as long as the call."),
    )
    transcript_days = WholeNumberField(
        label=_("Transcripts"),
        required=False,
        min_value=1,
        max_value=36_500,
        help_text=_("Days after which the transcript of a call is removed. Blank keeps it as long as the call."),
    )
    job_history_days = WholeNumberField(
        label=_("History of jobs"),
        min_value=1,
        max_value=3650,
        help_text=_("Days that processing records and logs are kept, 1 to 3650."),
    )
    sections = [("", ["call_days", "audio_days", "transcript_days"]), (_("Jobs"), ["job_history_days"])]

    def values(self) -> dict[str, Any]:
        """What the service stores."""
        return {field: self.cleaned_data[field] for field in RETENTION_FIELDS}


class OrganisationForm(forms.Form):
    """Step 1 of the wizard."""

    name = forms.CharField(label=_("Name"), max_length=120)
    slug = forms.CharField(
        label=_("Short name"),
        max_length=40,
        widget=forms.TextInput(attrs={**LTR, "autocapitalize": "none"}),
        help_text=_("People sign in with it. Lower-case letters, digits and single hyphens; it cannot be changed."),
    )
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=zone_choices, initial="UTC")
    language = forms.ChoiceField(
        label=_("Language"),
        choices=language_choices,
        initial=settings.LANGUAGE_CODE,
        help_text=LANGUAGE_HELP,
    )

    def clean_slug(self) -> str:
        """Whether it is free is told at once, not at the last step."""
        slug: str = self.cleaned_data["slug"]
        try:
            Tenant._meta.get_field("slug").run_validators(slug)  # type: ignore[union-attr]
            check_slug(slug)
        except InvalidInput as error:
            raise ValidationError(error.message) from error
        return slug


class ContactForm(ContactFields):
    """Step 2 of the wizard."""

    groups_of_tenant = GroupsField()

    def __init__(self, *args: Any, groups: Any, required: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_groups(self, groups, required=required)


class TenantField(forms.ModelChoiceField):
    """One tenant by name and short name; ``tenants_to_offer`` says which. A deleted one is marked."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"queryset": Tenant.objects.none(), "label": _("Tenant"), "required": False, **kwargs})

    def label_from_instance(self, obj: Any) -> str:
        """The name and what tells it from others of that name."""
        return str(obj.choice_label)


class TenantsField(forms.ModelMultipleChoiceField):
    """Tenants as check boxes, by name and short name."""

    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, obj: Any) -> str:
        """The name and what tells it from others of that name."""
        return str(obj.choice_label)


class GroupForm(VersionedForm):
    """A tenant group: name and members."""

    name = forms.CharField(label=_("Name"), max_length=120)
    tenants = TenantsField(label=_("Tenants"), queryset=Tenant.objects.none(), required=False)
    sections = [("", ["name"]), (_("Members"), ["tenants"])]

    def __init__(self, *args: Any, tenants: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenants"].queryset = tenants  # type: ignore[attr-defined]


class ScopeFields(forms.Form):
    """Fields Tenant and Tenant groups beside the choice of a scope, whose field a form names in ``scope_field``."""

    tenant = TenantField(help_text=_("Only for the scope “One tenant”."))
    tenant_groups = GroupsField(help_text=_("Only for the scope “Tenant groups”."))
    scope_field = "scope"

    def offer_scope(self, editor: Any, stored: Any) -> None:
        """Give both fields their choices; ``stored`` is the object that is edited, or None."""
        groups = stored.tenant_groups.order_by().values("pk") if stored is not None else ()
        choices: Any = self.fields
        choices["tenant"].queryset = tenants_to_offer(editor, stored.tenant_id if stored is not None else None)
        choices["tenant_groups"].queryset = groups_to_offer(editor, groups)

    def tenant_of_scope(self) -> Tenant | None:
        """The tenant, kept only by the scope that needs it."""
        tenant: Tenant | None = self.cleaned_data["tenant"]
        return tenant if self.cleaned_data[self.scope_field] == "one_tenant" else None

    def groups_of_scope(self) -> list[TenantGroup]:
        """The tenant groups, kept only by the scope that needs them."""
        chosen = self.cleaned_data[self.scope_field] == "tenant_groups"
        return list(self.cleaned_data["tenant_groups"]) if chosen else []


class ReasonForm(forms.Form):
    """Why: shown to others and kept in the audit trail."""

    reason = forms.CharField(
        label=_("Reason"), max_length=200, help_text=_("Kept in the audit trail; at most 200 characters.")
    )
