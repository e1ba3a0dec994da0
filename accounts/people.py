"""Storing users and changing many of them: the rules, without licences, which stand above this app.

Nobody changes the own role or groups or disables himself; nobody touches the sign-in of somebody who has rights that he
lacks, or gives access to groups that he does not see; a tenant keeps an administrator (hostile 3F9).
"""

import hashlib
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from accounts.models import Role, User
from accounts.permissions import AccessScope
from accounts.roles.selectors import administers, administrators
from accounts.roles.services import demand_admin, demand_grantable, reach_of, refusal_to_manage
from accounts.services import checked_key, people_changed, role_for
from accounts.sessions import end_of_many, end_quietly
from audit.models import AuditEntry
from audit.services import append, changes
from core.errors import Conflict, InvalidInput, NotAllowed
from core.moves import move
from core.names import demand_name
from core.validation import cleaned
from tenants.models import Tenant, TenantGroup
from tenants.selectors import groups_open_to, visible_tenants
from tenants.services import demand_present

FIELDS = ("username", "full_name", "email", "role", "group", "managed_groups", "time_zone", "is_active")
# Who can change these of somebody can sign in as him, shut him out, or decide who hears him and whom he hears.
GUARDED = ("username", "email", "is_active", "group", "managed_groups")
CHUNK = 5000
LISTED = 1000


@dataclass(frozen=True, slots=True)
class Stored:
    """A user as stored, and what the audit row of the change says."""

    user: User
    before: dict[str, Any]
    after: dict[str, Any]


class _Row(NamedTuple):
    """What is asked of a user who is one of many."""

    pk: uuid.UUID
    tenant_id: uuid.UUID
    role_id: int
    is_active: bool
    username_key: str
    username: str


def password_hash(password: str, user: User) -> str:
    """The hash to store; slow on purpose, so it is made before the transaction. Raises InvalidInput (``password``)."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput("password", " ".join(error.messages)) from error
    return make_password(password)


def store_user(
    *,
    user: User | None,
    tenant: Tenant,
    version: int,
    values: Mapping[str, Any],
    editor: User,
    hashed: str = "",
    tenant_groups: Sequence[TenantGroup] | None = None,
) -> Stored:
    """Make a user of ``tenant`` (``user`` None) or change the given version of one; the caller writes the audit row.

    ``values`` are some of FIELDS. ``hashed`` is the password of a new user, who has to change it; without one the user
    can sign in by single sign-on only. ``tenant_groups`` are those that platform staff manage. Raises InvalidInput at
    a field, NotAllowed and Conflict by the rules of this module, Conflict also when somebody else saved meanwhile.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("store_user needs the transaction of the change")
    _demand_tenant(tenant, editor)
    old = user
    wanted = User(tenant=tenant) if old is None else copy(old)
    for field, value in values.items():
        setattr(wanted, field, value.strip() if isinstance(value, str) else value)
    wanted.username_key = checked_key(wanted.username)
    _check_names(old, wanted)
    _check_role(old, wanted, tenant, editor)
    _check_groups(old, wanted, tenant, editor)
    _check_tenant_groups(old, tenant_groups, editor)
    if old is None:
        wanted.password = hashed or make_password(None)
        wanted.must_change_password = bool(hashed)
        cleaned(wanted, clash_field="username").save(force_insert=True)
    else:
        _demand_changeable(old, wanted, editor)
        cleaned(wanted, clash_field="username", exclude=["password"])
        _write(old, wanted, version)
    before, after = changes(_shown(old, values) if old is not None else {}, _shown(wanted, values))
    if tenant_groups is not None:
        names = [sorted(group.name for group in groups) for groups in (_managed(old), tenant_groups)]
        wanted.managed_tenant_groups.set(tenant_groups)
        if names[0] != names[1]:
            before["managed_tenant_groups"], after["managed_tenant_groups"] = names
    if old is None or old.username_key != wanted.username_key or old.is_active != wanted.is_active:
        people_changed(tenant.pk)
    if old is not None and old.is_active:
        if administers(old.role) and not (wanted.is_active and administers(wanted.role)):
            demand_admin(tenant)
        if not wanted.is_active:
            end_quietly(old)
    return Stored(wanted, before, after)


def demand_manageable(user: User, editor: User) -> None:
    """Raise NotAllowed when ``user`` holds rights that ``editor`` lacks: who can sign in as him would have them."""
    refusal = refusal_to_manage(user.username, user.role, editor) if user.pk != editor.pk else ""
    if refusal:
        raise NotAllowed(refusal)


def demand_other(user: User, editor: User) -> None:
    """Raise NotAllowed for oneself, and for somebody who holds rights that ``editor`` lacks."""
    if user.pk == editor.pk:
        raise NotAllowed(_("Change your own password, second factors and sessions in your profile."))
    demand_manageable(user, editor)


def open_groups(editor: User, tenant: Tenant) -> frozenset[str] | None:
    """The groups that ``editor`` may put people of ``tenant`` into, or in charge of; None: all.

    Whoever does not see everything passes on only what he sees himself.
    """
    if reach_of(editor, platform=tenant.is_system) == AccessScope.SYSTEM:
        return None
    return frozenset({editor.group, *editor.managed_groups}) - {""}


