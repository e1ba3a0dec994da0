"""Fields as filters and columns of the lists of conversations: those that are marked for lists (``in_lists``)."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import django_filters
import django_tables2 as tables
from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from conversations.field_models import FieldValue
from conversations.fields.filtering import BETWEEN, CONTAINS, WITHOUT_VALUE, having, operators_of
from conversations.fields.selectors import current_values
from core.tables import EMPTY, PageTable
from customfields.models import CustomField
from customfields.selectors import readable_fields
from customfields.typed import CHOICES, BrokenRule, Definition, FieldType, band_of, bare, coerce
from customfields.wording import rule_text, shown
from tenants.querysets import TenantQuerySet

OPERATORS = {
    "is": gettext_lazy("is"),
    "is_not": gettext_lazy("is not"),
    "between": gettext_lazy("between"),
    "contains": gettext_lazy("contains"),
    "empty": gettext_lazy("is empty"),
    "not_empty": gettext_lazy("is not empty"),
}
MAX_VALUE = 200


def listed_fields(user: User) -> list[CustomField]:
    """The fields that are columns and filters of lists, of those whose values ``user`` may see."""
    return [custom for custom in readable_fields(user) if custom.in_lists]


def parameter_of(custom: CustomField) -> str:
    """The name of its filter in the address."""
    return f"field_{custom.pk}"


class ClauseWidget(forms.MultiWidget):
    """Operator, value and, for what can be between, a second value."""

    template_name = "conversations/field_clause.html"
    use_fieldset = True

    def decompress(self, value: Any) -> list[Any]:
        """Nothing is stored: the parts are those of the address."""
        return [None] * len(self.widgets)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[Any]:
        """The parts; an operator that is left out means "is"."""
        parts: list[Any] = super().value_from_datadict(data, files, name)
        return [parts[0] or ("is" if any(parts[1:]) else ""), *parts[1:]]


class ClauseInUse(forms.BoundField):
    """A clause as the chip above the list shows it; ``parts`` are its parameters of the address."""

    @property
    def words(self) -> str:
        """ "between -100 – 0", with the labels of choices."""
        data: Any = self.data or []
        operator, *values = data
        labels = dict(_choices_of(cast(ClauseField, self.field).custom.definition))
        shown_values = " – ".join(labels.get(value, value) for value in values if value)
        asked = str(OPERATORS.get(operator, operator))
        return asked if operator in WITHOUT_VALUE else f"{asked} {shown_values}".strip()

    @property
    def parts(self) -> list[str]:
        """The names that the browser sends."""
        return [f"{self.html_name}_{number}" for number in range(3)]


class ClauseField(forms.MultiValueField):
    """A clause on one field: (operator, value, second value), with values of its type; None when nothing is asked."""

    def __init__(self, custom: CustomField, **kwargs: Any) -> None:
        self.custom = custom
        kind = FieldType(custom.type)
        asked = [("", _("Any")), *((name, OPERATORS[name]) for name in operators_of(kind))]
        attrs = {"aria-label": _("value")}
        value: forms.Widget = forms.TextInput(attrs={**attrs, "maxlength": str(MAX_VALUE)})
        choices = _choices_of(custom.definition)
        if choices:
            value = forms.Select(choices=[("", "—"), *choices], attrs=attrs)
        elif kind == FieldType.DATE:
            value = forms.DateInput(attrs={**attrs, "type": "date"})
        widgets = [forms.Select(choices=asked, attrs={"aria-label": _("operator")}), value]
        parts: list[forms.Field] = [forms.ChoiceField(choices=asked, required=False), _part()]
        if BETWEEN in operators_of(kind):
            second = {"aria-label": _("second value, for “between”")}
            day = kind == FieldType.DATE
            widgets.append(forms.DateInput(attrs={**second, "type": "date"}) if day else forms.TextInput(attrs=second))
            parts.append(_part())
        super().__init__(parts, widget=ClauseWidget(widgets), require_all_fields=False, **kwargs)

    def get_bound_field(self, form: Any, field_name: str) -> forms.BoundField:
        """With its words for the chip."""
        return ClauseInUse(form, self, field_name)

    def compress(self, data_list: list[Any]) -> Any:
        """Judge the values by the rules of the type, not by the range: one may look for what cannot be any more."""
        operator, first, second = [*data_list, "", "", ""][:3]
        if not operator:
            return None
        if operator in WITHOUT_VALUE:
            return operator, None, None
        if operator == CONTAINS:
            return operator, self._needed(first), None
        value = self._typed(self._needed(first))
        if operator != BETWEEN:
            return operator, value, None
        last = self._typed(self._needed(second))
        if value > last:
            raise ValidationError(_("The smaller value comes first."))
        return operator, value, last

    def _needed(self, text: str) -> str:
        if not text.strip():
            raise ValidationError(_("Give a value."))
        return text

    def _typed(self, text: str) -> Any:
        free = self.custom.definition
        if free.type in CHOICES:
            # A choice that was taken from the list since then can still be looked for.
            return text
        loose = Definition(free.name, free.type, {"places": 6})
        try:
            return coerce(loose, text)
        except BrokenRule as error:
            raise ValidationError(rule_text(error)) from None


def _part() -> forms.Field:
    return forms.CharField(required=False, max_length=MAX_VALUE)


def _choices_of(definition: Definition) -> list[tuple[str, str]]:
    if definition.type == FieldType.BOOLEAN:
        return [("true", _("yes")), ("false", _("no"))]
    return definition.choices


class FieldFilter(django_filters.Filter):
    """Conversations by the value of one field."""

    field_class = ClauseField

    def __init__(self, custom: CustomField) -> None:
        self.custom = custom
        super().__init__(label=custom.name, custom=custom)

    def filter(self, qs: TenantQuerySet, value: Any) -> TenantQuerySet:
        """Those that meet the clause."""
        return qs if not value else having(qs, self.custom, *value)


class FieldFilters(django_filters.FilterSet):
    """Base of filter sets of conversations: adds a filter for each field that the viewer sees in lists."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.request is None:
            return
        for custom in listed_fields(self.request.user):
            made = FieldFilter(custom)
            made.parent, made.model = self, self._meta.model
            self.filters[parameter_of(custom)] = made


