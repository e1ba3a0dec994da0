"""Looking at the limits once a minute."""

from celery import shared_task

from licensing.alerts import check, send_mails
from licensing.models import Meter


@shared_task
def check_limits() -> None:
    """Record new warnings, then, in no transaction, send what has not been sent."""
    for meter in Meter:
        check(meter)
        send_mails(meter)
