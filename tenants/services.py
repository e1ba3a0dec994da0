"""Changes to tenants, tenant groups and allowed addresses."""

import copy
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import get_supported_language_variant, gettext_lazy
from django.utils.translation import gettext as _

from audit.rivals import whose_change
from audit.services import append, changes, grouped
from core.errors import Conflict, InvalidInput
from core.moves import move
from core.names import demand_name
from core.outbound import AddressRefused, listable
from core.validation import cleaned
from tenants import tasks
from tenants.keys import new_wrapped_key
from tenants.models import AllowedAddress, Tenant, TenantGroup
from tenants.selectors import users_of_group

# Names that mean something else in addresses, in the database or to people (hostile 3F6).
RESERVED_SLUGS = frozenset(
    ["system", "master", "public", "admin", "api", "www", "static", "media", "healthz", "readyz", "realms"]
)
RESERVED_PREFIXES = ("pg_", "t_")
GENERAL_FIELDS = ("name", "time_zone", "language", "contact_name", "contact_email", "contact_phone")
NAMES = ("name", "contact_name")
RETENTION_FIELDS = ("audio_days", "transcript_days", "call_days", "job_history_days")
NO_VALIDATION = ("wrapped_data_key", "schema_name")
ADDRESS_RULES = {
    "cidr": gettext_lazy("This is no network in CIDR form, for example 10.1.2.3/32."),
    "never": gettext_lazy(
        "Link-local, metadata, multicast and unspecified addresses are never allowed, nor a network that holds one."
    ),
    "tunnel": gettext_lazy("IPv6 addresses that carry an IPv4 address inside are listed one by one (/128)."),
}


def check_slug(slug: str) -> None:
    """Raise InvalidInput when a new tenant may not have this short name; ``create_tenant`` checks the same.

    A deleted tenant's short name stays its own: statements and the audit trail name it.
    """
    if slug.casefold() in RESERVED_SLUGS or slug.casefold().startswith(RESERVED_PREFIXES):
        raise InvalidInput("slug", _("This short name is reserved."))
    holder = Tenant.objects.filter(slug__iexact=slug).first()
    if holder is not None and holder.state == Tenant.State.DELETED:
        raise InvalidInput("slug", _("This short name was used by a deleted tenant."))
    if holder is not None:
        raise InvalidInput("slug", _("This short name is taken."))


@transaction.atomic
def create_tenant(
    *,
    slug: str,
    name: str,
    actor: str,
    time_zone: str = "UTC",
    language: str = "en-gb",
    is_system: bool = False,
    contact: dict[str, str] | None = None,
    groups: Sequence[TenantGroup] = (),
) -> Tenant:
    """Create a tenant in state new; a task provisions its schema after the commit.

    ``contact`` holds contact_name, contact_email and contact_phone; ``language`` may be given without its country.
    Raises InvalidInput naming the field and its rule, Conflict when somebody stored the short name at this moment.
    """
    if not is_system:
        check_slug(slug)
    with suppress(LookupError):
        language = get_supported_language_variant(language)
    tenant = Tenant(slug=slug, name=name.strip(), time_zone=time_zone, language=language, is_system=is_system)
    for field, value in (contact or {}).items():
        setattr(tenant, field, value.strip())
    for field in NAMES:
        demand_name(field, getattr(tenant, field))
    tenant.wrapped_data_key = new_wrapped_key(tenant)
    cleaned(tenant, clash_field="slug", exclude=NO_VALIDATION)
    try:
        with transaction.atomic():
            tenant.save(force_insert=True)
    except IntegrityError:
        raise Conflict(_("A tenant with this short name was stored at the same moment.")) from None
    tenant.groups.set(groups)
    _bump_groups(group.pk for group in groups)
    append(
        tenant_id=tenant.pk,
        actor=actor,
        action="tenant.created",
        target_type="tenant",
        target_id=str(tenant.pk),
        details={
            "slug": slug,
            "name": tenant.name,
            "time_zone": time_zone,
            "language": language,
            "groups": [group.name for group in groups],
        },
    )
    transaction.on_commit(lambda: tasks.request_provisioning(tenant.pk))
    return tenant


@transaction.atomic
def edit_tenant(
    *, tenant: Tenant, version: int, values: dict[str, Any], actor: str, groups: Sequence[TenantGroup] | None = None
) -> None:
    """Store ``values`` (GENERAL_FIELDS or RETENTION_FIELDS) and, unless None, the tenant's groups.

    Raises InvalidInput at a field, and Conflict, which says who changed what, when ``version`` is no longer the
    stored one (hostile 3F7) or the tenant is deleted.
    """
    wanted = copy.copy(tenant)
    for field, value in values.items():
        setattr(wanted, field, value.strip() if isinstance(value, str) else value)
    for field in NAMES:
        if getattr(wanted, field) != getattr(tenant, field):
            demand_name(field, getattr(wanted, field))
    cleaned(wanted, clash_field="name", exclude=NO_VALIDATION)
    _check_retention(wanted)
    stored = {field: getattr(wanted, field) for field in values}
    same = Tenant.objects.filter(pk=tenant.pk, version=version).exclude(state=Tenant.State.DELETED)
    if not same.update(**stored, version=F("version") + 1):
        raise Conflict(_whose_change(tenant, version))
    before, after = changes({field: getattr(tenant, field) for field in stored}, stored)
    if groups is not None:
        old = sorted(group.name for group in tenant.groups.all())
        tenant.groups.set(groups)
        new = sorted(group.name for group in groups)
        if old != new:
            before["groups"], after["groups"] = old, new
            _bump_groups(TenantGroup.objects.filter(name__in={*old} ^ {*new}).values_list("pk", flat=True))
    append(
        tenant_id=tenant.pk,
        actor=actor,
        action="tenant.changed",
        target_type="tenant",
        target_id=str(tenant.pk),
        details={"version": version + 1},
        before=before,
        after=after,
    )


