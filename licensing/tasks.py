"""The nightly reconciliation of the ledger."""

import logging

from celery import shared_task

from licensing.reconciling import reconcile

logger = logging.getLogger(__name__)


@shared_task
def reconcile_ledger() -> None:
    """Compare all books with the entries; a difference is logged as an error and stands in the audit trail of System."""
    result = reconcile(actor="task: reconciliation")
    if result.found:
        logger.error("The ledger's books disagree in %s places; see “ledger verify”.", result.found)
