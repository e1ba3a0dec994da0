"""The filters of the list of tasks: what the API's filter knows, as form fields."""

from typing import Any

import django_filters
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.filters import DayFilter
from miaop.models import Task
from miaop.states import Status
from tenants.querysets import TenantQuerySet
from transcription.languages.models import Language

ARCHIVE = [("no", _("Not archived")), ("yes", _("Archived"))]


class TaskFilter(django_filters.FilterSet):
    """Days are of the last change, in the viewer's zone, both included."""

    q = django_filters.CharFilter(label=_("Name, id or file"), method="named", max_length=200)
    status = django_filters.ChoiceFilter(label=_("Status"), choices=Status.choices)
    archive = django_filters.ChoiceFilter(label=_("Archive"), method="put_away", choices=ARCHIVE)
    supervisor = django_filters.CharFilter(label=_("Supervisor"), method="of_supervisor", max_length=254)
    date_from = DayFilter(label=_("From"), field_name="updated", lookup_expr="gte")
    date_to = DayFilter(label=_("To"), field_name="updated", lookup_expr="lt")
    language = django_filters.ChoiceFilter(label=_("Language"), method="in_language")

    class Meta:
        model = Task
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Disabled ones too: tasks in them stay.
        names = Language.objects.order_by("name").values_list("name", flat=True)
        self.filters["language"].extra["choices"] = [(name, name) for name in names]

    def named(self, tasks: TenantQuerySet, _name: str, value: str) -> TenantQuerySet:
        """A part of the name, the beginning of the id, or a part of the name of a file."""
        files = Task.objects.filter(meetings__file__icontains=value).values("pk")
        found: TenantQuerySet = tasks.filter(Q(name__icontains=value) | Q(task_id__startswith=value) | Q(pk__in=files))
        return found

    def put_away(self, tasks: TenantQuerySet, _name: str, value: str) -> TenantQuerySet:
        """Those in the archive, or the others."""
        found: TenantQuerySet = tasks.filter(archived=value == "yes")
        return found

    def of_supervisor(self, tasks: TenantQuerySet, _name: str, value: str) -> TenantQuerySet:
        """A part of the e-mail address or the name, whatever the case."""
        found: TenantQuerySet = tasks.filter(Q(supervisor_email__icontains=value) | Q(supervisor_name__icontains=value))
        return found

    def in_language(self, tasks: TenantQuerySet, _name: str, value: Any) -> TenantQuerySet:
        """One of the languages of the task."""
        found: TenantQuerySet = tasks.filter(base_languages__contains=[value])
        return found