class ValueColumn(tables.Column):
    """The value of one field: a score in the colour and words of its band, long texts cut."""

    def __init__(self, custom: CustomField) -> None:
        super().__init__(accessor="pk", verbose_name=custom.name, orderable=False)
        self.custom = custom

    def render(self, record: Any, table: "FieldTable") -> str:
        """In words."""
        version = table.value_of(record, self.custom)
        if version is None or version.empty:
            return EMPTY
        value = version.value(self.custom)
        text = shown(self.custom.definition, value)
        band = band_of(self.custom.definition, value) if self.custom.type == FieldType.SCORE else None
        if band is not None:
            badge = '<span class="p-badge p-tone-{}"><bdi dir="ltr">{}</bdi> · <bdi>{}</bdi></span>'
            return format_html(badge, band.tone, text, band.label)
        return format_html('<span class="p-clip" dir="auto">{}</span>', text)

    def value(self, record: Any, table: "FieldTable") -> Any:
        """For exports: as the API would say it, several choices in one text."""
        version = table.value_of(record, self.custom)
        found = bare(version.value(self.custom)) if version is not None else None
        return "; ".join(found) if isinstance(found, list) else "" if found is None else found


class FieldTable(PageTable):
    """Base of tables of conversations: a column for each of ``fields``, with the values of a page in one query."""

    def __init__(self, *args: Any, fields: Sequence[CustomField] = (), **kwargs: Any) -> None:
        self.fields = fields
        columns = [(parameter_of(custom), ValueColumn(custom)) for custom in fields]
        super().__init__(*args, extra_columns=[*columns, *kwargs.pop("extra_columns", [])], **kwargs)

    @cached_property
    def values(self) -> Mapping[tuple[uuid.UUID, int], FieldValue]:
        """Of the rows of the page, or of the piece of an export."""
        ids: Iterable[uuid.UUID] = [row.record.pk for row in self.paginated_rows]
        return current_values(ids, self.fields)

    def value_of(self, record: Any, custom: CustomField) -> FieldValue | None:
        """What stands there."""
        return self.values.get((record.pk, custom.pk))