def group_problem(before: str | None, after: str, allowed: frozenset[str] | None) -> str:
    """Why nobody who is open to ``allowed`` groups may move a person from group ``before`` (None: a new one).

    Both ends count: who could fetch people out of other groups, or those who are in none, would hear their calls.
    """
    if allowed is None or before == after:
        return ""
    if after and after not in allowed:
        return _("This is not one of your groups.")
    if before is not None and before not in allowed:
        if not before:
            return _("Who is in no group can be put into one only by somebody who sees all groups.")
        return _("The present group, “%(name)s”, is not one of yours.") % {"name": before}
    return ""


@transaction.atomic
def set_enabled(*, users: QuerySet[User], enabled: bool, editor: User) -> int:
    """Enable or disable those of ``users`` who are not yet; the editor himself is left out. Returns how many.

    One audit row a tenant. Disabling ends sessions. Raises NotAllowed for people beyond the editor's rights, Conflict
    when a tenant would have no administrator left.
    """
    rows = [row for row in _locked(users.filter(is_active=not enabled)) if row.is_active != enabled]
    rows = [row for row in rows if enabled or row.pk != editor.pk]
    _present_roles(rows, editor)
    former = {row.pk: "disabled" if enabled else "enabled" for row in rows}
    return _change_many(rows, editor, "enabled" if enabled else "disabled", {"is_active": enabled}, former)


@transaction.atomic
def set_role(*, users: QuerySet[User], role: Role, editor: User) -> int:
    """Give ``role`` to those of ``users`` who have another one. Returns how many; one audit row a tenant.

    Raises NotAllowed for the editor himself, for a role or people beyond the editor's rights; InvalidInput when the
    role is not one of each tenant concerned; Conflict when a tenant would have no administrator left.
    """
    demand_grantable(editor, role)
    rows = [row for row in _locked(users.exclude(role=role)) if row.role_id != role.pk]
    if any(row.pk == editor.pk for row in rows):
        raise NotAllowed(_("You cannot change your own role."))
    roles = _present_roles(rows, editor)
    for tenant in Tenant.objects.filter(pk__in={row.tenant_id for row in rows}):
        role_for(tenant, role)
    return _change_many(rows, editor, "role_set", {"role": role}, {row.pk: str(roles[row.role_id]) for row in rows})


def _locked(users: QuerySet[User]) -> list[_Row]:
    """``users`` as they are now and stay until the transaction ends: what is judged is what is changed.

    Always in the same order, so that two batches cannot wait for each other. Who was changed while this waited is
    among them, whatever he has become.
    """
    people = User.objects.filter(pk__in=users.order_by().values("pk")).select_related(None).order_by("pk")
    fields = people.select_for_update(no_key=True).values_list(
        "pk", "tenant_id", "role_id", "is_active", "username_key", "username"
    )
    return sorted((_Row(*values) for values in fields), key=lambda row: (row.username_key, row.pk))


def _present_roles(rows: Sequence[_Row], editor: User) -> dict[int, Role]:
    """The roles of these people. Raises NotAllowed when one of them holds rights that ``editor`` lacks."""
    first: dict[int, str] = {}
    for row in rows:
        if row.pk != editor.pk:
            first.setdefault(row.role_id, row.username)
    roles = Role.objects.filter(pk__in=first).order_by("pk")
    for role in roles:
        refusal = refusal_to_manage(first[role.pk], role, editor)
        if refusal:
            raise NotAllowed(refusal)
    return {role.pk: role for role in roles}


def _change_many(
    rows: Sequence[_Row], editor: User, what: str, new: dict[str, Any], former: Mapping[uuid.UUID, str]
) -> int:
    by_tenant: dict[uuid.UUID, list[uuid.UUID]] = {}
    for row in rows:
        by_tenant.setdefault(row.tenant_id, []).append(row.pk)
    for tenant in Tenant.objects.filter(pk__in=by_tenant).order_by("pk"):
        demand_present(tenant)
        ids = by_tenant[tenant.pk]
        had_admin = administrators(tenant).exists()
        for chunk in chunks(ids):
            move(User.objects.filter(pk__in=chunk), expect=len(chunk), **new, version=F("version") + 1)
            if new.get("is_active") is False:
                end_of_many(chunk)
        if "is_active" in new:
            people_changed(tenant.pk)
        if had_admin:
            demand_admin(tenant)
        said = {name: str(value) if name == "role" else value for name, value in new.items()}
        said["former"] = dict(Counter(former[pk] for pk in ids))
        append_many(tenant_id=tenant.pk, editor=editor, action=f"users.{what}", ids=ids, **said)
    return len(rows)


def append_many(*, tenant_id: uuid.UUID, editor: User, action: str, ids: Sequence[uuid.UUID], **details: Any) -> None:
    """The one audit row of a batch: how many, whom, and what was done."""
    append(
        tenant_id=tenant_id,
        actor=editor.actor,
        action=action,
        target_type="user",
        target_id=str(ids[0]) if len(ids) == 1 else "",
        details={"count": len(ids), "first": str(ids[0]), "last": str(ids[-1]), **details, **touched(ids)},
    )


