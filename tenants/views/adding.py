"""The wizard that adds a tenant: three forms in a row, nothing stored before the last one.

What was entered travels in a hidden field, signed and bound to the person, so that it works without scripts and leaves
nothing behind when somebody gives up half-way. Everything is checked again at the end.
"""

from typing import Any

from django import forms
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import Conflict, InvalidInput
from core.pages import Crumbs, Page
from tenants.forms import ContactForm, OrganisationForm
from tenants.pages import LIST, ROOT
from tenants.selectors import groups_open_to
from tenants.services import create_tenant

SALT = "tenants.add"
ONE_DAY = 24 * 3600
ORGANISATION, CONTACT, CHECK = 1, 2, 3


class AddTenant(Page):
    """Organisation, contact and groups, check and create."""

    title = gettext_lazy("Add Tenant")
    template_name = "tenants/add.html"

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return [*ROOT, (gettext_lazy("Tenants"), reverse(LIST))]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Step 1."""
        return self.step(ORGANISATION, self.form(ORGANISATION), {})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """One step forward, or back; a step that breaks a rule is shown again (422)."""
        number = {"2": CONTACT, "3": CHECK}.get(request.POST.get("step", ""), ORGANISATION)
        try:
            entered = self.entered() if number > ORGANISATION else {}
        except signing.BadSignature:
            form = self.filled(ORGANISATION, {})
            form.errors.clear()
            form.add_error(None, _("What was entered before is too old or was changed on the way. Please begin again."))
            return self.step(ORGANISATION, form, {}, status=422)
        if "back" in request.POST and number > ORGANISATION:
            return self.step(number - 1, self.filled(number - 1, entered), entered)
        if number == CHECK:
            return self.create(entered)
        form = self.form(number, request.POST)
        if not form.is_valid():
            return self.step(number, form, entered, status=422)
        entered |= {name: request.POST.getlist(name) for name in form.fields}
        return self.step(number + 1, self.form(number + 1), entered)

    def create(self, entered: dict[str, Any]) -> HttpResponseBase:
        """Check both forms once more and call the service; then watch it being provisioned."""
        organisation, contact = self.filled(ORGANISATION, entered), self.filled(CONTACT, entered)
        for number, form in ((ORGANISATION, organisation), (CONTACT, contact)):
            if not form.is_valid():
                return self.step(number, form, entered, status=422)
        values = dict(contact.cleaned_data)
        groups = list(values.pop("groups_of_tenant"))
        user: Any = self.request.user
        try:
            tenant = create_tenant(**organisation.cleaned_data, contact=values, groups=groups, actor=user.actor)
        except InvalidInput as error:
            at = ORGANISATION if error.field in organisation.fields else CONTACT
            form = organisation if at == ORGANISATION else contact
            form.add_error(error.field if error.field in form.fields else None, error.message)
            return self.step(at, form, entered, status=422)
        except Conflict as error:
            organisation.add_error(None, error.message)
            return self.step(ORGANISATION, organisation, entered, status=409)
        return redirect("tenants:provisioning", pk=tenant.pk)

    def form(self, number: int, data: Any = None) -> Any:
        """The form of a step, empty or filled; step 3 has only its button."""
        if number == CHECK:
            return forms.Form()
        if number == ORGANISATION:
            return OrganisationForm(data)
        user: Any = self.request.user
        limited = getattr(user, "scope", "system") != "system"
        # Staff of managed groups would not see a tenant that is in none of their groups.
        return ContactForm(data, groups=groups_open_to(user), required=limited)

    def filled(self, number: int, entered: dict[str, Any]) -> Any:
        """The form of a step with what was entered."""
        data = QueryDict(mutable=True)
        for name, values in entered.items():
            data.setlist(name, values)
        return self.form(number, data)

    def entered(self) -> dict[str, Any]:
        """What the steps before have brought. Raises BadSignature when it is missing, changed, foreign or old."""
        stored = signing.loads(self.request.POST.get("state", ""), salt=self.salt(), max_age=ONE_DAY)
        return dict(stored)

    def salt(self) -> str:
        """One person's state does not fit another one."""
        return f"{SALT}:{self.request.user.pk}"

    def step(self, number: int, form: Any, entered: dict[str, Any], status: int = 200) -> HttpResponse:
        """Show a step."""
        context = self.context(
            form=form,
            step=number,
            steps=[
                (ORGANISATION, _("Organisation")),
                (CONTACT, _("Contact and groups")),
                (CHECK, _("Check and create")),
            ],
            state=signing.dumps(entered, salt=self.salt(), compress=True) if entered else "",
            review=self.review(entered) if number == CHECK else [],
            cancel_url=reverse(LIST),
        )
        return self.show(context, status=status)

    def review(self, entered: dict[str, Any]) -> list[tuple[Any, str]]:
        """Every label with what was entered."""
        pairs = []
        for number in (ORGANISATION, CONTACT):
            form = self.filled(number, entered)
            form.is_valid()
            for name, field in form.fields.items():
                value = form.cleaned_data.get(name, "")
                if name == "groups_of_tenant":
                    value = ", ".join(group.name for group in value)
                pairs.append((field.label, dict(getattr(field, "choices", ())).get(value, value) if value else ""))
        return pairs
