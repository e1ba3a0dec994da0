"""Warnings before a service limit is reached: once for each tenant, month, limit and threshold, on pages and by e-mail.

A limit of nothing gives none: the check list and the denied requests tell that. A threshold that stands no longer,
because the limit was raised, is forgotten, so that reaching it again warns again.
"""

import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection, transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.permissions import DefaultRole
from audit.services import append
from core.outcomes import Reason
from licensing.amounts import minutes_text, percent_text
from licensing.figures import NEVER, Figures, LimitUse, figures
from licensing.models import Denial, LimitAlert, Meter
from tenants.models import Tenant

logger = logging.getLogger(__name__)
Kind = LimitAlert.Kind
THRESHOLDS = ((Kind.FULL, 100), (Kind.NINETY_FIVE, 95), (Kind.EIGHTY, 80), (Kind.HALF, 50))
# From here on a denied request means that the limit is reached, though its last seconds will never be used.
NEARLY = 95
# A warning that could not be sent for so long says nothing new any more.
SEND_WITHIN = timedelta(hours=24)
# A warning that was claimed and not sent, whether refused or its worker died, is tried again after so long.
RETRY_AFTER = timedelta(minutes=15)
# The task runs every minute; what a slow server leaves is for the next run.
SEND_FOR_S = 45.0
ACTOR = "system:alerts"
# Tenant, period, limit, kind.
Key = tuple[uuid.UUID, str, str, str]

INSERT = """
INSERT INTO licensing_limitalert (tenant_id, meter, period, "limit", kind, used, allowed, at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, meter, period, "limit", kind) DO NOTHING RETURNING id
"""

CLAIM = """
UPDATE licensing_limitalert SET claimed_at = %(now)s
WHERE id = ANY(%(ids)s) AND mailed_at IS NULL AND (claimed_at IS NULL OR claimed_at <= %(before)s)
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning that still stands: the highest threshold of one limit, or its forecast."""

    figures: Figures
    use: LimitUse
    kind: LimitAlert.Kind

    @property
    def text(self) -> str:
        """One sentence, without the tenant's name."""
        limit = limit_name(self.use.reason)
        if self.kind == Kind.FORECAST:
            day = self.use.forecast.isoformat() if self.use.forecast else ""
            return _("%(limit)s: at the present pace it is reached on %(day)s, before the reset.") % {
                "limit": limit,
                "day": day,
            }
        return _("%(limit)s: %(percent)s used, %(used)s of %(allowed)s minutes.") % {
            "limit": limit,
            "percent": percent_text(self.use.used, self.use.allowed),
            "used": minutes_text(self.use.used),
            "allowed": minutes_text(self.use.allowed),
        }

    @property
    def tone(self) -> str:
        """How urgent it is."""
        if self.kind in {Kind.FULL, Kind.NINETY_FIVE}:
            return "danger"
        return "info" if self.kind == Kind.HALF else "warning"


def limit_name(reason: Reason) -> str:
    """What the limit is called in sentences."""
    return {
        Reason.LIMIT_USER_MONTH: _("Monthly limit per user"),
        Reason.LIMIT_ORG_MONTH: _("Monthly limit of the organisation"),
        Reason.LIMIT_USER_LIFETIME: _("Lifetime limit per user"),
        Reason.LIMIT_ORG_LIFETIME: _("Lifetime limit of the organisation"),
    }[reason]


def check(meter: Meter, *, at: datetime | None = None) -> int:
    """Record every threshold that was passed and every forecast before the reset; return how many were new."""
    now = at or timezone.now()
    limited = Tenant.objects.filter(entitlement__isnull=False).exclude(state=Tenant.State.DELETED)
    found = figures(list(limited.values_list("pk", flat=True)), meter, at=now)
    refused = _refused(meter, found)
    wanted: dict[Key, tuple[Figures, LimitUse, Kind]] = {
        (one.tenant_id, period_of(one, use), use.reason.value, kind.value): (one, use, kind)
        for one in found
        for use in one.limit_uses()
        for kind in kinds_of(use, refused=(one.tenant_id, period_of(one, use), use.reason) in refused)
    }
    known = _known(meter, found)
    _forget(found, known, wanted)
    new = [values for key, values in wanted.items() if key not in known]
    return sum(_record(one, use, kind, meter, now) for one, use, kind in new)


def _known(meter: Meter, found: Iterable[Figures]) -> dict[Key, LimitAlert]:
    """The warnings that were given in the months of the figures, and for lifetime limits."""
    periods = {one.tenant_id: {one.period, NEVER} for one in found}
    rows = LimitAlert.objects.filter(meter=meter, tenant_id__in=periods, period__in=set().union(*periods.values()))
    return {
        (alert.tenant_id, alert.period, alert.limit, alert.kind): alert
        for alert in rows
        if alert.period in periods[alert.tenant_id]
    }


