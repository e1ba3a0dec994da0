"""The page of one processing record (domain M10)."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.permissions import Permission
from accounts.policy import viewer
from core.errors import Conflict
from core.pages import ActionPage, Crumbs, Page, Text, stamp_of
from jobs.models import LogEntry, Record, RecordEvent
from jobs.services import abort_records, audit_bulk, retry_records
from jobs.views.definitions import job_crumbs
from queues.events import RecordType

EVENTS = 500


def record_of(job_id: int, pk: int) -> Record:
    """The record of the address. Raises Http404, also when it belongs to another job."""
    return get_object_or_404(Record.objects.select_related("job", "tenant", "run"), pk=pk, job=job_id)


class RecordPage(Page):
    """All fields, the timeline, and a link to the call when it belongs to the viewer's tenant."""

    template_name = "jobs/record_detail.html"
    region = "record"

    def get_title(self) -> Text:
        """The guide's title."""
        return _("Record %(pk)s of Job «%(job)s»") % {"pk": self.record.pk, "job": self.record.job.name}

    def breadcrumbs(self) -> Crumbs:
        """Below the job's records."""
        crumbs = job_crumbs(self.record.job)
        return [*crumbs, (_("Processing records"), reverse("jobs:records", args=[self.record.job_id]))]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page, polled while the record is in progress."""
        self.record = record_of(kwargs["job_pk"], kwargs["pk"])
        record = self.record
        events = list(RecordEvent.objects.filter(record=record).order_by("pk")[:EVENTS])
        context = self.context(
            record=record,
            events=events,
            logs=LogEntry.objects.filter(record=record).order_by("-pk")[:50],
            job_url=reverse("jobs:job", args=[record.job_id]),
            json_url=reverse("jobs:record_json", args=[record.job_id, record.pk]),
            live=record.state == Record.State.IN_PROGRESS,
            **self.call(),
            **self.buttons(),
        )
        stamp = stamp_of(record.state, record.stage, record.fence, record.next_at, record.checks, len(events))
        return self.show(context, stamp=stamp)

    def call(self) -> dict[str, Any]:
        """Calls live in their tenant: only its own people can be led there."""
        record = self.record
        if record.record_type != RecordType.CALL:
            return {}
        if viewer(self.request).tenant_id != record.tenant_id:
            return {"foreign": True}
        return {"call_url": reverse("conversations:call", args=[record.record_id])}

    def buttons(self) -> dict[str, Any]:
        """Retry what has ended, abort what has not."""
        record = self.record
        if not viewer(self.request).has(Permission.RECORDS_EDIT):
            return {}
        action = "abort" if record.state == Record.State.IN_PROGRESS else "retry"
        return {f"{action}_url": reverse(f"jobs:record_{action}", args=[record.job_id, record.pk])}


def record_json(request: HttpRequest, job_pk: int, pk: int) -> HttpResponse:
    """All fields and the timeline as a JSON file."""
    record = record_of(job_pk, pk)
    fields = [field.attname for field in Record._meta.concrete_fields if field.attname not in {"fence", "lease_until"}]
    body = {
        **{name: getattr(record, name) for name in fields},
        "job": record.job.name,
        "tenant": record.tenant.name,
        "reason_label": record.reason_label,
        "retries": record.retries,
        "max_retries": record.max_retries,
        "events": list(RecordEvent.objects.filter(record=record).order_by("pk").values("generation", "at", "step", "detail")),
    }
    response = JsonResponse(body, json_dumps_params={"indent": 2, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="record-{record.pk}.json"'
    return response


class RecordAction(ActionPage):
    """Base of Retry and Abort of one record."""

    name = ""
    done: Text = ""
    nothing: Text = ""

    def run(self, record: Record, actor: str) -> int:
        """Call the service; return how many records it changed."""
        raise NotImplementedError

    def act(self) -> str:
        """Conflict when the record is not in the state that the action needs."""
        record = record_of(self.kwargs["job_pk"], self.kwargs["pk"])
        user = viewer(self.request)
        if not self.run(record, user.actor):
            raise Conflict(str(self.nothing))
        audit_bulk(
            job=record.job,
            action=self.name,
            count=1,
            query=f"record={record.pk}",
            actor=user.actor,
            audit_tenant=user.tenant,
        )
        messages.success(self.request, str(self.done))
        return self.refused_url()

    def refused_url(self) -> str:
        """The record's page."""
        return reverse("jobs:record", args=[self.kwargs["job_pk"], self.kwargs["pk"]])


class RecordRetry(RecordAction):
    """Retry now."""

    name = "retry"
    done = gettext_lazy("The record is retried.")
    nothing = gettext_lazy("The record is in progress already.")

    def run(self, record: Record, actor: str) -> int:
        """A new generation."""
        return retry_records(records=Record.objects.filter(pk=record.pk), actor=actor)


class RecordAbort(RecordAction):
    """Abort."""

    name = "abort"
    done = gettext_lazy("The record was aborted.")
    nothing = gettext_lazy("The record has ended already.")

    def run(self, record: Record, actor: str) -> int:
        """Ends what is in progress."""
        return abort_records(records=Record.objects.filter(pk=record.pk), actor=actor)
