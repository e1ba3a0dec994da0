"""Filters of the prices of a speech engine."""

from typing import Any

import django_filters
from django.utils.translation import gettext_lazy as _

from transcription.models import SpeechPrice


class SpeechPriceFilter(django_filters.FilterSet):
    """Days from which rows hold."""

    since = django_filters.DateFilter(field_name="valid_from", lookup_expr="gte", label=_("From"))

    class Meta:
        model = SpeechPrice
        fields: list[Any] = []
