"""Work of AI task pages in the background."""

from celery import shared_task
from kombu.exceptions import OperationalError

from aiassistant.library.estimating import ASKED_S, answer_asked


@shared_task
def estimate_month(key: str) -> None:
    """Answer the question about a month's cost that a page left in the cache."""
    answer_asked(key)


def ask_for_month(key: str) -> bool:
    """Have an estimate made; False when the broker cannot be reached."""
    try:
        estimate_month.apply_async(args=[key], expires=ASKED_S)
    except (OperationalError, OSError):
        return False
    return True
