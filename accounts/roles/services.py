"""Changes to roles, and the rules that every change of somebody's rights keeps (hostile 3F9).

Nobody gives what he lacks, nobody edits the role he has himself, and a tenant keeps an administrator.
"""

from collections.abc import Collection
from copy import copy
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Role, User
from accounts.permissions import ALL_CODES, PLATFORM_CODES, SYSTEM_CODES, AccessScope, DefaultRole, label_of
from accounts.roles.selectors import administers, administrators, is_platform_staff, last_change
from accounts.security_models import TenantSignIn
from audit.services import append, changes
from core.errors import Conflict, InvalidInput, NotAllowed
from core.moves import move
from core.names import demand_name, folded
from core.validation import cleaned
from tenants.models import Tenant
from tenants.selectors import visible_tenants


@transaction.atomic
def save_role(
    *,
    role: Role | None,
    tenant: Tenant,
    name: str,
    scope: str,
    codes: Collection[str],
    editor: User,
    version: int = 1,
    copied_from: str = "",
) -> Role:
    """Make a role of ``tenant`` (``role`` None) or change the given version of one.

    Rights and scope that the editor lacks may stay in a role, but cannot be put into it. Raises NotAllowed for those,
    for the editor's own role, a built-in one and a tenant the editor does not administer; InvalidInput for a broken
    name, an unknown right or one of the platform in a tenant's role; Conflict when somebody saved in the meantime,
    and when the tenant would be left without an administrator.
    """
    before = frozenset(role.granted) if role is not None else frozenset()
    after = frozenset(codes)
    _demand_editable(role, tenant, editor)
    _demand_held(after - before, editor)
    _check_rights(tenant, after - before)
    _check_scope(role, tenant, scope, editor)
    _check_reach(after - before, scope)
    saved = Role(tenant=tenant, platform=tenant.is_system) if role is None else copy(role)
    saved.name, saved.scope, saved.granted = name.strip(), scope, sorted(after)
    if role is None or saved.name != role.name:
        _check_name(saved.name)
    details: dict[str, Any] = {"added": sorted(after - before), "removed": sorted(before - after)}
    if role is None:
        cleaned(saved, clash_field="name").save(force_insert=True)
        details |= {"copied_from": copied_from} if copied_from else {}
        _record("role.created", editor, saved, {}, _values(saved), details)
        return saved
    current = Role.objects.filter(pk=role.pk, version=version, key="")
    if not current.exists():
        raise Conflict(_changed_by(role))
    saved.version = version + 1
    cleaned(saved, clash_field="name")
    move(current, conflict=_changed_by(role), version=saved.version, **_values(saved))
    if administers(role) and not administers(saved):
        demand_admin(tenant)
    _record("role.changed", editor, saved, _values(role), _values(saved), details)
    return saved


def clone_role(*, role: Role, tenant: Tenant, name: str, editor: User) -> Role:
    """A copy of any visible role as an own one of ``tenant``; rights that the tenant's roles cannot have are left out.

    Raises as ``save_role``: also a copy gives nothing that the editor lacks.
    """
    codes = role.permissions if tenant.is_system else role.permissions - PLATFORM_CODES
    return save_role(
        role=None, tenant=tenant, name=name, scope=role.reach, codes=codes, editor=editor, copied_from=str(role)
    )


@transaction.atomic
def delete_role(*, role: Role, editor: User) -> None:
    """Delete an own role. Raises NotAllowed as ``save_role``, Conflict while users have it, or would get it when single
    sign-on makes them."""
    _demand_editable(role, role.tenant, editor)
    # The row is locked, so that nobody is given the role between the count and the deletion.
    current = Role.objects.select_for_update(of=("self",)).filter(pk=role.pk, key="").first()
    if current is None:
        raise Conflict(_("The role was deleted in the meantime."))
    use = use_of(current)
    if use:
        raise Conflict(use)
    values = dict.fromkeys(_values(current))
    _record("role.deleted", editor, current, _values(current), values, {"removed": sorted(current.granted)})
    current.delete()


def demand_grantable(editor: User, role: Role) -> None:
    """Raise NotAllowed unless ``editor`` may give ``role`` to somebody.

    All its rights must be among the editor's, its scope within the editor's, and a platform role is given by
    platform staff alone.
    """
    if role.platform and not is_platform_staff(editor):
        raise NotAllowed(_("Only platform staff give platform roles."))
    _demand_held(role.permissions, editor)
    if not AccessScope.within(role.reach, reach_of(editor, platform=role.platform)):
        raise NotAllowed(_("The access scope of this role is wider than yours."))


def refusal_to_manage(username: str, role: Role, editor: User) -> str:
    """Why ``editor`` may not touch the sign-in, role or groups of this user of ``role``; empty when he may.

    The same rule as ``demand_grantable``, in the words of the one who is changed.
    """
    lacking = lacked(role.permissions, editor)
    if lacking:
        text = _(
            "%(user)s holds rights that you lack (%(right)s), so you cannot change how they sign in or what they may do."
        )
        return text % {"user": username, "right": label_of(lacking[0])}
    try:
        demand_grantable(editor, role)
    except NotAllowed:
        text = _("%(user)s sees further than you, so you cannot change how they sign in or what they may do.")
        return text % {"user": username}
    return ""


