"""One refresh token in several requests at the same time, over connections of their own: so without a test's transaction."""

import threading
import uuid
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from accounts.models import User
from accounts.realms import keys, services, tokens
from accounts.realms.models import RealmKey, RealmSession, RealmSetting


def test_racing_requests_get_one_pair_of_tokens_and_end_the_session(django_db_setup, django_db_blocker, monkeypatch):
    # The audit trail keeps what is committed, also for other tests.
    monkeypatch.setattr(services, "_record", lambda *facts, **details: None)
    now, answers = timezone.now(), []
    with django_db_blocker.unblock():
        ada = User.objects.get(username="ada", tenant__slug="acme")
        setting = RealmSetting(tenant=ada.tenant)
        row = RealmSession.objects.create(
            user=ada,
            client="browser_client",
            scope="email",
            refresh_id=uuid.uuid4(),
            seen_at=now,
            ends_at=now + timedelta(hours=1),
        )
        session = tokens.Session(row.pk, ada, row.client, row.scope)
        refresh = tokens.refresh_token(session, identity=row.refresh_id, now=now, seconds=600)

        def renew() -> None:
            try:
                grant = services.by_refresh_token(
                    tenant=ada.tenant, setting=setting, client="browser_client", token=refresh
                )
                answers.append(grant.access_seconds)
            except services.GrantRefused as refused:
                answers.append(refused.description)
            finally:
                connection.close()

        threads = [threading.Thread(target=renew) for _number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        row.refresh_from_db()
        RealmSession.objects.all().delete()
        RealmKey.objects.all().delete()
        keys.forget()
        connection.close()
    assert answers.count(300) == 1
    assert set(answers) - {300} <= {"Invalid refresh token", "Token is not active"}
    assert row.ended_at is not None