def touched(ids: Sequence[uuid.UUID]) -> dict[str, Any]:
    """Whom a batch changed, for its audit row, where the trail of one of them looks for ``ids``.

    Of more than a thousand the first ones, and the SHA-256 digest of all ids, one a line, in their order: enough to
    prove afterwards who they were.
    """
    texts = [str(pk) for pk in ids]
    if len(texts) <= LISTED:
        return {"ids": texts}
    return {"ids": texts[:LISTED], "ids_sha256": hashlib.sha256("\n".join(texts).encode()).hexdigest()}


def chunks(ids: Sequence[uuid.UUID]) -> Iterable[Sequence[uuid.UUID]]:
    """Pieces that one statement takes."""
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


def whose_change(user: User, version: int) -> str:
    """What stands above the form of the second of two people who saved it (hostile 3F7)."""
    latest = AuditEntry.objects.filter(tenant_id=user.tenant_id, target_type="user", target_id=str(user.pk))
    rows = [row for row in latest.order_by("-position")[:20] if row.details.get("version", 0) > version]
    if not rows:
        return _("The user was changed in the meantime. Reload the page and try again.")
    fields = sorted({field for row in rows for field in row.after or {}})
    return _("Changed in the meantime by %(who)s: %(fields)s. Reload the page and try again.") % {
        "who": ", ".join(sorted({row.actor for row in rows})),
        "fields": ", ".join(_label(field) for field in fields) or "–",
    }


def _write(old: User, wanted: User, version: int) -> None:
    stored = {field: getattr(wanted, field) for field in (*FIELDS, "username_key")}
    same = User.objects.filter(pk=old.pk, version=version)
    if not same.exists():
        raise Conflict(whose_change(old, version))
    move(same, conflict=whose_change(old, version), **stored, version=version + 1)
    wanted.version = version + 1


def _demand_tenant(tenant: Tenant, editor: User) -> None:
    if not visible_tenants(editor).filter(pk=tenant.pk).exists():
        raise NotAllowed(_("You do not administer this tenant."))
    demand_present(tenant)


def _check_role(old: User | None, wanted: User, tenant: Tenant, editor: User) -> None:
    if old is not None and old.role_id == wanted.role_id:
        return
    if old is not None and old.pk == editor.pk:
        raise NotAllowed(_("You cannot change your own role."))
    role_for(tenant, wanted.role)
    demand_grantable(editor, wanted.role)
    if old is not None:
        demand_manageable(old, editor)


def _check_names(old: User | None, wanted: User) -> None:
    """Those that are new; what is stored already may stay."""
    for field in ("full_name", "group"):
        if old is None or getattr(old, field) != getattr(wanted, field):
            demand_name(field, getattr(wanted, field))
    for name in set(wanted.managed_groups) - set(old.managed_groups if old is not None else ()):
        demand_name("managed_groups", name)


def _check_groups(old: User | None, wanted: User, tenant: Tenant, editor: User) -> None:
    """Who hears somebody, and whom he hears, depends on these: not his own, and no other than the editor's."""
    before = (old.group, set(old.managed_groups)) if old is not None else ("", set())
    after = (wanted.group, set(wanted.managed_groups))
    if before == after:
        return
    if old is not None and old.pk == editor.pk:
        raise NotAllowed(_("You cannot change your own groups."))
    allowed = open_groups(editor, tenant)
    if allowed is None:
        return
    problem = group_problem(None if old is None else old.group, wanted.group, allowed)
    if problem:
        raise InvalidInput("group", problem)
    foreign = after[1] - before[1] - allowed
    if foreign:
        raise InvalidInput("managed_groups", _("“%(name)s” is not one of your groups.") % {"name": min(foreign)})


def _check_tenant_groups(old: User | None, wanted: Sequence[TenantGroup] | None, editor: User) -> None:
    """The same for the groups of tenants that platform staff manage."""
    before, after = {group.pk for group in _managed(old)}, {group.pk for group in wanted or ()}
    if wanted is None or before == after:
        return
    if old is not None and old.pk == editor.pk:
        raise NotAllowed(_("You cannot change your own groups."))
    if not after - before <= set(groups_open_to(editor).values_list("pk", flat=True)):
        raise InvalidInput("managed_tenant_groups", _("You do not manage all of these groups yourself."))


def _demand_changeable(old: User, wanted: User, editor: User) -> None:
    if old.pk == editor.pk and not wanted.is_active:
        raise Conflict(_("You cannot disable your own account."))
    if any(getattr(old, field) != getattr(wanted, field) for field in GUARDED):
        demand_manageable(old, editor)


def _managed(user: User | None) -> list[TenantGroup]:
    return list(user.managed_tenant_groups.all()) if user is not None else []


def _shown(user: User, values: Mapping[str, Any]) -> dict[str, Any]:
    return {field: str(user.role) if field == "role" else getattr(user, field) for field in values}


def _label(name: str) -> str:
    known = {field.name: field for field in User._meta.get_fields()}
    return str(getattr(known.get(name), "verbose_name", name))