def lacked(codes: Collection[str], editor: User) -> list[str]:
    """Which of these rights ``editor`` does not hold, in order."""
    return sorted((frozenset(codes) & ALL_CODES) - editor.rights)


def reach_of(editor: User, *, platform: bool) -> str:
    """The widest scope that the editor may give. Platform staff who manage a tenant reach all of it."""
    return AccessScope.SYSTEM if is_platform_staff(editor) and not platform else editor.scope


def demand_admin(tenant: Tenant) -> None:
    """Raise Conflict when nobody active in the tenant is left who may edit users and roles.

    Call it inside the transaction, after the change and before its audit row, and only for changes that take these
    rights from somebody (``administers(role)``). Two such changes of one tenant wait for each other here; the second
    one counts what the first has left.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("demand_admin needs the transaction of the change")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 11))", [f"administrators:{tenant.pk}"])
    if not administrators(tenant).exists():
        raise Conflict(_("Nobody would be left who may edit users and roles. Give somebody else these rights first."))


def refusal_to_edit(role: Role | None, tenant: Tenant | None, editor: User) -> str:
    """Why ``editor`` may not change this role, as a sentence; empty when he may."""
    if role is not None and role.key:
        return _("Built-in roles come with the product and cannot be changed. Clone this one to change the copy.")
    if role is not None and role.pk == editor.role_id:
        return _("This is your own role. Somebody else has to change it.")
    if tenant is None or not visible_tenants(editor).filter(pk=tenant.pk).exists():
        return _("You do not administer the tenant of this role.")
    return ""


def use_of(role: Role) -> str:
    """Why the role cannot be deleted now, as a sentence; empty when nothing needs it."""
    number = User.objects.filter(role=role).count()
    if number:
        message = ngettext("%(n)s user has this role.", "%(n)s users have this role.", number) % {"n": f"{number:,}"}
        return message + " " + _("Give them another one first.")
    if TenantSignIn.objects.filter(oidc_default_role=role).exists():
        return _("Users made by single sign-on get this role. Choose another one in the sign-in settings first.")
    return ""


def _demand_editable(role: Role | None, tenant: Tenant | None, editor: User) -> None:
    refusal = refusal_to_edit(role, tenant, editor)
    if refusal:
        raise NotAllowed(refusal)


def _demand_held(codes: Collection[str], editor: User) -> None:
    lacking = lacked(codes, editor)
    if lacking:
        raise NotAllowed(_("You lack the right “%(code)s” yourself, so you cannot give it.") % {"code": lacking[0]})


def _check_name(name: str) -> None:
    """An own role must not pass for a built-in one: whoever gives roles by name would give the wrong one."""
    demand_name("name", name)
    taken = {folded(text) for key in DefaultRole for text in (key.value, str(key.label))}
    taken |= {folded(text) for text in Role.objects.exclude(key="").values_list("name", flat=True)}
    if folded(name) in taken:
        raise InvalidInput("name", _("This is the name of a built-in role. Choose another one."))


def _check_rights(tenant: Tenant, added: frozenset[str]) -> None:
    if not added <= ALL_CODES:
        raise InvalidInput("granted", _("There is no right “%(code)s”.") % {"code": min(added - ALL_CODES)[:60]})
    if not tenant.is_system and added & PLATFORM_CODES:
        message = _("“%(code)s” is a right of the platform; a tenant's role cannot have it.")
        raise InvalidInput("granted", message % {"code": min(added & PLATFORM_CODES)})


def _check_scope(role: Role | None, tenant: Tenant, scope: str, editor: User) -> None:
    if scope not in AccessScope.values:
        raise InvalidInput("scope", _("There is no such access scope."))
    reach = reach_of(editor, platform=tenant.is_system)
    if (role is None or scope != role.scope) and not AccessScope.within(scope, reach):
        raise NotAllowed(_("Your own access scope is narrower, so you cannot give this one."))


def _check_reach(added: frozenset[str], scope: str) -> None:
    if added & SYSTEM_CODES and scope != AccessScope.SYSTEM:
        text = _("“%(right)s” concerns all tenants, so it needs the access scope “System”.")
        raise InvalidInput("granted", text % {"right": label_of(min(added & SYSTEM_CODES))})


def _changed_by(role: Role) -> str:
    """Who saved the role in the meantime, and what (hostile 3F7)."""
    entry = last_change(role)
    if entry is None:
        return _("The role was changed in the meantime. Reload and try again.")
    parts = [_("In the meantime the role was changed by %(actor)s.") % {"actor": entry.actor}]
    for name, label in (("added", _("Added: %(codes)s.")), ("removed", _("Removed: %(codes)s."))):
        if entry.details.get(name):
            parts.append(label % {"codes": ", ".join(entry.details[name])})
    return " ".join([*parts, _("Reload and try again.")])


def _values(role: Role) -> dict[str, Any]:
    """What a person can change."""
    return {"name": role.name, "scope": str(role.scope), "granted": role.granted}


def _record(
    action: str, editor: User, role: Role, old: dict[str, Any], new: dict[str, Any], details: dict[str, Any]
) -> None:
    assert role.tenant_id is not None
    before, after = changes(old, new)
    append(
        tenant_id=role.tenant_id,
        actor=editor.actor,
        actor_tenant_id=editor.tenant_id,
        action=action,
        target_type="role",
        target_id=str(role.pk),
        details={"name": role.name, **details},
        before=before,
        after=after,
    )
