"""Changes that people make to themselves."""

from collections.abc import Mapping

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import append
from core.errors import Conflict
from core.names import demand_name
from core.validation import cleaned

# The address is not among them: single sign-on may find users by it.
FIELDS = ("full_name", "time_zone", "language")


@transaction.atomic
def save_profile(*, user: User, values: Mapping[str, str], version: int, actor: str) -> User:
    """Store one's own name, zone and language. Raises InvalidInput by field, Conflict on an old ``version``."""
    current = User.objects.select_for_update(of=("self",)).get(pk=user.pk)
    if current.version != version:
        raise Conflict(_("This profile was changed in the meantime. Reload it, then make your change again."))
    before = {name: getattr(current, name) for name in FIELDS}
    for name in FIELDS:
        setattr(current, name, values[name].strip())
    if current.full_name != before["full_name"]:
        demand_name("full_name", current.full_name)
    cleaned(current, clash_field="full_name", exclude=["password"])
    after = {name: getattr(current, name) for name in FIELDS}
    User.objects.filter(pk=user.pk, version=version).update(**after, version=F("version") + 1)
    append(
        tenant_id=user.tenant_id,
        actor=actor,
        action="user.profile_changed",
        target_type="user",
        target_id=str(user.pk),
        details={name: [before[name], after[name]] for name in FIELDS if before[name] != after[name]},
    )
    current.version = version + 1
    return current
