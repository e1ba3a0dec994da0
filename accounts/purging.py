"""What of a deleted tenant's people is destroyed: everything that says who they were or lets them in.

The rows of users stay, because ledger and audit trail name them by id; they then name nobody.
"""

import uuid

from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.db import connection

from accounts.models import User
from accounts.realms.models import RealmKey, RealmSession, RealmSetting, TrustedIssuer
from accounts.security_models import LinkedIdentity, RecoveryCode, SecondFactor, TenantSignIn, UserSession
from accounts.services import people_changed

# No person can have a user name with a colon, so none of these is ever taken.
ANONYMISE = """
UPDATE accounts_user u SET
    username = 'deleted:' || n.place, username_key = 'deleted:' || n.place, full_name = '', email = '', "group" = '',
    managed_groups = '{}', time_zone = '', language = '', password = %(password)s, must_change_password = false,
    is_active = false, last_login = NULL, last_sign_in_at = NULL, version = u.version + 1
FROM (
    SELECT id, row_number() OVER (ORDER BY created_at, id) AS place FROM accounts_user WHERE tenant_id = %(tenant)s
) n
WHERE u.id = n.id
"""


def purge_people(tenant_id: uuid.UUID) -> int:
    """Anonymise the tenant's users and delete their sessions and means of sign-in; return how many users there are.

    Runs in the transaction that makes the tenant a deleted one.
    """
    people = User.objects.filter(tenant=tenant_id).order_by()
    own = {"user__in": people.select_related(None).values("pk")}
    sessions = UserSession.objects.filter(**own)
    Session.objects.filter(session_key__in=sessions.values("session_key")).delete()
    for rows in (
        sessions,
        SecondFactor.objects.filter(**own),
        RecoveryCode.objects.filter(**own),
        LinkedIdentity.objects.filter(tenant=tenant_id),
        TenantSignIn.objects.filter(tenant=tenant_id),
        RealmSession.objects.filter(**own),
        RealmKey.objects.filter(tenant=tenant_id),
        RealmSetting.objects.filter(tenant=tenant_id),
        TrustedIssuer.objects.filter(tenant=tenant_id),
        User.managed_tenant_groups.through.objects.filter(**own),
    ):
        rows.delete()
    with connection.cursor() as cursor:
        cursor.execute(ANONYMISE, {"tenant": tenant_id, "password": make_password(None)})
        number = cursor.rowcount
    people_changed(tenant_id)
    return number
