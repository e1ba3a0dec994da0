"""Changes to users, and the keys of their names."""

import uuid

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts.models import Role, User
from audit.services import append
from core.errors import InvalidInput
from core.names import demand_name, folded
from core.validation import cleaned
from tenants.models import Tenant

MAX_KEY = 300


def key_of(username: str) -> str:
    """By what user names are compared and ranked (domain C26); names that look alike have the same one."""
    return folded(username)


def checked_key(username: str) -> str:
    """The key to store. Raises InvalidInput (``username``) when it is too long: some signs stand for many letters."""
    key = key_of(username)
    if len(key) > MAX_KEY:
        raise InvalidInput("username", _("This user name is too long."))
    return key


@transaction.atomic
def create_user(
    *,
    tenant: Tenant,
    username: str,
    password: str,
    role: Role | str,
    actor: str,
    full_name: str = "",
    email: str = "",
    group: str = "",
    time_zone: str = "",
) -> User:
    """Create a user. Raises InvalidInput naming the field and the rule; stores nothing then."""
    user = User(
        tenant=tenant,
        username=username.strip(),
        username_key=checked_key(username),
        role=role_for(tenant, role),
        full_name=full_name.strip(),
        email=email.strip(),
        group=group.strip(),
        time_zone=time_zone,
    )
    for field in ("full_name", "group"):
        demand_name(field, getattr(user, field))
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput("password", " ".join(error.messages)) from error
    user.set_password(password)
    cleaned(user, clash_field="username").save(force_insert=True)
    people_changed(tenant.pk)
    append(
        tenant_id=tenant.pk,
        actor=actor,
        action="user.created",
        target_type="user",
        target_id=str(user.pk),
        details={"username": user.username, "role": str(user.role)},
    )
    return user


def people_changed(tenant_id: uuid.UUID) -> None:
    """Say, inside the change's transaction, that users came, went, were renamed, enabled or disabled.

    Seats are ranked by user name (domain §4.4); who ranks them reads this number.
    """
    Tenant.objects.filter(pk=tenant_id).update(people_version=F("people_version") + 1)


def role_for(tenant: Tenant, role: Role | str) -> Role:
    """The role, or the built-in one of this key, if users of ``tenant`` may have it; raises InvalidInput else."""
    found = role if isinstance(role, Role) else Role.objects.filter(key=role or "-").first()
    if found is None or found.tenant_id not in (None, tenant.pk):
        raise InvalidInput("role", _("There is no such role."))
    if found.platform != tenant.is_system:
        raise InvalidInput("role", _("Users of the System tenant have a platform role, and nobody else has one."))
    return found
