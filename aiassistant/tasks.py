"""Tests of AI engines in the background; the tick finds those that a lost message or a dead worker left behind."""

from celery import shared_task
from kombu.exceptions import OperationalError

from aiassistant.family import AI
from aiassistant.library.tasks import estimate_month
from aiassistant.models import AIEngineTest
from aiassistant.playground.tasks import resume_playground, try_draft
from aiassistant.testing import run_test
from engines.waiting import left_behind

# Celery looks for tasks in this module alone.
__all__ = [
    "estimate_month",
    "resume_engine_tests",
    "resume_playground",
    "start_test",
    "test_engine",
    "try_draft",
]


@shared_task
def test_engine(test_id: str) -> None:
    """Run one Test Connection."""
    run_test(test_id)


@shared_task
def resume_engine_tests() -> None:
    """Start tests that still wait, and those whose worker died."""
    for test_id in left_behind(AI):
        test_engine.delay(str(test_id))


def start_test(test: AIEngineTest) -> None:
    """Ask a worker to run the test; when the broker is down the tick will."""
    try:
        test_engine.delay(str(test.pk))
    except (OperationalError, OSError):
        return
