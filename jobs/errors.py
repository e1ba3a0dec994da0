"""Errors of a job's records by what they have in common."""

from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet

from jobs.models import ErrorSignature, JobDefinition, Record

GROUPED = 50_000
GROUPS = 100


def errors_of(records: QuerySet[Record], job: JobDefinition) -> list[dict[str, Any]]:
    """The groups of ``records`` with an error, largest first: signature, text, number, of these how many failed and how
    many are in progress, first and last seen, tenants, a sample. Of very many the newest 50,000 are grouped.
    """
    newest = records.exclude(signature="").select_related(None).order_by("-pk").values("pk")[:GROUPED]
    counted: Any = (
        Record.objects.filter(pk__in=newest)
        .order_by()
        .values("signature")
        .annotate(
            number=Count("pk"),
            failed=Count("pk", filter=Q(state=Record.State.FAILED)),
            in_progress=Count("pk", filter=Q(state=Record.State.IN_PROGRESS)),
            first=Min("last_processed_at"),
            last=Max("last_processed_at"),
            tenants=Count("tenant", distinct=True),
            sample=Max("last_error"),
        )
    )
    groups: list[dict[str, Any]] = list(counted.order_by("-number", "signature")[:GROUPS])
    found = ErrorSignature.objects.filter(job=job, digest__in=[group["signature"] for group in groups])
    texts = dict(found.values_list("digest", "text"))
    for group in groups:
        group["text"] = texts.get(group["signature"], group["sample"])
    return groups


def signature_text(job_id: int, digest: str) -> str:
    """What the error of this key says; empty when the job never met it."""
    return ErrorSignature.objects.filter(job=job_id, digest=digest).values_list("text", flat=True).first() or ""
