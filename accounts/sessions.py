"""Sessions: begun at sign-in, listed, seen, ended by their owner or an administrator."""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth import login
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.realms.models import RealmSession
from accounts.security_models import UserSession
from audit.services import append
from core.errors import Conflict
from core.logs import client_ip
from tenants import viewing

BACKEND = "accounts.backends.TenantUserBackend"
TRACKED, CONFIRMED, METHOD = "tracked", "confirmed_at", "method"
SEEN_EVERY = timedelta(minutes=1)
# For how long a sign-in, or a password asked again, opens the pages that change how one signs in.
RECENT = timedelta(minutes=15)


def begin(*, request: HttpRequest, user: User, method: str) -> None:
    """Sign ``user`` in: a new session id (hostile 3B16), an end that activity does not move, one audit row."""
    login(request, user, backend=BACKEND)
    now = timezone.now()
    ends = now + timedelta(seconds=settings.SESSION_COOKIE_AGE)
    session = request.session
    session.set_expiry(ends)
    session[TRACKED] = True
    session[CONFIRMED] = now.timestamp()
    session[METHOD] = method
    session.save()
    with transaction.atomic():
        UserSession.objects.create(
            user=user,
            session_key=session.session_key or "",
            address=client_ip.get(),
            user_agent=request.headers.get("User-Agent", "")[:300].replace("\x00", ""),
            method=method,
            seen_at=now,
            ends_at=ends,
        )
        User.objects.filter(pk=user.pk).update(last_sign_in_at=now)
        _record(user, user.actor, "user.signed_in", method=method)


def renewed(*, request: HttpRequest, old_key: str) -> None:
    """Follow a session to its new id."""
    UserSession.objects.filter(session_key=old_key).update(session_key=request.session.session_key)


def signed_out(*, user: User, session_key: str | None) -> None:
    """Audit a sign-out and forget its session."""
    with transaction.atomic():
        UserSession.objects.filter(session_key=session_key or "-").delete()
        _record(user, user.actor, "user.signed_out")


def seen(request: HttpRequest) -> None:
    """Note that the session is in use, at most once a minute."""
    if request.session.get(TRACKED):
        now = timezone.now()
        rows = UserSession.objects.filter(session_key=request.session.session_key, seen_at__lt=now - SEEN_EVERY)
        rows.update(seen_at=now, address=client_ip.get())


def confirmed_recently(request: HttpRequest) -> bool:
    """True when the person signed in, or gave the password again, within the last 15 minutes."""
    age = timezone.now().timestamp() - request.session.get(CONFIRMED, 0)
    return 0 <= age < RECENT.total_seconds()


def by_password(request: HttpRequest) -> bool:
    """True unless the session began at a provider, whose people may not know their password here."""
    return not str(request.session.get(METHOD, "")).startswith("oidc")


def confirmed(request: HttpRequest) -> None:
    """Note that the person has just proved who it is."""
    request.session[CONFIRMED] = timezone.now().timestamp()


def of(user: User) -> QuerySet[UserSession]:
    """The sessions of ``user`` that are alive, newest first."""
    alive = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    return UserSession.objects.filter(user=user, session_key__in=alive).order_by("-seen_at")


def revoke(*, session: UserSession, actor: str) -> None:
    """End one session; its next request is anonymous."""
    with transaction.atomic():
        _delete(UserSession.objects.filter(pk=session.pk))
        _record(session.user, actor, "user.session_revoked", started=_text(session.started_at), method=session.method)


def revoke_all(*, user: User, actor: str, except_key: str = "") -> int:
    """End all sessions of ``user`` but the one of ``except_key``; return how many."""
    with transaction.atomic():
        ended = end_quietly(user, except_key=except_key)
        _record(user, actor, "user.sessions_revoked", sessions_ended=ended)
    return ended


def end_quietly(user: User, *, except_key: str = "") -> int:
    """End the sessions inside a transaction that writes the audit row of the larger change; tokens of the API with them."""
    end_realm_sessions([user.pk])
    return _delete(UserSession.objects.filter(user=user).exclude(session_key=except_key))


def end_of_many(user_ids: Collection[uuid.UUID]) -> None:
    """End all sessions of these people, as ``end_quietly``."""
    end_realm_sessions(user_ids)
    _delete(UserSession.objects.filter(user__in=user_ids))


def end_realm_sessions(user_ids: Collection[uuid.UUID]) -> int:
    """End what stands behind these people's tokens of the offline-task API, so that they are worth nothing any more."""
    return RealmSession.objects.filter(user__in=user_ids, ended_at=None).update(ended_at=timezone.now())


def of_realm(user: User) -> QuerySet[RealmSession]:
    """The sessions of the offline-task API of ``user`` that are alive, newest first."""
    alive = RealmSession.objects.filter(user=user, ended_at=None, ends_at__gt=timezone.now())
    return alive.order_by("-started_at", "-pk")


def revoke_realm(*, session: RealmSession, actor: str) -> None:
    """End one session of the API; its tokens are worth nothing at once. Raises Conflict when it has ended already."""
    with transaction.atomic():
        if not RealmSession.objects.filter(pk=session.pk, ended_at=None).update(ended_at=timezone.now()):
            raise Conflict(_("The session has ended already."))
        _record(session.user, actor, "realm.session_revoked", started=_text(session.started_at), client=session.client)


def forget_ended() -> int:
    """Remove what has ended; return how many sessions of people that were."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    return UserSession.objects.filter(ends_at__lt=timezone.now()).delete()[0]


def _delete(rows: QuerySet[UserSession]) -> int:
    """Delete these sessions; return how many were alive. A view as a tenant that dies with one has its row."""
    keys = list(rows.values_list("session_key", flat=True))
    found = Session.objects.filter(session_key__in=keys)
    # Only platform staff can be looking at a tenant.
    owners = rows.filter(user__tenant__is_system=True).order_by("pk")
    staff = {row.session_key: row.user for row in owners.select_related("user__tenant")}
    for session in found.filter(session_key__in=list(staff)).order_by("session_key"):
        viewing.ended_with(stored=session.get_decoded(), user=staff[session.session_key])
    ended = found.filter(expire_date__gt=timezone.now()).count()
    found.delete()
    UserSession.objects.filter(session_key__in=keys).delete()
    return ended


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _record(user: User, actor: str, action: str, **details: str | int) -> None:
    append(
        tenant_id=user.tenant_id,
        actor=actor,
        action=action,
        target_type="user",
        target_id=str(user.pk),
        details=dict(details),
    )
