"""The page of the journal: the last calls of an engine, filtered in the address and as CSV."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import django_filters
import django_tables2 as tables
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.models import User
from accounts.permissions import Permission
from accounts.policy import viewer
from core.exports import csv_response
from core.outcomes import ErrorClass
from core.pages import ListPage, Text
from core.tables import NumberColumn, PageTable, TextColumn, TimeColumn, badge, link
from engines.pages import OfEngine
from jobs.models import Record
from jobs.selectors import reached
from transcription.journal.calls import ENDED, OK, Call
from transcription.journal.keeping import last_calls
from transcription.views import SpeechPages

VERB_LABELS: Mapping[str, Text] = {
    "open": pgettext_lazy("a call of an engine", "Open"),
    "submit": pgettext_lazy("a call of an engine", "Submit"),
    "poll": pgettext_lazy("a call of an engine", "Poll"),
    "fetch": pgettext_lazy("a call of an engine", "Fetch"),
    "find": pgettext_lazy("a call of an engine", "Find"),
    "cleanup": pgettext_lazy("a call of an engine", "Clean up"),
    "test": pgettext_lazy("a call of an engine", "Test"),
}
OUTCOME_LABELS: Mapping[str, Text] = {
    OK: gettext_lazy("OK"),
    **dict(ErrorClass.choices),
    ENDED: gettext_lazy("Ended by us: time over, or stopped"),
}


class Calls(list[Call]):
    """Calls with as much of a query set as lists and filters ask of their rows."""

    model = Call

    def all(self) -> "Calls":
        """All of them."""
        return self

    def none(self) -> "Calls":
        """None of them."""
        return Calls()


class CallFilter(django_filters.FilterSet):
    """What was asked, and what came of it."""

    verb = django_filters.ChoiceFilter(choices=list(VERB_LABELS.items()), label=gettext_lazy("Call"))
    outcome = django_filters.ChoiceFilter(
        choices=[*OUTCOME_LABELS.items(), ("error", gettext_lazy("Anything but OK"))], label=gettext_lazy("Outcome")
    )

    def filter_queryset(self, queryset: Any) -> Any:
        """The calls that fit: they are no rows of a table."""
        asked = self.form.cleaned_data
        verb, outcome = asked.get("verb"), asked.get("outcome")
        return Calls(
            call
            for call in queryset
            if (not verb or call.verb == verb)
            and (not outcome or call.outcome == outcome or (outcome == "error" and call.outcome != OK))
        )


class CallTable(PageTable):
    """When, what was asked, what came of it, how long it took, how much was sent, and for which record."""

    at = TimeColumn(verbose_name=gettext_lazy("Time"), seconds=True)
    verb = tables.Column(verbose_name=gettext_lazy("Call"))
    outcome = tables.Column(verbose_name=gettext_lazy("Outcome"))
    code = TextColumn(verbose_name=gettext_lazy("Code"), ltr=True)
    ms = NumberColumn(verbose_name=gettext_lazy("Milliseconds"))
    size = NumberColumn(verbose_name=gettext_lazy("Bytes"))
    record = tables.Column(verbose_name=gettext_lazy("Record"))

    class Meta(PageTable.Meta):
        order_by = "-at"

    def __init__(self, *args: Any, jobs: Mapping[int, int], **kwargs: Any) -> None:
        self.jobs = jobs
        super().__init__(*args, **kwargs)

    def render_verb(self, value: str) -> str:
        """In words."""
        return str(VERB_LABELS.get(value, value))

    def value_verb(self, value: str) -> str:
        """As in the address."""
        return value

    def render_outcome(self, value: str) -> str:
        """A badge."""
        look = {OK: "ok", ENDED: "info", ErrorClass.RATE: "info"}.get(value, "error")
        return badge(look, str(OUTCOME_LABELS.get(value, value)))

    def value_outcome(self, value: str) -> str:
        """As in the address."""
        return value

    def render_ms(self, value: int) -> str:
        """With separators."""
        return f"{value:,}"

    def value_ms(self, value: int) -> int:
        """Digits alone."""
        return value

    def render_size(self, value: int) -> str:
        """With separators."""
        return f"{value:,}"

    def value_size(self, value: int) -> int:
        """Digits alone."""
        return value

    def render_record(self, value: int) -> str:
        """To the record, for those who may see it."""
        job = self.jobs.get(value)
        text = str(value)
        return link(reverse("jobs:record", args=[job, value]), text) if job else text

    def value_record(self, value: int) -> int:
        """Its key."""
        return value


class Journal(SpeechPages, OfEngine, ListPage):
    """The last calls of an engine."""

    title = gettext_lazy("Calls")
    table_class = CallTable
    filterset_class = CallFilter
    live = True

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Read them once."""
        super().setup(request, *args, **kwargs)
        found = last_calls(self.engine.pk)
        self.away, self.calls = found is None, Calls(found or ())

    def get_queryset(self) -> Any:
        """The newest first."""
        return self.calls

    def table_arguments(self) -> dict[str, Any]:
        """The jobs of the records that the viewer may see."""
        return {"jobs": jobs_of(viewer(self.request), self.calls)}

    def empty(self) -> dict[str, Any]:
        """Nothing was asked, or nobody can say."""
        if self.away:
            return {"icon": "alert-circle", "title": _("The journal cannot be read now"), "text": _("Try again later.")}
        return {"icon": "list-details", "title": _("No call yet"), "text": _("Calls are kept for a week, at most 200.")}

    def shown(self, table: PageTable) -> Iterator[Any]:
        """The cells: calls have no keys of their own."""
        for row in table.paginated_rows:
            yield from (cell for _column, cell in row.items())

    def export(self, rows: Any) -> HttpResponseBase:
        """All that match."""
        table = self.make_table(rows)
        return csv_response(str(self.get_title()), table.header(), table.export())


def jobs_of(user: User, calls: Iterable[Call]) -> dict[int, int]:
    """The job of each record in ``calls`` that ``user`` may look at; one query at most."""
    records = {call.record for call in calls if call.record is not None}
    if not records or not user.has(Permission.JOBS_VIEW):
        return {}
    return dict(Record.objects.filter(reached(user), pk__in=records).values_list("pk", "job_id"))
