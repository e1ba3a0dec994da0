"""What the dashboard shows: period, channel, user group, and the two fields that are charted."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import django_filters
from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.permissions import AccessScope, Permission
from conversations.models import Call, Channel
from core.filters import DayFilter
from customfields.models import Attribute, CustomField
from customfields.selectors import readable_fields
from customfields.typed import CHOICES, FieldType
from tenants.querysets import TenantQuerySet

DAYS, MOST_DAYS = 30, 92


class DashboardForm(forms.Form):
    """Both ends of the period are included and always set; without them it is the last thirty days."""

    def clean(self) -> dict[str, Any]:
        """Refuses a period that ends before it begins, and one of more than 92 days."""
        values = super().clean() or {}
        if "date_from" not in values or "date_to" not in values:
            return values
        until: date = values["date_to"] or _default_end(values["date_from"])
        since: date = values["date_from"] or until - timedelta(days=DAYS - 1)
        if since > until:
            self.add_error("date_to", _("The period ends before it begins."))
        elif (until - since).days >= MOST_DAYS:
            self.add_error("date_from", _("At most %(n)s days at once.") % {"n": MOST_DAYS})
        return values | {"date_from": since, "date_to": until}


def _default_end(since: date | None) -> date:
    """Today; for a period that began long ago, as much of it as can be shown."""
    today = timezone.localdate()
    return today if since is None or since > today else min(today, since + timedelta(days=MOST_DAYS - 1))


class DashboardFilter(django_filters.FilterSet):
    """Narrows ``visible_calls``; ``score`` and ``choice`` say what of them is summed and narrow nothing."""

    date_from = DayFilter(field_name="started_at", lookup_expr="gte", label=gettext_lazy("From"))
    date_to = DayFilter(field_name="started_at", lookup_expr="lt", label=gettext_lazy("To"))
    channel = django_filters.ChoiceFilter(label=gettext_lazy("Channel"), choices=Channel.choices)
    group = django_filters.ChoiceFilter(label=gettext_lazy("User group"), choices=[])
    score = django_filters.ChoiceFilter(label=gettext_lazy("Score"), choices=[], method="kept", empty_label=None)
    choice = django_filters.ChoiceFilter(label=gettext_lazy("Choices"), choices=[], method="kept", empty_label=None)

    primary = ("date_from", "date_to", "channel", "group", "score", "choice")

    class Meta:
        model = Call
        form = DashboardForm
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        user = self.request.user
        self.scores, self.choices = chartable(user)
        for name, fields in (("score", self.scores), ("choice", self.choices)):
            self.filters[name].extra["choices"] = [(str(custom.pk), custom.name) for custom in fields]
        named = groups_of(user)
        asked = self.data.get("group", "")[:120]
        # A group that nobody is in any more may still have conversations: its link must go on working.
        self.filters["group"].extra["choices"] = [(name, name) for name in sorted({*named, asked} - {""})]

    def kept(self, calls: TenantQuerySet, _name: str, _value: Any) -> TenantQuerySet:
        """Does not narrow."""
        return calls

    @property
    def score_field(self) -> CustomField | None:
        """The chosen score, else the first one, else none."""
        return _chosen(self.scores, self.form.cleaned_data.get("score"))

    @property
    def choice_field(self) -> CustomField | None:
        """The chosen choice, else the first one, else none."""
        return _chosen(self.choices, self.form.cleaned_data.get("choice"))


def chartable(user: User) -> tuple[list[CustomField], list[CustomField]]:
    """The scores and the choices whose values ``user`` may see; sentiment and topics before all others."""
    fields = readable_fields(user)
    scores = [custom for custom in fields if custom.type == FieldType.SCORE]
    choices = [custom for custom in fields if custom.definition.type in CHOICES]
    scores.sort(key=lambda custom: custom.attribute != Attribute.SENTIMENT)
    choices.sort(key=lambda custom: custom.attribute != Attribute.TOPICS)
    return scores, choices


def groups_of(user: User) -> list[str]:
    """The user groups whose conversations ``user`` may see: all of the tenant, or the managed ones."""
    if not user.has(Permission.CALLS_VIEW_OTHERS) or user.scope == AccessScope.USER:
        return [user.group]
    if user.scope == AccessScope.MANAGED_GROUPS and user.viewing is None:
        return [*user.managed_groups, user.group]
    people = User.objects.filter(tenant=user.stands_in).exclude(group="")
    return list(people.order_by("group").values_list("group", flat=True).distinct())


def _chosen(fields: Sequence[CustomField], pk: str | None) -> CustomField | None:
    found = next((custom for custom in fields if str(custom.pk) == pk), None)
    return found or next(iter(fields), None)