def _check_retention(tenant: Tenant) -> None:
    """Nothing of a call outlives the call."""
    if tenant.call_days is None:
        return
    for field in ("audio_days", "transcript_days"):
        days = getattr(tenant, field)
        if days is not None and days > tenant.call_days:
            raise InvalidInput(field, _("This cannot be kept longer than the call itself."))


def _whose_change(tenant: Tenant, version: int) -> str:
    """What stands above the form of the second of two people who saved it."""
    current = Tenant.objects.get(pk=tenant.pk)
    if current.state == Tenant.State.DELETED:
        return _("The tenant is deleted and cannot be changed any more.")
    return whose_change(
        tenant_id=tenant.pk,
        target_type="tenant",
        target_id=str(tenant.pk),
        actions=["tenant.changed"],
        since=version,
        words=lambda name, _value: _field_label(name),
        otherwise=_("The tenant was changed in the meantime. Reload the page and try again."),
    )


def _field_label(name: str) -> str:
    return str(_("tenant groups") if name == "groups" else Tenant._meta.get_field(name).verbose_name)  # type: ignore[union-attr]


@transaction.atomic
def set_state(*, tenant: Tenant, old: Tenant.State, new: Tenant.State, actor: str) -> None:
    """Suspend, resume or close a tenant. Raises Conflict when it is not in state ``old`` any more.

    Raises InvalidInput for a move that is none, and for the System tenant.
    """
    allowed = {
        (Tenant.State.READY, Tenant.State.SUSPENDED),
        (Tenant.State.SUSPENDED, Tenant.State.READY),
        (Tenant.State.SUSPENDED, Tenant.State.CLOSED),
    }
    if (old, new) not in allowed or tenant.is_system:
        raise InvalidInput("state", _("A tenant goes from ready to suspended and back, and from suspended to closed."))
    move(
        Tenant.objects.filter(pk=tenant.pk, state=old),
        state=new,
        conflict=_("The tenant is in another state by now. Reload the page."),
    )
    append(
        tenant_id=tenant.pk,
        actor=actor,
        action=f"tenant.{new}",
        target_type="tenant",
        target_id=str(tenant.pk),
        details={"from": old},
    )


def demand_present(tenant: Tenant) -> None:
    """Raise Conflict when the tenant, as it was read, is deleted: its users name nobody, and nothing of them changes."""
    if tenant.state == Tenant.State.DELETED:
        raise Conflict(_("“%(name)s” is deleted and cannot be changed any more.") % {"name": tenant.name})


def lock_present(tenant_ids: Iterable[uuid.UUID]) -> None:
    """Keep the tenants from being deleted until the transaction ends. Raises Conflict when one is deleted already."""
    for tenant in Tenant.objects.select_for_update(no_key=True).filter(pk__in=list(tenant_ids)).order_by("pk"):
        demand_present(tenant)


@transaction.atomic
def allow_address(*, cidr: str, port: int, note: str, actor: str, audit_tenant: Tenant) -> AllowedAddress:
    """List an inside address for engines; listing it again changes nothing.

    Raises InvalidInput naming the rule, also for what the outbound guard refuses even when listed (hostile 3G1).
    """
    try:
        network = listable(cidr)
    except AddressRefused as error:
        raise InvalidInput("cidr", str(ADDRESS_RULES[error.rule])) from error
    if not 1 <= port <= 65535:
        raise InvalidInput("port", _("A port is between 1 and 65535."))
    address, created = AllowedAddress.objects.get_or_create(
        cidr=str(network.network_address), prefix_length=network.prefixlen, port=port, defaults={"note": note[:200]}
    )
    if created:
        append(
            tenant_id=audit_tenant.pk,
            actor=actor,
            action="allowed_address.created",
            target_type="allowed_address",
            target_id=str(address.pk),
            details={"network": str(network), "port": port},
        )
    return address


@transaction.atomic
def disallow_address(*, address: AllowedAddress, actor: str, audit_tenant: Tenant) -> None:
    """Take an address off the list; engines cannot reach it any more: new connections are refused from now on."""
    identity, text, port = address.pk, f"{address.cidr}/{address.prefix_length}", address.port
    address.delete()
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action="allowed_address.deleted",
        target_type="allowed_address",
        target_id=str(identity),
        details={"network": text, "port": port},
    )


