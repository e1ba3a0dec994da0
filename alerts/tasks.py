"""Looking at the alert rules once a minute."""

from celery import shared_task

from alerts.evaluating import evaluate, send_mails


@shared_task
def check_rules() -> None:
    """Let rules fire and go; then, in no transaction, tell whoever is to be told."""
    evaluate()
    send_mails()
