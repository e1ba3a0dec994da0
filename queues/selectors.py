"""Reading queues: settings together with how much is pending and how old it is."""

from django.db.models import Count, Min, QuerySet

from queues.models import ProcessingQueue


def queues_with_backlog() -> QuerySet[ProcessingQueue]:
    """Queues annotated with ``pending`` (items) and ``oldest`` (time of publication, None when empty)."""
    return ProcessingQueue.objects.annotate(pending=Count("items"), oldest=Min("items__published_at")).order_by("name")


def queue_pages() -> QuerySet[ProcessingQueue]:
    """As ``queues_with_backlog``, with all that the pages show: scope and the jobs that read each queue.

    ``jobs`` is the reverse of ``JobDefinition.source_queue``; the app above is reached through data only.
    """
    return queues_with_backlog().select_related("tenant").prefetch_related("tenant_groups", "jobs")
