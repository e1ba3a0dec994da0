"""The import page: choose a file, see what each line would do, send it again to apply."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.policy import viewer
from core.errors import Conflict, InvalidInput
from core.exports import csv_response
from licensing.models import Bundle
from licensing.people.details import InTenant
from licensing.people.imports.planning import CHANGE, CREATE, ERROR, MAX_PASSWORDS, Plan, make_plan, seat_effects
from licensing.people.imports.reading import COLUMNS, MAX_BYTES, MAX_LINES, Sheet, read_sheet
from licensing.people.imports.services import apply_import

SHOWN = 200
LABELS = {
    CREATE: gettext_lazy("Create"),
    CHANGE: gettext_lazy("Change"),
    "unchanged": gettext_lazy("Unchanged"),
    ERROR: gettext_lazy("Error"),
}


class ImportForm(forms.Form):
    """The file and what to do with it. ``expected`` names the file that was checked."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        max_length=200,
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )
    invite = forms.BooleanField(
        label=gettext_lazy("Make passwords for new users without one"),
        required=False,
        help_text=gettext_lazy("They are in the result file, shown this once. Without it these users sign in by SSO."),
    )
    good_only = forms.BooleanField(
        label=gettext_lazy("Apply the good lines, leave out those with errors"), required=False
    )
    expected = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)


class UserImport(InTenant):
    """Dry run first; the file is not kept, so that no password lies about: for applying it is sent again."""

    title = gettext_lazy("Import Users")
    form_class = ImportForm
    template_name = "licensing/users_import.html"

    def more_context(self, form: Any) -> dict[str, Any]:
        """The rules of the file."""
        return {
            "of_tenant": self.tenant,
            "columns": COLUMNS,
            "licence_codes": Bundle.values,
            "max_lines": f"{MAX_LINES:,}",
            "max_mb": MAX_BYTES // 1024**2,
            "max_passwords": MAX_PASSWORDS,
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Check, or apply what was checked."""
        form = ImportForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.show_form(form, status=422)
        file = form.cleaned_data["file"]
        try:
            if file.size > MAX_BYTES:
                limit = {"limit": MAX_BYTES // 1024**2}
                form.add_error("file", _("The file is too large: at most %(limit)s MB.") % limit)
                return self.show_form(form, status=413)
            sheet = read_sheet(file.file, file.size)
            if request.POST.get("do") == "apply":
                return self.apply(form, sheet)
            return self.dry_run(form, sheet)
        except InvalidInput as error:
            form.add_error("file", error.message)
            return self.show_form(form, status=422)
        except Conflict as error:
            form.add_error(None, error.message)
            return self.show_form(form, status=409)

    def dry_run(self, form: ImportForm, sheet: Sheet) -> HttpResponseBase:
        """What each line would do; errors first, or all lines as a file."""
        plan = make_plan(sheet, tenant=self.tenant, editor=viewer(self.request), invite=form.cleaned_data["invite"])
        if self.request.POST.get("do") == "check_csv":
            return result_file(plan, {})
        steps = [*plan.of(ERROR), *plan.of(CREATE), *plan.of(CHANGE)]
        initial = {**form.cleaned_data, "expected": sheet.digest}
        again = ImportForm(initial=initial)
        context = self.context(
            form=again,
            cancel_url=self.cancel_url,
            plan=plan,
            counts=[(LABELS[what], number, what) for what, number in plan.counts.items()],
            steps=[(step, LABELS[step.what]) for step in steps[:SHOWN]],
            hidden_steps=max(len(steps) - SHOWN, 0),
            can_apply=bool(plan.counts[CREATE] + plan.counts[CHANGE]),
            errors=plan.counts[ERROR],
            effects=[effect for effect in seat_effects(plan, self.tenant) if effect.harmful],
            **self.more_context(again),
        )
        return self.show(context)

    def apply(self, form: ImportForm, sheet: Sheet) -> HttpResponseBase:
        """Only the file that was checked; passwords that were made come back as a file, once."""
        if form.cleaned_data["expected"] != sheet.digest:
            raise InvalidInput("file", _("This is not the file that was checked. Check it first."))
        done = apply_import(
            sheet=sheet,
            tenant=self.tenant,
            editor=viewer(self.request),
            invite=form.cleaned_data["invite"],
            good_only=form.cleaned_data["good_only"],
        )
        if done.passwords:
            return result_file(done.plan, done.passwords)
        counts = done.plan.counts
        text = _("Imported: %(create)s created, %(change)s changed, %(unchanged)s unchanged, %(error)s left out.")
        messages.success(self.request, text % counts)
        return redirect("licensing:users")


def result_file(plan: Plan, passwords: dict[int, str]) -> HttpResponseBase:
    """A line for each line: number, user name, what, why, and a password that was made."""
    header = ["line", "username", "result", "fields", "error", *(["password"] if passwords else [])]
    rows = (
        [
            step.line.number,
            step.line.username,
            step.what,
            ";".join(step.fields),
            step.problem,
            *([passwords.get(step.line.number, "")] if passwords else []),
        ]
        for step in plan.steps
    )
    return csv_response("user-import-result", header, rows)
