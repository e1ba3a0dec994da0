"""Applying an import: all lines, or the good ones, in one transaction with one audit row."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Role, User
from accounts.passwords import new_password
from accounts.people import CHUNK, password_hash, touched
from accounts.permissions import Permission
from accounts.roles.selectors import administrators
from accounts.roles.services import demand_admin
from accounts.services import people_changed
from accounts.sessions import end_of_many
from audit.services import append
from core.errors import Conflict, InvalidInput, NotAllowed
from licensing.models import UserLicence
from licensing.people.imports.planning import CHANGE, CREATE, ERROR, Plan, Step, make_plan, takes_an_administrator
from licensing.people.imports.reading import Sheet
from licensing.statements import entitlements_changed
from tenants.models import Tenant
from tenants.selectors import visible_tenants
from tenants.services import demand_present

LISTED = 100
MEANWHILE = gettext_lazy("Users were changed in the meantime. Check the file again.")
# One statement a piece; what a line does not change stays.
CHANGE_USERS = """
UPDATE accounts_user u SET
    username = coalesce(v.username, u.username), full_name = coalesce(v.full_name, u.full_name),
    email = coalesce(v.email, u.email), "group" = coalesce(v."group", u."group"),
    time_zone = coalesce(v.time_zone, u.time_zone), is_active = coalesce(v.is_active, u.is_active),
    role_id = coalesce(v.role_id, u.role_id), version = u.version + 1
FROM jsonb_to_recordset(%s::jsonb) AS v(pk uuid, username text, full_name text, email text, "group" text,
    time_zone text, is_active boolean, role_id bigint, version int)
