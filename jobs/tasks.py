"""The tick, the bell and the tasks they start. No logic: everything is looked up in the database."""

import logging

from celery import shared_task
from kombu.exceptions import OperationalError as BrokerError

from jobs.bulk_actions.working import actions_at_work, work_on
from jobs.figures.folding import fold
from jobs.passes.applying import DATABASE_IS_AWAY
from jobs.passes.running import run_pass as run_one_pass
from jobs.preview import judge_asked
from jobs.selectors import cleanups_due, jobs_reading, jobs_with_work, later_work, marks_due
from jobs.services import request_due_starts
from jobs.sweeps.estimating import step
from jobs.upkeep.cleanups import run_cleanups
from jobs.upkeep.holding import wake_held, wake_resumed
from jobs.upkeep.marks import show_marks
from jobs.upkeep.pruning import prune
from jobs.upkeep.reserved import release_orphans

logger = logging.getLogger(__name__)
EXPIRES_S = 10


@shared_task
def tick() -> None:
    """Every two seconds: start a pass for each job, and each of its engines, with something due, and the clean-ups."""
    request_due_starts()
    wake_held()
    wake_resumed()
    _start_passes([*((job_id, 0) for job_id in jobs_with_work()), *later_work()])
    for action_id in actions_at_work():
        work_bulk_action.apply_async(args=[action_id], expires=EXPIRES_S)
    for due, task in ((cleanups_due(), clean_up), (marks_due(), show_marked)):
        if due:
            task.apply_async(expires=EXPIRES_S)


@shared_task
def ring(queue_ids: list[int]) -> None:
    """The bell: something was published to these queues."""
    _start_passes([(job_id, 0) for job_id in jobs_reading(queue_ids)])


@shared_task
def run_pass(job_id: int, place: int = 0) -> None:
    """One pass for one of the engines of the job. A database that went away ends it; leases bring the records back, so the task need not fail loudly."""
    try:
        run_one_pass(job_id, place)
    except DATABASE_IS_AWAY as error:
        logger.warning("Pass of job %s ended, the database refused: %s", job_id, type(error.__cause__).__name__)


@shared_task
def preview(key: str) -> None:
    """Answer the question that a page left under ``key``."""
    judge_asked(key)


@shared_task
def estimate(key: str) -> None:
    """Count on for the backfill whose question lies under ``key``, and go on until it is done or nobody waits."""
    if step(key):
        ask_estimate(key)


def ask_estimate(key: str) -> bool:
    """Have a step of an estimate made; False when the broker cannot be reached."""
    try:
        estimate.apply_async(args=[key], expires=EXPIRES_S)
    except (BrokerError, OSError):
        return False
    return True


def ask_worker(key: str) -> bool:
    """Have a preview made; False when the broker cannot be reached."""
    try:
        preview.apply_async(args=[key], expires=EXPIRES_S)
    except (BrokerError, OSError):
        return False
    return True


@shared_task
def work_bulk_action(action_id: str) -> None:
    """One turn of an action on many records; the lease brings it back when the database went away."""
    try:
        work_on(action_id)
    except DATABASE_IS_AWAY as error:
        logger.warning("A bulk action was interrupted, the database refused: %s", type(error.__cause__).__name__)


@shared_task
def clean_up() -> None:
    """Delete remote jobs that are no longer needed."""
    run_cleanups()


@shared_task
def show_marked() -> None:
    """Show on the business rows what operators did to records."""
    show_marks()


@shared_task
def release_reserved() -> None:
    """Close reservations that dead or overtaken workers left behind."""
    released = release_orphans()
    if released:
        logger.warning("%s reservations without a record at work were closed", released)


@shared_task
def fold_figures() -> None:
    """Fold what passes counted into the sums that pages read."""
    fold()


@shared_task
def prune_history() -> None:
    """Delete old passes, log lines and bulk actions."""
    prune()


def _start_passes(wanted: list[tuple[int, int]]) -> None:
    for job_id, place in wanted:
        try:
            run_pass.apply_async(args=[job_id, place] if place else [job_id], expires=EXPIRES_S)
        except (BrokerError, OSError):
            logger.warning("Broker not reachable; the next tick starts the pass of job %s", job_id)
