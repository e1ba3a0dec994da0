"""Reading queues: settings together with how much is pending and how old it is."""

from django.db.models import Count, Min, QuerySet

from queues.models import ProcessingQueue


def queues_with_backlog() -> QuerySet[ProcessingQueue]:
    """Queues annotated with ``pending`` (items) and ``oldest`` (time of publication, None when empty)."""
    return ProcessingQueue.objects.annotate(pending=Count("items"), oldest=Min("items__published_at")).order_by("name")
