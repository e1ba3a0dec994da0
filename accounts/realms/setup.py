"""How a tenant's realm is set up by its administrators: switch, lifetimes, origins, and whom it trusts (R1.1, R2.9)."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Role, User
from accounts.oidc.services import demand_master
from accounts.realms.models import RealmSetting, TrustedIssuer
from accounts.realms.selectors import setting_of
from accounts.roles.services import demand_grantable
from accounts.services import role_for
from accounts.sessions import end_realm_sessions
from audit.rivals import field_words, whose_change
from audit.services import append, changes
from core.errors import Conflict, InvalidInput, NotAllowed
from core.outbound import AddressRefused, OutboundPolicy, check_url
from core.validation import cleaned
from tenants.models import Tenant
from tenants.selectors import outbound_policy

CHANGED, ISSUER_ADDED, ISSUER_CHANGED = "realm.changed", "realm.issuer_added", "realm.issuer_changed"
FIELDS = (
    "enabled",
    "local_sign_in",
    "access_seconds",
    "refresh_seconds",
    "cors_origins",
    "participant_names",
    "legacy_id",
    "storage_megabytes",
)
ISSUER_FIELDS = (
    "enabled",
    "issuer",
    "jwks_uri",
    "clients",
    "mapping",
    "tenant_claim",
    "user_claim",
    "role_claim",
    "role_mode",
    "roles",
)
ORIGIN = re.compile(r"https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?\Z|https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?\Z")
ORIGINS_MOST, CLIENTS_MOST, ROLES_MOST = 50, 20, 50


@transaction.atomic
def save_setting(*, tenant: Tenant, values: Mapping[str, Any], version: int, editor: User) -> RealmSetting:
    """Store the realm's setting. Switching the API or passwords off ends the sessions that passwords have begun.

    Raises InvalidInput by field, Conflict, which says who changed what, when ``version`` is old or the tenant is
    deleted, NotAllowed when a tenant's own people change how much it may store (R4.2).
    """
    _lock(tenant)
    setting = setting_of(tenant)
    if setting.version != version:
        raise Conflict(_whose_change(tenant, str(tenant.pk), [CHANGED], version, RealmSetting))
    before = _facts(setting, FIELDS)
    if values["storage_megabytes"] != setting.storage_megabytes and not editor.tenant.is_system:
        raise NotAllowed(_("How much audio a tenant may store is decided by the provider's staff."))
    for name in FIELDS:
        setattr(setting, name, values[name])
    _check_origins(setting.cors_origins)
    setting.version = version + 1
    cleaned(setting, clash_field="enabled").save()
    ended = 0
    if not (setting.enabled and setting.local_sign_in):
        ended = end_realm_sessions(list(User.objects.filter(tenant=tenant).order_by().values_list("pk", flat=True)))
    old, new = changes(before, _facts(setting, FIELDS))
    details = {"version": version + 1} | ({"sessions_ended": ended} if ended else {})
    _audit(tenant, editor, CHANGED, str(tenant.pk), details, old, new)
    return setting


@transaction.atomic
def offer(*, tenant: Tenant, actor: str) -> bool:
    """Offer the API with the usual values where nothing was stored yet; True when that was so. For commands."""
    _lock(tenant)
    setting, made = RealmSetting.objects.get_or_create(tenant=tenant, defaults={"enabled": True})
    if made:
        append(
            tenant_id=tenant.pk,
            actor=actor,
            action=CHANGED,
            target_type="realm",
            target_id=str(tenant.pk),
            details={"version": setting.version},
            after=_facts(setting, FIELDS),
        )
    return made


@transaction.atomic
def save_issuer(
    *, tenant: Tenant, issuer: TrustedIssuer | None, values: Mapping[str, Any], version: int, editor: User
) -> TrustedIssuer:
    """Trust an issuer, or change how; ``values["roles"]`` are pairs of a claim's value and a role.

    Raises InvalidInput by field, Conflict, NotAllowed for an editor who lacks a right that people of the tenant hold or
    that a mapped role has: whoever names the issuer decides who everybody is.
    """
    _lock(tenant)
    demand_master(tenant, editor)
    row = issuer or TrustedIssuer(tenant=tenant, version=0)
    if issuer is not None:
        row = TrustedIssuer.objects.select_for_update().get(pk=issuer.pk, tenant=tenant)
    if row.version != version:
        raise Conflict(_whose_change(tenant, str(row.pk), [ISSUER_ADDED, ISSUER_CHANGED], version, TrustedIssuer))
    before = _facts(row, ISSUER_FIELDS)
    for name in ISSUER_FIELDS:
        setattr(row, name, values[name])
    row.roles = _roles(tenant, values["roles"], editor)
    _check_issuer(row)
    row.version = version + 1
    cleaned(row, clash_field="issuer").save()
    old, new = changes(before, _facts(row, ISSUER_FIELDS))
    action = ISSUER_CHANGED if issuer is not None else ISSUER_ADDED
    details = {"version": version + 1, "name": row.issuer}
    _audit(tenant, editor, action, str(row.pk), details, old if issuer is not None else None, new)
    return row


@transaction.atomic
def remove_issuer(*, issuer: TrustedIssuer, editor: User) -> None:
    """Trust it no more: its tokens are worth nothing at once. Raises Conflict when it was removed already."""
    if not TrustedIssuer.objects.filter(pk=issuer.pk).delete()[0]:
        raise Conflict(_("The issuer was removed already."))
    before = _facts(issuer, ISSUER_FIELDS)
    _audit(issuer.tenant, editor, "realm.issuer_removed", str(issuer.pk), {"name": issuer.issuer}, before, None)


def _lock(tenant: Tenant) -> None:
    if Tenant.objects.select_for_update().get(pk=tenant.pk).state == Tenant.State.DELETED:
        raise Conflict(_("The tenant is deleted and cannot be changed any more."))


def _check_origins(origins: list[str]) -> None:
    if len(origins) > ORIGINS_MOST:
        raise InvalidInput("cors_origins", _("At most %(most)s origins.") % {"most": ORIGINS_MOST})
    for origin in origins:
        if not ORIGIN.match(origin):
            message = _("“%(origin)s” is no origin: write https://host or https://host:port, in small letters.")
            raise InvalidInput("cors_origins", message % {"origin": origin[:100]})


def _check_issuer(row: TrustedIssuer) -> None:
    policy = outbound_policy()
    if row.issuer.startswith(f"{settings.BASE_URL.rstrip('/')}/realms/"):
        raise InvalidInput("issuer", _("This is an issuer of this installation."))
    _check_address("issuer", row.issuer, policy)
    if row.jwks_uri:
        _check_address("jwks_uri", row.jwks_uri, policy)
    if row.mapping == TrustedIssuer.Mapping.CLAIM and not row.tenant_claim:
        raise InvalidInput("tenant_claim", _("Name the claim."))
    if not row.clients or len(row.clients) > CLIENTS_MOST:
        raise InvalidInput("clients", _("Name one client at least, and %(most)s at most.") % {"most": CLIENTS_MOST})
    if row.role_claim and not row.roles:
        raise InvalidInput("roles", _("Say which role each value of the claim stands for."))


def _check_address(field: str, address: str, policy: OutboundPolicy) -> None:
    try:
        checked = check_url(address, policy, field=field)
    except AddressRefused as error:
        raise InvalidInput(field, error.message) from error
    if checked.scheme != "https" and not policy.lists_port(checked.port):
        raise InvalidInput(field, _("This must be an https:// address."))
    if field == "issuer" and (urlsplit(address).query or urlsplit(address).fragment):
        raise InvalidInput(field, _("An issuer has no query and no fragment."))


def _roles(tenant: Tenant, pairs: list[tuple[str, Role]], editor: User) -> list[list[Any]]:
    """As they are stored. Nobody maps a role that he could not give."""
    if len(pairs) > ROLES_MOST:
        raise InvalidInput("roles", _("At most %(most)s lines.") % {"most": ROLES_MOST})
    for _value, role in pairs:
        try:
            role_for(tenant, role)
        except InvalidInput as error:
            raise InvalidInput("roles", error.message) from error
        demand_grantable(editor, role)
    return [[value, role.pk] for value, role in pairs]


def _facts(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    facts = {name: getattr(row, name) for name in names}
    return {
        name: value if value is None or isinstance(value, (bool, int, list)) else str(value)
        for name, value in facts.items()
    }


def _whose_change(tenant: Tenant, target: str, actions: list[str], version: int, model: type[Any]) -> str:
    return whose_change(
        tenant_id=tenant.pk,
        target_type="realm",
        target_id=target,
        actions=actions,
        since=version,
        words=field_words(model),
        otherwise=_("Somebody else saved this page in the meantime. Reload it, then make your change again."),
    )


def _audit(
    tenant: Tenant,
    editor: User,
    action: str,
    target: str,
    details: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    append(
        tenant_id=tenant.pk,
        actor=editor.actor,
        action=action,
        target_type="realm",
        target_id=target,
        details=dict(details),
        before=before,
        after=after,
    )
