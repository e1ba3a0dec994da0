"""Granting and revoking licences, saving a user with his licences, and doing both for many."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import User
from accounts.people import append_many, chunks, password_hash, store_user
from accounts.people import set_enabled as set_people_enabled
from accounts.permissions import Permission
from accounts.services import key_of, people_changed
from audit.services import append
from core.errors import NotAllowed
from licensing.models import NOBODY, Bundle, UserLicence
from licensing.seats.effects import Effect, Holder, demand_confirmed, effect_of, holders_of
from licensing.selectors import METERED_BUNDLE, seat_limits
from licensing.statements import entitlements_changed
from tenants.models import Tenant, TenantGroup
from tenants.services import lock_present

METERED = frozenset(METERED_BUNDLE.values())


@transaction.atomic
def grant(*, user: User, bundle: Bundle, actor: str) -> None:
    """Give ``user`` the licence; giving it twice changes nothing."""
    _licence, created = UserLicence.objects.get_or_create(user=user, bundle=bundle)
    if created:
        entitlements_changed(user.tenant_id)
        _audit(user, bundle, "licence.granted", actor)


def save_person(
    *,
    user: User | None,
    tenant: Tenant,
    version: int,
    values: Mapping[str, Any],
    licences: Collection[str] | None,
    editor: User,
    password: str = "",
    tenant_groups: Sequence[TenantGroup] | None = None,
    confirmed: str = "",
) -> User:
    """Make a user (``user`` None) or change the given version of one, with his licences: one transaction, one row.

    ``values`` as ``accounts.people.store_user``; ``licences`` None leaves them. Raises what that raises, NotAllowed
    without the right to edit users or to assign licences, and SeatsExceeded while people would be left without service
    and ``confirmed`` does not name this effect (domain C45).
    """
    wanted = None if licences is None else {Bundle(code) for code in licences}
    hashed = password_hash(password, user or User(tenant=tenant, **_names(values))) if password else ""
    with transaction.atomic():
        held = _held(user)
        target = held if wanted is None else wanted
        _demand_rights(user, values, held != target, editor)
        effects = _person_effects(user, tenant, values, held, target)
        stored = store_user(
            user=user,
            tenant=tenant,
            version=version,
            values=values,
            editor=editor,
            hashed=hashed,
            tenant_groups=tenant_groups,
        )
        demand_confirmed(effects, confirmed)
        if held & METERED and user is not None and not user.is_active and stored.user.is_active:
            # More people fill the pool: who was held back by it looks again.
            entitlements_changed(tenant.pk)
        if held != target:
            _set_licences(stored.user, held, target)
            stored.before["licences"], stored.after["licences"] = sorted(held), sorted(target)
        append(
            tenant_id=tenant.pk,
            actor=editor.actor,
            action="user.created" if user is None else "user.changed",
            target_type="user",
            target_id=str(stored.user.pk),
            details={"username": stored.user.username, "version": stored.user.version},
            before=stored.before,
            after=stored.after,
        )
    return stored.user


@transaction.atomic
def set_enabled(*, users: QuerySet[User], enabled: bool, editor: User) -> int:
    """As ``accounts.people.set_enabled``; enabling licensed people raises the pool, so held records look again."""
    if enabled:
        concerned = User.objects.filter(pk__in=users.order_by().values("pk"), is_active=False).select_related(None)
        # Locks in the order of every change of people and licences: users, tenant, account, audit chain.
        locked = list(concerned.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
        licensed = UserLicence.objects.filter(user__in=locked, bundle__in=METERED).order_by()
        for tenant_id in sorted(set(licensed.values_list("user__tenant_id", flat=True))):
            people_changed(tenant_id)
            entitlements_changed(tenant_id)
    return set_people_enabled(users=users, enabled=enabled, editor=editor)


def set_licence(*, users: QuerySet[User], bundle: Bundle, held: bool, editor: User) -> int:
    """Give all of ``users`` the licence, or take it from them; return for how many something changed.

    One audit row a tenant; 10,000 users take a few statements. Raises NotAllowed without the right, Conflict when a
    tenant concerned is deleted.
    """
    if not editor.has(Permission.LICENCES_ASSIGN):
        raise NotAllowed(editor.lacking(Permission.LICENCES_ASSIGN))
    holding = UserLicence.objects.filter(bundle=bundle).values("user")
    concerned = users.exclude(pk__in=holding) if held else users.filter(pk__in=holding)
    with transaction.atomic():
        by_tenant: dict[uuid.UUID, list[uuid.UUID]] = {}
        for pk, tenant_id in concerned.order_by("username_key", "pk").values_list("pk", "tenant_id"):
            by_tenant.setdefault(tenant_id, []).append(pk)
        lock_present(by_tenant)
        # Always in the same order, so that two batches cannot wait for each other.
        for tenant_id, ids in sorted(by_tenant.items()):
            entitlements_changed(tenant_id)
            for chunk in chunks(ids):
                rows = [UserLicence(user_id=pk, bundle=bundle) for pk in chunk]
                if held:
                    UserLicence.objects.bulk_create(rows, ignore_conflicts=True)
                else:
                    UserLicence.objects.filter(user_id__in=chunk, bundle=bundle).delete()
            action = "licences.granted" if held else "licences.revoked"
            append_many(tenant_id=tenant_id, editor=editor, action=action, ids=ids, bundle=bundle.value)
    return sum(len(ids) for ids in by_tenant.values())


def licence_effects(users: QuerySet[User], bundle: Bundle, *, held: bool) -> list[tuple[uuid.UUID, Effect]]:
    """For each tenant whose seats are limited: what ``set_licence`` would do."""
    coming: dict[uuid.UUID, list[Holder]] = {}
    rows = users.filter(is_active=True).values_list("tenant_id", "username_key", "pk", "username", "full_name")
    for tenant_id, key, pk, username, full_name in rows:
        coming.setdefault(tenant_id, []).append(Holder(key, pk, username, full_name))
    found = []
    for tenant_id, people in sorted(coming.items()):
        seats = seat_limits(tenant_id).get(bundle)
        if seats is None:
            continue
        change: dict[str, Any] = {"add": people} if held else {"remove": [holder.pk for holder in people]}
        before = holders_of(tenant_id, bundle)
        found.append((tenant_id, effect_of(bundle, before, seats=seats, new_seats=seats, **change)))
    return found


def _person_effects(
    user: User | None, tenant: Tenant, values: Mapping[str, Any], held: set[Bundle], target: set[Bundle]
) -> list[Effect]:
    """What the change does in each bundle with limited seats; read before anything is written."""
    active = bool(values.get("is_active", user.is_active if user is not None else True))
    name = str(values.get("username", user.username if user is not None else "")).strip()
    key = key_of(name)
    old = (user.username_key, user.is_active) if user is not None else None
    effects = []
    for code, seats in seat_limits(tenant.pk).items():
        bundle = Bundle(code)
        if (key, active) == old and (bundle in held) == (bundle in target):
            continue
        pk = user.pk if user is not None else NOBODY
        add = [Holder(key, pk, name, str(values.get("full_name", "")))] if active and bundle in target else []
        before = holders_of(tenant.pk, bundle)
        effects.append(effect_of(bundle, before, seats=seats, new_seats=seats, add=add, remove=[pk]))
    return effects


def _demand_rights(user: User | None, values: Mapping[str, Any], licences: bool, editor: User) -> None:
    needed = []
    if user is None or any(getattr(user, field) != value for field, value in values.items()):
        needed.append(Permission.USERS_EDIT)
    if licences:
        needed.append(Permission.LICENCES_ASSIGN)
    for code in needed:
        if not editor.has(code):
            raise NotAllowed(editor.lacking(code))


def _held(user: User | None) -> set[Bundle]:
    if user is None:
        return set()
    return {Bundle(code) for code in UserLicence.objects.filter(user=user).values_list("bundle", flat=True)}


def _set_licences(user: User, held: set[Bundle], target: set[Bundle]) -> None:
    UserLicence.objects.filter(user=user, bundle__in=held - target).delete()
    UserLicence.objects.bulk_create(UserLicence(user=user, bundle=bundle) for bundle in sorted(target - held))
    entitlements_changed(user.tenant_id)


def _names(values: Mapping[str, Any]) -> dict[str, str]:
    """What a password must not resemble."""
    return {name: str(values.get(name, "")) for name in ("username", "full_name", "email")}


def _audit(user: User, bundle: Bundle, action: str, actor: str) -> None:
    append(
        tenant_id=user.tenant_id,
        actor=actor,
        action=action,
        target_type="user",
        target_id=str(user.pk),
        details={"bundle": bundle.value},
    )
