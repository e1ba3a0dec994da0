"""Keeping the account of what comes into queues and goes out of them short, so that adding it up stays cheap."""

from django.db import connection, transaction

from queues.models import ProcessingQueue, QueueFlow

KEPT_MINUTES = 60

# Rows older than an hour become one row of the queue, younger ones one for each minute and folding. Delete and insert
# are one statement: nobody ever sees a sum without them. What another folding holds is left to it.
FOLD = """
WITH taken AS (
    DELETE FROM queues_queueflow WHERE id = ANY(ARRAY(
        SELECT id FROM queues_queueflow
        WHERE NOT folded OR minute < statement_timestamp() - make_interval(mins => %(kept)s)
        ORDER BY id FOR UPDATE SKIP LOCKED))
    RETURNING queue_id, came, went,
        CASE WHEN minute < statement_timestamp() - make_interval(mins => %(kept)s) THEN 'epoch' ELSE minute END AS minute
)
INSERT INTO queues_queueflow (queue_id, minute, came, went, folded)
SELECT queue_id, minute, sum(came), sum(went), true FROM taken GROUP BY queue_id, minute
"""


@transaction.atomic
def fold() -> None:
    """Fold the rows of all queues together, and drop those of queues that are gone. Several may run at once."""
    with connection.cursor() as cursor:
        cursor.execute(FOLD, {"kept": KEPT_MINUTES})
    QueueFlow.objects.exclude(queue__in=ProcessingQueue.objects.values("pk")).delete()
