"""The page of one processing record (domain M10)."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.permissions import Permission
from accounts.policy import viewer
from core.errors import Conflict
from core.pages import ActionPage, ConfirmPage, Crumbs, Page, Text, stamp_of
from jobs.actions import abort_records, retry_records
from jobs.describing import place_text
from jobs.explaining import explain_record
from jobs.kinds import kind_of
from jobs.models import LogEntry, Record, RecordEvent
from jobs.selectors import reached
from jobs.views.definitions import job_crumbs
from queues.events import RecordType

EVENTS = 500
STEPS = {
    "uploaded": gettext_lazy("uploaded"),
    "error": gettext_lazy("error"),
    "held": gettext_lazy("held"),
    "passed_on": gettext_lazy("passed on to the next engine"),
    "routed": gettext_lazy("given to another engine"),
    "retried": gettext_lazy("retried"),
    "requeued": gettext_lazy("requeued"),
    "completed": gettext_lazy("completed"),
    "failed": gettext_lazy("failed"),
    "skipped": gettext_lazy("skipped"),
    "aborted": gettext_lazy("aborted"),
}


def record_of(request: HttpRequest, job_id: int, pk: int) -> Record:
    """The record of the address. Raises Http404, also for one of another job or outside the viewer's scope."""
    rows = Record.objects.filter(reached(viewer(request))).select_related("job", "tenant", "run")
    return get_object_or_404(rows, pk=pk, job=job_id)


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
        self.record = record_of(request, kwargs["job_pk"], kwargs["pk"])
        record = self.record
        events = list(RecordEvent.objects.filter(record=record).order_by("pk")[:EVENTS])
        context = self.context(
            record=record,
            timeline=timeline_of(record, events),
            json=as_json(record, events),
            logs=LogEntry.objects.filter(record=record).order_by("-pk")[:50],
            job_url=reverse("jobs:job", args=[record.job_id]),
            json_url=reverse("jobs:record_json", args=[record.job_id, record.pk]),
            engine=place_text(kind_of(record.job).places(record.job.settings), record.place),
            live=record.state == Record.State.IN_PROGRESS,
            explanations=explain_record(record, viewer(request)),
            **self.call(),
            **self.buttons(),
        )
        stamp = stamp_of(
            record.state, record.generation, record.stage, record.fence, record.next_at, record.checks, len(events)
        )
        return self.show(context, stamp=stamp)

    def call(self) -> dict[str, Any]:
        """Conversations live in their tenant: only its own people can be led there."""
        record = self.record
        if record.record_type not in (RecordType.CALL, RecordType.CONVERSATION):
            return {}
        if viewer(self.request).stands_in != record.tenant_id:
            return {"foreign": True}
        return {"call_url": reverse("conversations:call", args=[record.record_id])}

    def buttons(self) -> dict[str, Any]:
        """Retry what has ended, abort what has not."""
        record = self.record
        if not viewer(self.request).has(Permission.RECORDS_EDIT):
            return {}
        action = "abort" if record.state == Record.State.IN_PROGRESS else "retry"
        return {f"{action}_url": reverse(f"jobs:record_{action}", args=[record.job_id, record.pk])}


@require_safe
def record_json(request: HttpRequest, job_pk: int, pk: int) -> HttpResponse:
    """All fields and the timeline as a JSON file."""
    record = record_of(request, job_pk, pk)
    text = as_json(record, RecordEvent.objects.filter(record=record).order_by("pk"))
    response = HttpResponse(text, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="record-{record.pk}.json"'
    return response


def as_json(record: Record, events: Iterable[RecordEvent]) -> str:
    """All fields, the events and the times of the last checks, indented."""
    hidden = {"fence", "lease_until", "check_times"}
    names = [field.attname for field in Record._meta.concrete_fields if field.attname not in hidden]
    body = {
        **{name: getattr(record, name) for name in names},
        "job": record.job.name,
        "tenant": record.tenant.name,
        "reason_label": record.reason_label,
        "retries": record.retries,
        "max_retries": record.max_retries,
        "check_times": checked_at(record),
        "events": [
            {"generation": event.generation, "at": event.at, "step": event.step, "detail": event.detail}
            for event in events
        ],
    }
    return json.dumps(body, cls=DjangoJSONEncoder, indent=2, ensure_ascii=False)


def checked_at(record: Record) -> list[datetime]:
    """When the last sixty checks were made, also those before a retry."""
    return [datetime.fromtimestamp(ms / 1000, UTC) for ms in record.check_times]


def timeline_of(record: Record, events: Iterable[RecordEvent]) -> list[dict[str, Any]]:
    """Events and checks in their order: at, step (a code), words, detail and, of an upload, the provider's id."""
    times = checked_at(record)
    lines: list[dict[str, Any]] = []
    for index, at in enumerate(times):
        number = record.checks - (len(times) - 1 - index)
        words = _("check %(n)s of %(most)s") % {"n": number, "most": record.job.max_checks}
        lines.append({"at": at, "step": "check", "words": words if number > 0 else _("check before the retry")})
    for event in events:
        uploaded = event.step == "uploaded"
        named = str(STEPS.get(event.step, event.step))
        said = {"provider_id": event.detail} if uploaded else {"detail": event.detail}
        lines.append({"at": event.at, "step": event.step, "words": named, **said})
    return sorted(lines, key=lambda line: line["at"])


def act_on(request: HttpRequest, record: Record, action: str) -> None:
    """Retry or abort one record, with its audit row. Raises Conflict when it is not in the state that this needs."""
    user = viewer(request)
    service = {"retry": retry_records, "abort": abort_records}[action]
    one = Record.objects.filter(pk=record.pk)
    if not service(records=one, actor=user.actor, audit_tenant=user.tenant, chosen=f"record {record.pk}"):
        raise Conflict(
            _("The record is in progress already.") if action == "retry" else _("The record has ended already.")
        )


class RecordRetry(ActionPage):
    """Retry now: a new generation, the history stays."""

    def act(self) -> str:
        """Conflict while the record is in progress."""
        act_on(self.request, record_of(self.request, self.kwargs["job_pk"], self.kwargs["pk"]), "retry")
        messages.success(self.request, _("The record is retried."))
        return self.refused_url()

    def refused_url(self) -> str:
        """The record's page."""
        return reverse("jobs:record", args=[self.kwargs["job_pk"], self.kwargs["pk"]])


class RecordAbort(ConfirmPage):
    """Abort, after a question."""

    title = gettext_lazy("Abort this record?")
    confirm_label = gettext_lazy("Abort")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the record."""
        super().setup(request, *args, **kwargs)
        self.record = record_of(request, kwargs["job_pk"], kwargs["pk"])
        self.cancel_url = reverse("jobs:record", args=[kwargs["job_pk"], kwargs["pk"]])

    def breadcrumbs(self) -> Crumbs:
        """Below the job."""
        return job_crumbs(self.record.job)

    def message(self) -> Text:
        """Object and consequence."""
        return _("Record %(pk)s is not processed further. The call and its audio stay.") % {"pk": self.record.pk}

    def act(self) -> Text:
        """Conflict when the record has ended."""
        act_on(self.request, self.record, "abort")
        return _("The record was aborted.")
