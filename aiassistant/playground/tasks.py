"""Runs of the playground in the background; the tick finds those that wait and those whose worker died."""

from celery import shared_task
from kombu.exceptions import OperationalError

from aiassistant.playground.models import PlaygroundRun
from aiassistant.playground.services import left_behind, prune_runs
from aiassistant.playground.trying import run_trial


@shared_task
def try_draft(run_id: str) -> None:
    """Work on one run."""
    run_trial(run_id)


@shared_task
def resume_playground() -> None:
    """Take up what is due or was left behind; forget what is a week old."""
    for run_id in left_behind():
        try_draft.delay(str(run_id))
    prune_runs()


def start_trying(run: PlaygroundRun) -> None:
    """Ask a worker to begin; when the broker is down the tick will."""
    try:
        try_draft.delay(str(run.pk))
    except (OperationalError, OSError):
        return