def _forget(found: Iterable[Figures], known: dict[Key, LimitAlert], wanted: Collection[Key]) -> None:
    """Drop warnings that stand no longer. Use only grows, so the limit is another one, or there is none any more.

    A forecast comes and goes with the pace: it may only warn again when the limit is another one.
    """
    allowed = {
        (one.tenant_id, period_of(one, use), use.reason.value): use.allowed for one in found for use in one.limit_uses()
    }
    gone = [
        alert.pk
        for key, alert in known.items()
        if key not in wanted and (alert.kind != Kind.FORECAST or allowed.get(key[:3]) != alert.allowed)
    ]
    if gone:
        LimitAlert.objects.filter(pk__in=gone).delete()


def kinds_of(use: LimitUse, *, refused: bool = False) -> list[LimitAlert.Kind]:
    """The thresholds that the limit has passed, and whether it will run out before the reset; none of a limit of nothing."""
    if not use.allowed:
        return []
    passed = [kind for kind, share in THRESHOLDS if 100 * use.used >= share * use.allowed]
    if refused and Kind.FULL not in passed and Kind.NINETY_FIVE in passed:
        passed.insert(0, Kind.FULL)
    if use.forecast is not None and use.used < use.allowed:
        passed.append(Kind.FORECAST)
    return passed


def period_of(found: Figures, use: LimitUse) -> str:
    """The month of a monthly limit; lifetime limits warn once ever."""
    return found.period if use.monthly else NEVER


def _refused(meter: Meter, found: Iterable[Figures]) -> set[tuple[uuid.UUID, str, Reason]]:
    """The nearly used limits that have denied a request in their period."""
    near = [(one, use) for one in found for use in one.limit_uses() if 100 * use.used >= NEARLY * use.allowed > 0]
    if not near:
        return set()
    rows = Denial.objects.filter(
        tenant_id__in={one.tenant_id for one, _use in near}, meter=meter, reason__in={use.reason for _one, use in near}
    )
    seen = set(rows.values_list("tenant_id", "period", "reason").order_by().distinct())
    ever = {(tenant_id, reason) for tenant_id, _period, reason in seen}
    return {
        (one.tenant_id, period_of(one, use), use.reason)
        for one, use in near
        if ((one.tenant_id, one.period, use.reason) in seen if use.monthly else (one.tenant_id, use.reason) in ever)
    }


@transaction.atomic
def _record(one: Figures, use: LimitUse, kind: LimitAlert.Kind, meter: Meter, now: datetime) -> bool:
    """One row and its audit entry; False when another worker was quicker."""
    period = period_of(one, use)
    values: list[Any] = [one.tenant_id, meter, period, use.reason.value, kind.value, use.used, use.allowed, now]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, values)
        row = cursor.fetchone()
    if row is None:
        return False
    append(
        tenant_id=one.tenant_id,
        actor=ACTOR,
        action="limit.warned",
        target_type="tenant",
        target_id=str(one.tenant_id),
        details={
            "limit": use.reason.value,
            "kind": kind.value,
            "period": period,
            "used_seconds": use.used,
            "allowed_seconds": use.allowed,
        },
    )
    return True


def notices_of(
    found: Sequence[Figures], meter: Meter, alerts: Collection[LimitAlert] | None = None
) -> dict[uuid.UUID, list[Notice]]:
    """The warnings of these tenants that still stand: a limit that was raised meanwhile has none any more."""
    if alerts is None:
        periods = {one.period for one in found} | {NEVER}
        tenants = [one.tenant_id for one in found]
        alerts = list(LimitAlert.objects.filter(tenant_id__in=tenants, meter=meter, period__in=periods))
    given = {(alert.tenant_id, alert.period, alert.limit, alert.kind) for alert in alerts}
    standing: dict[uuid.UUID, list[Notice]] = defaultdict(list)
    for one in found:
        for use in one.limit_uses() if one.current else []:
            key = (one.tenant_id, period_of(one, use), use.reason.value)
            refused = (*key, Kind.FULL.value) in given
            kinds = [kind for kind in kinds_of(use, refused=refused) if (*key, kind.value) in given]
            thresholds = [kind for kind in kinds if kind != Kind.FORECAST][:1]
            forecast = [Kind.FORECAST] if Kind.FORECAST in kinds else []
            standing[one.tenant_id] += [Notice(one, use, kind) for kind in [*thresholds, *forecast]]
    return dict(standing)


