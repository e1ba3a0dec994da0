"""Once a minute: look at every rule, let it fire, and let it go; then tell whoever is to be told, once each."""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.measuring import Found, World, measure
from alerts.models import AlertRule, Firing
from licensing.alerts import mail_is_set_up

logger = logging.getLogger(__name__)
State = Firing.State
LOCK = 0x7061726C616C7274  # one evaluation at a time
# What could not be sent for so long says nothing new any more; what was refused is tried again after a quarter.
SEND_WITHIN = timedelta(hours=24)
RETRY_AFTER = timedelta(minutes=15)
# The task runs every minute; what a slow server leaves is for the next run.
SEND_FOR_S = 45.0
KEPT = timedelta(days=90)


@transaction.atomic
def evaluate(*, at: datetime | None = None) -> int:
    """Measure all enabled rules and move their firings; return how many began to fire. Others at it: 0."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return 0
    now = at or timezone.now()
    rules = list(AlertRule.objects.filter(enabled=True).select_related("job").order_by("pk"))
    world = World(rules)
    known = {
        (firing.rule_id, firing.subject): firing
        for firing in Firing.objects.exclude(state=State.RESOLVED).select_related("rule")
    }
    wrong = {(rule.pk, found.subject): (rule, found) for rule in rules for found in measure(rule, world) if found.wrong}
    _end([firing for key, firing in known.items() if key not in wrong], now)
    made = [_new(rule, found, now) for key, (rule, found) in wrong.items() if key not in known]
    Firing.objects.bulk_create(made)
    grown = [_grown(known[key], rule, found, now) for key, (rule, found) in wrong.items() if key in known]
    Firing.objects.bulk_update(grown, ["text", "value", "state", "fired_at", "snoozed_by"])
    Firing.objects.filter(resolved_at__lt=now - KEPT).delete()
    return sum(firing.fired_at == now for firing in [*made, *grown])


def _end(firings: Sequence[Firing], now: datetime) -> None:
    """In order again, or not watched any more. What had not fired yet is forgotten."""
    ids = [firing.pk for firing in firings]
    Firing.objects.filter(pk__in=ids, state=State.PENDING).delete()
    Firing.objects.filter(pk__in=ids, state=State.FIRING).update(state=State.RESOLVED, resolved_at=now)


def _new(rule: AlertRule, found: Found, now: datetime) -> Firing:
    firing = Firing(rule=rule, subject=found.subject, since=now, threshold=rule.threshold)
    return _grown(firing, rule, found, now)


def _grown(firing: Firing, rule: AlertRule, found: Found, now: datetime) -> Firing:
    """With what was found now; it fires when it has been wrong for long enough."""
    firing.text, firing.value = found.text[:300], found.value
    if firing.state == State.PENDING and now - firing.since >= timedelta(minutes=rule.minutes):
        firing.state, firing.fired_at = State.FIRING, now
    if firing.state == State.FIRING and rule.snoozed_until is not None and rule.snoozed_until > now:
        firing.snoozed_by = rule.snoozed_by
    return firing


def send_mails(*, at: datetime | None = None) -> int:
    """One e-mail a firing to the rule's recipients, unless it is snoozed; return how many were sent.

    Whoever sends claims first, so runs that overlap send nothing twice; a crash in between sends a second time, never
    not at all. Tests that were asked for are sent as well.
    """
    if not mail_is_set_up():
        return 0
    now, until = at or timezone.now(), time.monotonic() + SEND_FOR_S
    free = Q(rule__snoozed_until=None) | Q(rule__snoozed_until__lte=now)
    due = Firing.objects.filter(free, state=State.FIRING, mailed_at=None, fired_at__gt=now - SEND_WITHIN)
    waiting = due.exclude(rule__recipients=[]).exclude(claimed_at__gt=now - RETRY_AFTER)
    firings = list(waiting.select_related("rule").order_by("pk"))
    tests = list(AlertRule.objects.filter(test_asked_at__isnull=False).order_by("pk"))
    sent = 0
    server = get_connection()
    try:
        if firings or tests:
            server.open()
        for rule in tests:
            _send_test(server, rule)
        for firing in firings:
            if time.monotonic() > until:
                break
            sent += _send(server, firing, now)
    except (SMTPException, OSError) as error:
        logger.warning("The mail server failed (%s); e-mails about alerts wait", type(error).__name__)
        asked = AlertRule.objects.filter(test_asked_at__isnull=False)
        asked.update(test_asked_at=None, test_result=_("The mail server cannot be reached."))
    finally:
        with suppress(SMTPException, OSError):
            server.close()
    return sent


def _send(server: BaseEmailBackend, firing: Firing, now: datetime) -> bool:
    mine = Firing.objects.filter(pk=firing.pk, mailed_at=None)
    if not mine.filter(Q(claimed_at=None) | Q(claimed_at__lte=now - RETRY_AFTER)).update(claimed_at=now):
        return False
    text = _("%(text)s\n\nSince %(since)s UTC; threshold %(threshold)g for %(minutes)s minutes.") % {
        "text": firing.text,
        "since": f"{firing.since:%Y-%m-%d %H:%M}",
        "threshold": firing.threshold,
        "minutes": firing.rule.minutes,
    }
    try:
        server.send_messages([_message(firing.rule, firing.rule.name, text)])
    except (SMTPRecipientsRefused, SMTPResponseException) as error:
        logger.warning("E-mail about alert %s was refused: %s", firing.pk, type(error).__name__)
        return False
    return bool(mine.update(mailed_at=timezone.now()))


def _send_test(server: BaseEmailBackend, rule: AlertRule) -> None:
    """Send and say what became of it on the rule's page. Raises SMTPException or OSError when the server failed."""
    text = _("This is a test of the alert rule “%(name)s”. Nothing is wrong.") % {"name": rule.name}
    result = _("Sent to %(n)s recipients.") % {"n": len(rule.recipients)}
    try:
        if rule.recipients:
            server.send_messages([_message(rule, _("Test: %(name)s") % {"name": rule.name}, text)])
        else:
            result = _("The rule has no recipients.")
    except (SMTPRecipientsRefused, SMTPResponseException):
        result = _("The mail server refused the message.")
    AlertRule.objects.filter(pk=rule.pk).update(test_asked_at=None, test_result=result)


def _message(rule: AlertRule, subject: str, text: str) -> EmailMessage:
    url = settings.BASE_URL.rstrip("/") + reverse("alerts:history") + f"?rule={rule.pk}"
    line = " ".join(subject.split())
    return EmailMessage(line, f"{text}\n{url}\n", to=rule.recipients[:1], bcc=rule.recipients[1:])