WHERE u.id = v.pk AND u.version = v.version
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was done. ``passwords``: those that were made here, by line number; they are stored nowhere."""

    plan: Plan
    passwords: dict[int, str]


def apply_import(*, sheet: Sheet, tenant: Tenant, editor: User, invite: bool, good_only: bool) -> Imported:
    """Create and change the users of ``sheet``.

    Raises NotAllowed without the rights, InvalidInput (``file``) while a line has an error and not only the good ones
    are wanted, or a password breaks a rule, Conflict when users were changed while it ran or nobody could administer
    the tenant any more. Nothing is stored then.
    """
    _demand(tenant, editor)
    plan = make_plan(sheet, tenant=tenant, editor=editor, invite=invite)
    errors = plan.counts[ERROR]
    if errors and not good_only:
        raise InvalidInput("file", _("%(n)s lines have errors; nothing was stored.") % {"n": f"{errors:,}"})
    made = {step.line.number: new_password() for step in plan.of(CREATE)} if invite else {}
    # Slow on purpose, so it is done before the transaction.
    hashes = dict(_hashes(plan.of(CREATE), made))
    try:
        with transaction.atomic():
            again = make_plan(sheet, tenant=tenant, editor=editor, invite=invite)
            if again.signature() != plan.signature():
                raise Conflict(str(MEANWHILE))
            _store(again, tenant, hashes)
            _record(again, sheet, tenant, editor)
    except IntegrityError:
        # A user of a name in the file, or a licence, came between the plan and its rows.
        raise Conflict(str(MEANWHILE)) from None
    made = {number: text for number, text in made.items() if number not in _given(plan)}
    return Imported(plan, made)


def _demand(tenant: Tenant, editor: User) -> None:
    if not editor.has(Permission.USERS_EDIT):
        raise NotAllowed(editor.lacking(Permission.USERS_EDIT))
    if not visible_tenants(editor).filter(pk=tenant.pk).exists():
        raise NotAllowed(_("You do not administer this tenant."))
    demand_present(tenant)


def _given(plan: Plan) -> set[int]:
    """Lines that bring a password along."""
    return {step.line.number for step in plan.of(CREATE) if step.line.values.get("password")}


def _hashes(steps: Sequence[Step], made: dict[int, str]) -> Iterator[tuple[int, str]]:
    for step in steps:
        line = step.line
        text = line.values.get("password") or made.get(line.number)
        if not text:
            continue
        user = User(**{name: step.new.get(name, "") for name in ("username", "full_name", "email")})
        try:
            yield line.number, password_hash(text, user)
        except InvalidInput as error:
            problem = _("Line %(line)s, password: %(rule)s") % {"line": line.number, "rule": error.message}
            raise InvalidInput("file", problem) from error


def _store(plan: Plan, tenant: Tenant, hashes: dict[int, str]) -> None:
    creating, changing = plan.of(CREATE), plan.of(CHANGE)
    roles = {
        role.pk: role for role in Role.objects.filter(pk__in={s.new["role_id"] for s in changing if "role_id" in s.new})
    }
    had_admin = administrators(tenant).exists()
    for piece in _pieces(creating):
        users = [_new_user(step, tenant, hashes) for step in piece]
        User.objects.bulk_create(users)
        for step, user in zip(piece, users, strict=True):
            step.user_id = user.pk
    _licences([*creating, *changing])
    for piece in _pieces(sorted((step for step in changing if step.new), key=lambda step: str(step.user_id))):
        _change(piece)
    disabled = [s.user_id for s in changing if s.new.get("is_active") is False and s.user_id is not None]
    end_of_many(disabled)
    if had_admin and takes_an_administrator(changing, roles):
        demand_admin(tenant)
    if creating or changing:
        people_changed(tenant.pk)
        entitlements_changed(tenant.pk)


def _new_user(step: Step, tenant: Tenant, hashes: dict[int, str]) -> User:
    hashed = hashes.get(step.line.number, "")
    password = hashed or make_password(None)
    return User(tenant=tenant, password=password, must_change_password=bool(hashed), **step.new)


def _change(steps: Sequence[Step]) -> None:
    """Change the versions that the plan has seen, or raise Conflict.

    The rows are locked as late as can be and in the same order by everybody, so that no two changes of many wait for
    each other; only the sign-ins of these people wait, and nobody's new session.
    """
    people = User.objects.filter(pk__in=[step.user_id for step in steps]).select_related(None).order_by("pk")
    list(people.select_for_update(no_key=True).values_list("pk"))
    rows = orjson.dumps([{**step.new, "pk": step.user_id, "version": step.version} for step in steps]).decode()
    with connection.cursor() as cursor:
        cursor.execute(CHANGE_USERS, [rows])
        if cursor.rowcount != len(steps):
            raise Conflict(str(MEANWHILE))


def _licences(steps: Sequence[Step]) -> None:
    granted = [
        UserLicence(user_id=step.user_id, bundle=bundle)
        for step in steps
        if step.user_id is not None
        for bundle in sorted(step.grant)
    ]
    UserLicence.objects.bulk_create(granted, batch_size=CHUNK)
    revoked: dict[Any, list[uuid.UUID]] = {}
    for step in steps:
        for bundle in step.revoke:
            revoked.setdefault(bundle, []).append(step.user_id)  # type: ignore[arg-type]
    for bundle, ids in revoked.items():
        for piece in _pieces(ids):
            UserLicence.objects.filter(bundle=bundle, user_id__in=piece).delete()


def _record(plan: Plan, sheet: Sheet, tenant: Tenant, editor: User) -> None:
    """One row: the numbers, the file, and the first hundred users with what changed of them."""
    concerned = plan.of(CREATE, CHANGE)
    if not concerned:
        return
    listed = [{"username": s.line.username, "what": s.what, "fields": s.fields} for s in concerned[:LISTED]]
    append(
        tenant_id=tenant.pk,
        actor=editor.actor,
        action="users.imported",
        target_type="user",
        target_id="",
        details={
            **plan.counts,
            "granted": sum(len(step.grant) for step in concerned),
            "revoked": sum(len(step.revoke) for step in concerned),
            "sha256": sheet.digest,
            "first": str(concerned[0].user_id),
            "last": str(concerned[-1].user_id),
            **touched([step.user_id for step in concerned if step.user_id is not None]),
            "users": listed,
        },
    )


def _pieces(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))
