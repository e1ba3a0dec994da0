"""The form of the backfill wizard: a job's form with days and bounds instead of source and schedule."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from core.filters import DayField
from core.forms import WholeNumberField
from jobs.forms import ADVISED, JobForm
from jobs.sweeps.backfills import FIXED
from jobs.sweeps.sources import MOST_PER_MINUTE

LEFT_OUT = (*FIXED, "start_at", "weekday", "month_day")


class BackfillForm(JobForm):
    """Which days of whose conversations, by which engine, how fast, how far."""

    first_day = DayField(label=_("From"))
    last_day = DayField(label=_("To"), help_text=_("In the time zone of each tenant; both days belong to it."))
    # Whoever repairs a gap does not want to pay again for what is there.
    advised = [*ADVISED, {"field": "call.transcription", "op": "is_not", "value": "completed"}]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in LEFT_OUT:
            self.fields.pop(name, None)
        self.fields["throttle"] = WholeNumberField(
            label=_("Throttle"),
            min_value=1,
            max_value=MOST_PER_MINUTE,
            initial=60,
            help_text=_("Records a minute that are handed to the engine."),
        )
        self.initial.setdefault("lag_target_s", 300)
        self.fields["time_zone"].help_text = _("Of the day that makes a run.")
        self.sections = [
            ("", ["name", "access_scope", "tenant", "tenant_groups"]),
            (str(_("Which conversations")), ["first_day", "last_day", *self.clause_names, "add_fact"]),
            (str(_("How they are processed")), self.setting_names),
            (str(_("How fast, how far")), ["throttle", "budget_minutes", "lag_target_s"]),
            (str(_("After success")), ["clear_tag", "assign_tag", "publish_to"]),
        ]
        self.advanced = ["time_zone", *JobForm.advanced, "ended_records"]

    def clean(self) -> dict[str, Any]:
        """The first day comes first."""
        cleaned = super().clean()
        first, last = cleaned.get("first_day"), cleaned.get("last_day")
        if first is not None and last is not None and first > last:
            self.add_error("last_day", _("The last day comes before the first."))
        return cleaned

    def values(self) -> dict[str, Any]:
        """As those of a job; the days become a clause of the filtering criteria."""
        self.cleaned_data |= FIXED | {"start_at": None, "weekday": "", "month_day": ""}
        values = super().values()
        days = [self.cleaned_data[name].isoformat() for name in ("first_day", "last_day")]
        clause = {"field": self.kind.start_day_field, "op": "between", "value": days}
        return {**values, "filters": [clause, *values["filters"]]}
