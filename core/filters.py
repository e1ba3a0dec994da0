"""Filters that several apps use."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _


def day_start(day: date) -> datetime:
    """Midnight at the begin of ``day`` in the viewer's zone."""
    return timezone.make_aware(datetime.combine(day, time.min))


class ReadOnce(django_filters.fields.ModelChoiceIterator):
    """Choices that are read once for their form, however often it goes through them: for the box and for its chip."""

    def __iter__(self) -> Iterator[Any]:
        """The empty choice, then the objects."""
        if self.field.empty_label is not None:
            yield ("", self.field.empty_label)
        for found in self.field.found():
            yield self.choice(found)

    def __len__(self) -> int:
        """Without asking again."""
        return len(self.field.found()) + (self.field.empty_label is not None)


class LabelledChoiceField(django_filters.fields.ModelChoiceField):
    """Choices by their ``choice_label``, for objects whose names may be shared."""

    iterator = ReadOnce

    def found(self) -> list[Any]:
        """The objects to choose from, as they were when this form first needed them."""
        if not hasattr(self, "_found"):
            self._found = list(self.queryset)
        return self._found

    def label_from_instance(self, obj: Any) -> str:
        """What tells the object from others of its name."""
        return str(obj.choice_label)


class LabelledChoiceFilter(django_filters.ModelChoiceFilter):
    """One object, chosen by its ``choice_label``."""

    field_class = LabelledChoiceField


class DayField(forms.DateField):
    """A day that a clock can show: the first and last years of the calendar have no midnight in every zone."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")

    def clean(self, value: Any) -> Any:
        """Refuse years outside 1970–2200."""
        day = super().clean(value)
        if day is not None and not 1970 <= day.year <= 2200:
            raise ValidationError(_("Choose a day between 1970 and 2200."))
        return day


class DayFilter(django_filters.Filter):
    """One end of a date range, both days included, in the viewer's zone."""

    field_class = DayField

    def filter(self, qs: QuerySet[Any], value: date | None) -> QuerySet[Any]:
        """From the midnight of the day, or until the midnight after it."""
        if value is None:
            return qs
        moment = day_start(value if self.lookup_expr == "gte" else value + timedelta(days=1))
        return qs.filter(**{f"{self.field_name}__{self.lookup_expr}": moment})
