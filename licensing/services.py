"""Granting and revoking licences."""

from django.db import transaction

from accounts.models import User
from audit.services import append
from licensing.models import Bundle, UserLicence
from licensing.statements import entitlements_changed


@transaction.atomic
def grant(*, user: User, bundle: Bundle, actor: str) -> None:
    """Give ``user`` the licence; giving it twice changes nothing."""
    _licence, created = UserLicence.objects.get_or_create(user=user, bundle=bundle)
    if created:
        entitlements_changed(user.tenant_id)
        _audit(user, bundle, "licence.granted", actor)


@transaction.atomic
def revoke(*, user: User, bundle: Bundle, actor: str) -> None:
    """Take the licence away; what is already uploaded to an engine is still finished (domain C21)."""
    deleted, _by_model = UserLicence.objects.filter(user=user, bundle=bundle).delete()
    if deleted:
        entitlements_changed(user.tenant_id)
        _audit(user, bundle, "licence.revoked", actor)


def _audit(user: User, bundle: Bundle, action: str, actor: str) -> None:
    append(
        tenant_id=user.tenant_id,
        actor=actor,
        action=action,
        target_type="user",
        target_id=str(user.pk),
        details={"bundle": bundle.value},
    )
