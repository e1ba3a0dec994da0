"""Sending what is pending to the pairing server: one sender at a time, oldest first, nothing twice in the receiver.

A worker that is killed leaves its lease behind; the next tick after its end sends again, and the receiver knows the
version already.
"""

import logging
import random
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from core.leases import free
from core.signed_http import WINDOW_S
from queues.replication import peer
from queues.replication.identity import installation
from queues.replication.models import Outgoing, Pairing, SeenNonce
from queues.replication.snapshots import MAX_BODY, message

BATCH = 50
LEASE = timedelta(seconds=60)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5, 600
TOO_LARGE = "body: too many tenant groups for one message"
logger = logging.getLogger(__name__)


def send_due() -> int:
    """Send what is due, at most 50 snapshots; return how many the other side took. Does nothing without a pairing."""
    pairing = _claim()
    if pairing is None:
        return 0
    own, sent = installation(), 0
    try:
        for outgoing in _due():
            if not _renew(pairing):
                break
            body = message(own.name, outgoing.kind, outgoing.queue_id, outgoing.version, outgoing.snapshot)
            if len(body) > MAX_BODY:
                _refused(outgoing, TOO_LARGE)
                continue
            try:
                answer = peer.ask(own, pairing, peer.QUEUES, body)
            except peer.PeerFailed as failed:
                _connection_failed(pairing, failed.code)
                break
            sent += _note(pairing, outgoing, answer)
    finally:
        Pairing.objects.filter(pk=pairing.pk, fence=pairing.fence).update(lease_until=None)
    return sent


def forget_nonces() -> int:
    """Remove nonces whose requests would be refused for their time anyway; return how many."""
    old = timezone.now() - timedelta(seconds=2 * WINDOW_S)
    return SeenNonce.objects.filter(at__lt=old).delete()[0]


def pause_s(failures: int) -> float:
    """Seconds until the next try after so many failures in a row: 5, 10, 20 … up to ten minutes, with some jitter."""
    pause = min(FIRST_PAUSE_S * 2 ** min(max(failures - 1, 0), 20), LONGEST_PAUSE_S)
    return pause * random.uniform(0.9, 1.1)  # noqa: S311 - spreads retries, guards nothing


def _claim() -> Pairing | None:
    """Take the lease when there is something to do; None when there is not, or somebody else is at it."""
    now = timezone.now()
    if not _due_rows().exists():
        return None
    due = Pairing.objects.filter(free(), Q(next_at=None) | Q(next_at__lte=now), confirmed_at__isnull=False)
    with transaction.atomic():
        row = due.select_for_update(skip_locked=True).first()
        if row is None:
            return None
        Pairing.objects.filter(pk=row.pk, fence=row.fence).update(fence=F("fence") + 1, lease_until=now + LEASE)
        return Pairing.objects.get(pk=row.pk)


def _renew(pairing: Pairing) -> bool:
    mine = Pairing.objects.filter(pk=pairing.pk, fence=pairing.fence, version=pairing.version)
    return bool(mine.update(lease_until=timezone.now() + LEASE))


def _due_rows() -> QuerySet[Outgoing]:
    now = timezone.now()
    return Outgoing.objects.filter(Q(next_at=None) | Q(next_at__lte=now), pending_since__isnull=False)


def _due() -> list[Outgoing]:
    return list(_due_rows().order_by("pending_since", "queue_id")[:BATCH])


def _note(pairing: Pairing, outgoing: Outgoing, answer: peer.Answer) -> int:
    """Write down what became of the version that was sent; a newer one that came meanwhile stays pending."""
    now = timezone.now()
    with transaction.atomic():
        mine = Pairing.objects.filter(pk=pairing.pk, fence=pairing.fence)
        if not mine.update(failures=0, next_at=None, last_error="", seen_at=now, name=_name(pairing, answer)):
            return 0
        row = Outgoing.objects.filter(pk=outgoing.pk, version=outgoing.version)
        if answer.status == 200:
            outcome = {"outcome": answer.text("outcome", 20), "reason": answer.text("reason", 40)}
            row.update(
                pending_since=None,
                sent_version=outgoing.version,
                sent_at=now,
                attempts=0,
                next_at=None,
                last_error="",
                **outcome,
            )
            return 1
        _refused(outgoing, f"{answer.text('field', 60)}: {answer.text('message', 130)}")
    return 0


def _refused(outgoing: Outgoing, error: str) -> None:
    """This snapshot alone is tried again later; others go on."""
    wait = timedelta(seconds=pause_s(outgoing.attempts + 1))
    Outgoing.objects.filter(pk=outgoing.pk, version=outgoing.version).update(
        attempts=F("attempts") + 1, next_at=timezone.now() + wait, last_error=error
    )
    logger.warning("The pairing server did not take the settings of queue %s", outgoing.pk)


def _connection_failed(pairing: Pairing, code: str) -> None:
    wait = timedelta(seconds=pause_s(pairing.failures + 1))
    Pairing.objects.filter(pk=pairing.pk, fence=pairing.fence).update(
        failures=F("failures") + 1, next_at=timezone.now() + wait, last_error=code
    )
    logger.warning("The pairing server cannot be used: %s", code)


def _name(pairing: Pairing, answer: peer.Answer) -> str:
    return answer.text("name", 80) or pairing.name