def pressing(tenants: QuerySet[Tenant], meter: Meter, *, at: datetime | None = None) -> list[Notice]:
    """The standing warnings from 80 % on, and the forecasts, of many tenants; the worst first."""
    now = at or timezone.now()
    since = f"{now - timedelta(days=32):%Y-%m}"
    alerts = LimitAlert.objects.filter(meter=meter, period__gte=since, tenant__in=tenants.order_by())
    given = list(alerts.exclude(kind=Kind.HALF))
    if not given:
        return []
    found = figures({alert.tenant_id for alert in given}, meter, at=now)
    notices = [notice for several in notices_of(found, meter, given).values() for notice in several]
    return sorted(notices, key=lambda notice: (notice.tone != "danger", -notice.use.used / max(notice.use.allowed, 1)))


def mail_is_set_up() -> bool:
    """Whether a mail server is named; without one nothing is sent, and pages say so."""
    return bool(settings.EMAIL_HOST)


def send_mails(meter: Meter, *, at: datetime | None = None) -> int:
    """Send what was recorded and not sent yet, one e-mail a tenant that is ready; return how many were sent.

    Whoever sends a warning claims it first, so runs that overlap send nothing twice. It is marked as sent after the mail
    server has taken it: a crash in between sends it a second time, never not at all. What was refused is tried again
    every 15 minutes for a day. All e-mails go over one connection, and the run ends in time for the next.
    """
    if not mail_is_set_up():
        return 0
    now, until = at or timezone.now(), time.monotonic() + SEND_FOR_S
    rows = LimitAlert.objects.filter(meter=meter, mailed_at=None, tenant__state=Tenant.State.READY)
    due: dict[uuid.UUID, list[LimitAlert]] = defaultdict(list)
    for alert in rows.filter(at__gt=now - SEND_WITHIN).exclude(claimed_at__gt=now - RETRY_AFTER):
        due[alert.tenant_id].append(alert)
    sent = 0
    server = get_connection()
    try:
        if due:
            server.open()
        for one in figures(list(due), meter, at=now) if due else []:
            if time.monotonic() > until:
                break
            sent += _send(server, one, meter, _claim(due[one.tenant_id], now))
    except (SMTPException, OSError) as error:
        logger.warning("The mail server failed (%s); e-mails about limits wait", type(error).__name__)
    finally:
        with suppress(SMTPException, OSError):
            server.close()
    return sent


def _send(server: BaseEmailBackend, one: Figures, meter: Meter, claimed: Sequence[LimitAlert]) -> bool:
    """Send a tenant's warnings and mark them; False when there is nothing to say or the message was refused.

    Raises SMTPException or OSError when the server itself failed.
    """
    notices = notices_of([one], meter, claimed).get(one.tenant_id, []) if claimed else []
    message = message_of(one, notices) if notices else None
    if message is None:
        return False
    try:
        server.send_messages([message])
    except (SMTPRecipientsRefused, SMTPResponseException) as error:
        logger.warning("E-mail about limits of tenant %s was refused: %s", one.tenant_id, type(error).__name__)
        return False
    LimitAlert.objects.filter(pk__in=[a.pk for a in claimed], mailed_at=None).update(mailed_at=timezone.now())
    return True


def _claim(alerts: Sequence[LimitAlert], now: datetime) -> list[LimitAlert]:
    """Those of a tenant's alerts that no other worker is sending, claimed for this one."""
    values: dict[str, Any] = {"ids": [alert.pk for alert in alerts], "now": now, "before": now - RETRY_AFTER}
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, values)
        mine = {row[0] for row in cursor.fetchall()}
    return [alert for alert in alerts if alert.pk in mine]


def message_of(one: Figures, notices: Sequence[Notice]) -> EmailMessage | None:
    """The e-mail to the tenant's contact and administrators, in the tenant's language; None when nobody has an address."""
    tenant = Tenant.objects.get(pk=one.tenant_id)
    admins = User.objects.filter(tenant=tenant, is_active=True, role__key=DefaultRole.TENANT_ADMIN).exclude(email="")
    addresses = list(
        dict.fromkeys(a for a in [tenant.contact_email, *admins.order_by("pk").values_list("email", flat=True)] if a)
    )
    if not addresses:
        return None
    with translation.override(tenant.language):
        lines = [notice.text for notice in notices]
        url = settings.BASE_URL.rstrip("/") + reverse("usage:tenant", args=[tenant.pk])
        body = "\n".join(
            [
                _("Transcription of %(tenant)s, %(month)s:") % {"tenant": tenant.name, "month": one.period},
                "",
                *(f"- {line}" for line in lines),
                "",
                _("Days until reset: %(days)s") % {"days": one.days_left},
                url,
            ]
        )
        subject = _("Transcription limits of %(tenant)s") % {"tenant": " ".join(tenant.name.split())}
        # One message, whoever reads it: either all of them get it or it is tried again.
        return EmailMessage(subject, body, to=addresses[:1], bcc=addresses[1:])