def disallow_addresses(*, addresses: Sequence[AllowedAddress], actor: str, audit_tenant: Tenant) -> int:
    """Take several addresses off the list, in one audit row; return how many there were."""
    if addresses:
        with grouped(
            tenant_id=audit_tenant.pk,
            actor=actor,
            action="allowed_address.several_deleted",
            target_type="allowed_address",
            target_id=",".join(str(address.pk) for address in addresses)[:64],
        ):
            for address in addresses:
                disallow_address(address=address, actor=actor, audit_tenant=audit_tenant)
    return len(addresses)


@transaction.atomic
def create_group(*, name: str, tenants: Sequence[Tenant], actor: str, audit_tenant: Tenant) -> TenantGroup:
    """Create a tenant group. Raises InvalidInput when the name is taken or blank."""
    group = TenantGroup(name=_group_name(name))
    cleaned(group, clash_field="name").save(force_insert=True)
    group.tenants.set(tenants)
    _bump_tenants(tenant.pk for tenant in tenants)
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action="tenant_group.created",
        target_type="tenant_group",
        target_id=str(group.pk),
        details={"name": group.name, "tenants": [tenant.slug for tenant in tenants]},
    )
    return group


@transaction.atomic
def edit_group(
    *, group: TenantGroup, version: int, name: str, tenants: Sequence[Tenant], actor: str, audit_tenant: Tenant
) -> None:
    """Rename a group and set its members: whoever manages the group, and what is scoped to it, follows at once.

    Raises InvalidInput for the name; Conflict, which says who changed what, when ``version`` is no longer the stored one.
    """
    wanted = _group_name(name, but=group.pk)
    old = {tenant.pk: tenant.slug for tenant in group.tenants.all()}
    new = {tenant.pk: tenant.slug for tenant in tenants}
    same = TenantGroup.objects.filter(pk=group.pk, version=version)
    if not same.update(name=wanted, version=version + 1):
        raise Conflict(_whose_group_change(group, version, audit_tenant))
    group.tenants.set(tenants)
    _bump_tenants(old.keys() ^ new.keys())
    before, after = changes(
        {"name": group.name, "tenants": sorted(old.values())}, {"name": wanted, "tenants": sorted(new.values())}
    )
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action="tenant_group.changed",
        target_type="tenant_group",
        target_id=str(group.pk),
        details={"version": version + 1},
        before=before,
        after=after,
    )


def _whose_group_change(group: TenantGroup, version: int, audit_tenant: Tenant) -> str:
    if not TenantGroup.objects.filter(pk=group.pk).exists():
        return _("The group is deleted already.")
    labels = {"name": _("name"), "tenants": _("tenants")}
    return whose_change(
        tenant_id=audit_tenant.pk,
        target_type="tenant_group",
        target_id=str(group.pk),
        actions=["tenant_group.changed"],
        since=version,
        words=lambda name, value: f"{labels[name]}: {', '.join(value) if name == 'tenants' else value}",
        # What is left: somebody put a tenant into the group, or took it out, on the page of that tenant.
        otherwise=_(
            "The tenants of the group were changed in the meantime on the page of a tenant. Reload the page and try again."
        ),
    )


@transaction.atomic
def delete_group(*, group: TenantGroup, actor: str, audit_tenant: Tenant) -> None:
    """Delete a group; its tenants stay. Raises Conflict, naming the users of the group, while it has any."""
    # Whoever begins to use the group now waits for this lock and then finds no group.
    locked = TenantGroup.objects.select_for_update().filter(pk=group.pk).first()
    if locked is None:
        raise Conflict(_("The group is deleted already."))
    used = users_of_group(locked)
    if used:
        text = ", ".join(f"{number} × {label}" for label, number in used)
        raise Conflict(_("The group is in use: %(users)s. Nothing was deleted.") % {"users": text})
    members = list(locked.tenants.values_list("pk", "slug"))
    _bump_tenants(pk for pk, _slug in members)
    locked.delete()
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action="tenant_group.deleted",
        target_type="tenant_group",
        target_id=str(group.pk),
        details={"name": group.name, "tenants": [slug for _pk, slug in members]},
    )


def _group_name(name: str, but: int | None = None) -> str:
    wanted = name.strip()
    same = TenantGroup.objects.filter(name__iexact=wanted)
    if not wanted or (same if but is None else same.exclude(pk=but)).exists():
        raise InvalidInput("name", _("A group needs a name that is not taken."))
    if len(wanted) > 120:
        raise InvalidInput("name", _("A name has at most 120 characters."))
    demand_name("name", wanted)
    return wanted


# Membership is edited from both sides; each side's open form must notice what the other one did.
def _bump_tenants(tenant_ids: Iterable[uuid.UUID]) -> None:
    Tenant.objects.filter(pk__in=list(tenant_ids)).update(version=F("version") + 1)


def _bump_groups(group_ids: Iterable[int]) -> None:
    TenantGroup.objects.filter(pk__in=list(group_ids)).update(version=F("version") + 1)
