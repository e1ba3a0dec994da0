"""Forms and pages with filtering criteria: a field a clause, and buttons that add and remove one without a script."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

from django import forms
from django.forms.utils import ErrorDict
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.utils.translation import gettext_lazy as _

from core.forms import VersionedForm
from core.pages import FormPage
from jobs.filters import MAX_CLAUSES, FilterField
from jobs.form_fields import ClauseField

ROW = re.compile(r"clause_(\d{1,3})_field\Z", re.ASCII)


def rows_of(data: Mapping[str, Any]) -> dict[int, str]:
    """The fact of each clause that a form posts, by the number of its row."""
    found = {int(match[1]): str(data[name]) for name in data if (match := ROW.match(name))}
    return dict(sorted(found.items())[: MAX_CLAUSES + 1])


def with_clause(data: QueryDict, fact: str) -> QueryDict:
    """What was posted with one more clause, not filled in yet."""
    changed = data.copy()
    changed[f"clause_{max(rows_of(data), default=-1) + 1}_field"] = fact
    return changed


def without_clause(data: QueryDict, row: str) -> QueryDict:
    """What was posted without the clause of the row."""
    changed = data.copy()
    for name in list(changed):
        if name.startswith(f"clause_{row}_"):
            del changed[name]
    return changed


class AddClauseWidget(forms.Select):
    """The facts to choose from, and the button that adds a clause on one of them."""

    template_name = "jobs/add_clause.html"


class ClausesForm(VersionedForm):
    """A form with filtering criteria; a service calls them "filters", the form has a field a clause."""

    clauses_help: Any = ""
    known_facts: Mapping[str, FilterField]
    clause_names: list[str]

    def add_clauses(self, known: Mapping[str, FilterField], stored: Sequence[Mapping[str, Any]]) -> None:
        """The clauses that were posted, else those that are ``stored``, on ``known`` facts; and the box that adds one."""
        rows: dict[int, tuple[Any, Any]] = {number: (clause, clause) for number, clause in enumerate(stored)}
        if self.is_bound:
            rows = {number: ({"field": fact}, None) for number, fact in rows_of(self.data).items()}
        self.known_facts, self.clause_names = known, []
        for number, (clause, initial) in rows.items():
            if clause["field"] in known:
                self.clause_names.append(f"clause_{number}")
                self.fields[f"clause_{number}"] = ClauseField(known[clause["field"]], initial=initial)
        self.fields["add_fact"] = forms.ChoiceField(
            label=_("Add a clause on"),
            choices=[(field.name, field.label) for field in known.values() if not field.problem],
            required=False,
            widget=AddClauseWidget,
            help_text=self.clauses_help,
        )
        self.aliases = {**self.aliases, "filters": self.clause_names[0] if self.clause_names else "add_fact"}

    def clean(self) -> dict[str, Any]:
        """A clause on a fact that nobody knows is named, not dropped."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for fact in rows_of(self.data).values():
            if fact not in self.known_facts:
                self.add_error("add_fact", _("There is no filter field “%(name)s”.") % {"name": fact[:60]})
        return cleaned

    def filters(self) -> list[Any]:
        """The clauses."""
        return [self.cleaned_data[name] for name in self.clause_names]

    def leave_unchecked(self, added: bool) -> Self:
        """Show what was typed without judging it yet: a clause was just ``added``, and gets the focus, or removed."""
        self._errors = ErrorDict()
        widget: Any = self.fields[self.clause_names[-1] if added and self.clause_names else "add_fact"].widget
        target = widget.widgets[0] if hasattr(widget, "widgets") else widget
        target.attrs |= {"autofocus": True, "data-focus": True}
        return self


class ClausesPage(FormPage):
    """A page of such a form: adding and removing a clause only shows the form again, with all that was typed."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Save, or show the form with a clause more or less."""
        again = self.moved()
        if again is None:
            return super().post(request, *args, **kwargs)
        form: Any = self.form_class(again, **self.form_arguments())
        return self.show_form(form.leave_unchecked("add_clause" in again))

    def moved(self) -> QueryDict | None:
        """What was posted with a clause more or less; None when something else was asked for."""
        posted = self.request.POST
        if "remove_clause" in posted:
            return without_clause(posted, posted["remove_clause"])
        if "add_clause" in posted:
            return with_clause(posted, posted.get("add_fact", ""))
        return None
