"""The filters of the list of calls and threads. Their state is the URL; the same set will serve the API."""

from datetime import datetime, time, timedelta
from typing import Any

import django_filters
from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.permissions import AccessScope, Permission
from conversations.fields.list_filters import FieldFilters
from conversations.health.wording import CHOICES
from conversations.models import SPOKEN, WRITTEN, Call, Channel, Direction, TranscriptionState
from conversations.selectors import having_health, matching
from core.outcomes import Reason
from tenants.querysets import TenantQuerySet

TYPES = [("call", _("Call")), ("thread", _("Messages"))]
DATE = forms.DateInput(attrs={"type": "date"})


def _people(request: Any) -> Any:
    """Users whose calls the viewer may look for: all of the tenant, or only the viewer."""
    user = request.user
    people = User.objects.filter(tenant=user.stands_in).order_by("username_key")
    others = user.has(Permission.CALLS_VIEW_OTHERS) and user.scope != AccessScope.USER
    return people if others else people.filter(pk=user.pk)


class CallFilter(FieldFilters):
    """Narrows ``visible_calls``. Dates are whole days in the viewer's zone, durations seconds, both ends included."""

    q = django_filters.CharFilter(label=_("Search"), method="search", max_length=200)
    date_from = django_filters.DateFilter(label=_("From"), method="from_day", widget=DATE)
    date_to = django_filters.DateFilter(label=_("To"), method="to_day", widget=DATE)
    type = django_filters.ChoiceFilter(label=_("Type"), method="of_type", choices=TYPES)
    channel = django_filters.ChoiceFilter(label=_("Channel"), choices=Channel.choices)
    direction = django_filters.ChoiceFilter(label=_("Direction"), method="towards", choices=Direction.choices)
    user = django_filters.ModelChoiceFilter(label=_("Agent"), queryset=_people)
    group = django_filters.CharFilter(label=_("Group"), lookup_expr="iexact", max_length=120)
    queue_name = django_filters.CharFilter(label=_("Queue or campaign"), lookup_expr="iexact", max_length=120)
    tag = django_filters.CharFilter(label=_("Tag"), method="tagged", max_length=60)
    language = django_filters.CharFilter(label=_("Language"), lookup_expr="iexact", max_length=20)
    state = django_filters.ChoiceFilter(label=_("Transcription"), method="in_state", choices=TranscriptionState.choices)
    reason = django_filters.ChoiceFilter(label=_("Reason"), method="because", choices=Reason.choices)
    duration_min = django_filters.NumberFilter(
        label=_("At least (seconds)"), method="longer", min_value=0, max_value=10**6, decimal_places=0
    )
    duration_max = django_filters.NumberFilter(
        label=_("At most (seconds)"), method="shorter", min_value=0, max_value=10**6, decimal_places=0
    )
    health_min = django_filters.NumberFilter(
        label=_("Transcript health from"), method="healthier", min_value=0, max_value=100, decimal_places=0
    )
    health_max = django_filters.NumberFilter(
        label=_("Transcript health to"), method="less_healthy", min_value=0, max_value=100, decimal_places=0
    )
    health_flag = django_filters.ChoiceFilter(label=_("Doubt about the transcript"), method="doubted", choices=CHOICES)

    class Meta:
        model = Call
        fields: list[str] = []

    def search(self, calls: TenantQuerySet, name: str, value: str) -> TenantQuerySet:
        """Names, numbers, addresses, external id, and the transcripts and messages that the viewer may read."""
        return matching(calls, value, user=self.request.user)

    def of_type(self, calls: TenantQuerySet, name: str, value: str) -> TenantQuerySet:
        """Spoken or written."""
        narrowed: TenantQuerySet = calls.filter(SPOKEN if value == "call" else WRITTEN)
        return narrowed

    def towards(self, calls: TenantQuerySet, name: str, value: str) -> TenantQuerySet:
        """Calls of this direction; messages have none."""
        narrowed: TenantQuerySet = calls.filter(SPOKEN, direction=value)
        return narrowed

    def in_state(self, calls: TenantQuerySet, name: str, value: str) -> TenantQuerySet:
        """Calls whose transcription stands so; messages are not transcribed."""
        narrowed: TenantQuerySet = calls.filter(SPOKEN, transcription_state=value)
        return narrowed

    def from_day(self, calls: TenantQuerySet, name: str, value: Any) -> TenantQuerySet:
        """Started on this day or later."""
        narrowed: TenantQuerySet = calls.filter(started_at__gte=_midnight(value))
        return narrowed

    def to_day(self, calls: TenantQuerySet, name: str, value: Any) -> TenantQuerySet:
        """Started on this day or earlier."""
        if value.year >= 9999:
            return calls
        narrowed: TenantQuerySet = calls.filter(started_at__lt=_midnight(value + timedelta(days=1)))
        return narrowed

    def tagged(self, calls: TenantQuerySet, name: str, value: str) -> TenantQuerySet:
        """Has this tag, letter by letter."""
        narrowed: TenantQuerySet = calls.filter(tags__contains=[value])
        return narrowed

    def because(self, calls: TenantQuerySet, name: str, value: str) -> TenantQuerySet:
        """Ended for this reason; ``filtered`` stands for every clause."""
        narrowed: TenantQuerySet = calls.filter(
            Q(transcription_reason=value) | Q(transcription_reason__startswith=f"{value}:")
        )
        return narrowed

    def longer(self, calls: TenantQuerySet, name: str, value: Any) -> TenantQuerySet:
        """Lasts at least so many seconds."""
        narrowed: TenantQuerySet = calls.filter(SPOKEN, duration_ms__gte=int(value) * 1000)
        return narrowed

    def shorter(self, calls: TenantQuerySet, name: str, value: Any) -> TenantQuerySet:
        """Lasts at most so many seconds, parts of a second not counted (domain C41)."""
        narrowed: TenantQuerySet = calls.filter(SPOKEN, duration_ms__lt=(int(value) + 1) * 1000)
        return narrowed

    def healthier(self, calls: TenantQuerySet, name: str, value: Any) -> TenantQuerySet:
        """The current transcript has at least this score."""
        return having_health(calls, low=int(value))

    def less_healthy(self, calls: TenantQuerySet, name: str, value: Any) -> TenantQuerySet:
        """The current transcript has at most this score."""
        return having_health(calls, high=int(value))

    def doubted(self, calls: TenantQuerySet, name: str, value: str) -> TenantQuerySet:
        """The current transcript has this flag."""
        return having_health(calls, flag=value)


def _midnight(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
