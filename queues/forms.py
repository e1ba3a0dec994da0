"""The form of a processing queue (domain T12)."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from core.forms import EnableField, VersionedForm
from queues.events import Event, RecordType
from queues.models import ProcessingQueue, QueueScope
from queues.reach import OF_SOME
from queues.replication.copies import OWN_FIELDS, copy_of
from tenants.forms import ScopeFields


class QueueForm(ScopeFields, VersionedForm):
    """Fields in the order of the guide; rules over several fields are the service's. Of a copy only the status is open."""

    name = forms.CharField(label=_("Name"), max_length=120)
    enabled = EnableField()
    scope = forms.ChoiceField(
        label=_("Scope"),
        choices=QueueScope.choices,
        initial=QueueScope.GLOBAL,
        help_text=_("A global queue takes the records of every tenant; the job that reads it filters."),
    )
    record_type = forms.ChoiceField(label=_("Record type"), choices=RecordType.choices, initial=RecordType.CALL)
    events = forms.MultipleChoiceField(
        label=_("Populate queue with events"),
        choices=Event.choices,
        required=False,
        help_text=_("Events of the record type; none for a queue that only jobs publish to, as always for meetings."),
        widget=forms.CheckboxSelectMultiple,
    )
    replicate = forms.BooleanField(label=_("Replicate this queue settings to the pairing server"), required=False)
    sections = [
        ("", ["name", "enabled", "scope", "tenant", "tenant_groups"]),
        ("", ["record_type", "events"]),
        (_("Replication"), ["replicate"]),
    ]

    def __init__(self, *args: Any, editor: Any, queue: ProcessingQueue | None = None, **kwargs: Any) -> None:
        self.queue = queue
        super().__init__(*args, **kwargs)
        self.offer_scope(editor, queue)
        if not editor.everywhere:
            self.fields["scope"].choices = [choice for choice in QueueScope.choices if choice[0] in OF_SOME]  # type: ignore[attr-defined]
        if queue is not None and copy_of(queue) is not None:
            for name in self.fields.keys() - OWN_FIELDS - {"version"}:
                self.fields[name].disabled = True

    def clean_name(self) -> str:
        """Queue names are unique, whatever their case."""
        name: str = self.cleaned_data["name"]
        same = ProcessingQueue.objects.filter(name__iexact=name)
        if self.queue is not None:
            same = same.exclude(pk=self.queue.pk)
        if same.exists():
            raise ValidationError(_("There is a queue with this name."))
        return name

    def values(self) -> dict[str, Any]:
        """What the service stores; a tenant is kept only by the scope that needs it."""
        names = ("name", "enabled", "scope", "record_type", "events", "replicate")
        values = {name: self.cleaned_data[name] for name in names}
        return {**values, "tenant": self.tenant_of_scope()}


def initial_of(queue: ProcessingQueue) -> dict[str, Any]:
    """The stored values as the form shows them."""
    names = ("name", "enabled", "scope", "tenant", "record_type", "events", "replicate", "version")
    return {**{name: getattr(queue, name) for name in names}, "tenant_groups": queue.tenant_groups.all()}
