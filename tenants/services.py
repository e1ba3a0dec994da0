"""Changes to tenants."""

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.services import append
from core.errors import InvalidInput
from core.moves import move
from core.outbound import AddressRefused, listable
from core.validation import cleaned
from tenants import tasks
from tenants.keys import new_wrapped_key
from tenants.models import AllowedAddress, Tenant, TenantGroup

ADDRESS_RULES = {
    "cidr": gettext_lazy("This is no network in CIDR form, for example 10.1.2.3/32."),
    "never": gettext_lazy(
        "Link-local, metadata, multicast and unspecified addresses are never allowed, nor a network that holds one."
    ),
    "tunnel": gettext_lazy("IPv6 addresses that carry an IPv4 address inside are listed one by one (/128)."),
}


@transaction.atomic
def create_tenant(
    *,
    slug: str,
    name: str,
    actor: str,
    time_zone: str = "UTC",
    language: str = "en-gb",
    is_system: bool = False,
) -> Tenant:
    """Create a tenant in state new; a task provisions its schema after the commit.

    Raises InvalidInput naming the field (short name, name, time zone) and its rule.
    """
    tenant = Tenant(slug=slug, name=name.strip(), time_zone=time_zone, language=language, is_system=is_system)
    tenant.wrapped_data_key = new_wrapped_key(tenant)
    cleaned(tenant, clash_field="slug", exclude=["wrapped_data_key"]).save(force_insert=True)
    append(
        tenant_id=tenant.pk,
        actor=actor,
        action="tenant.created",
        target_type="tenant",
        target_id=str(tenant.pk),
        details={"slug": slug, "name": tenant.name, "time_zone": time_zone},
    )
    transaction.on_commit(lambda: tasks.request_provisioning(tenant.pk))
    return tenant


@transaction.atomic
def set_state(*, tenant: Tenant, old: Tenant.State, new: Tenant.State, actor: str) -> None:
    """Suspend, resume or close a tenant. Raises Conflict when it is not in state ``old`` any more."""
    allowed = {
        (Tenant.State.READY, Tenant.State.SUSPENDED),
        (Tenant.State.SUSPENDED, Tenant.State.READY),
        (Tenant.State.SUSPENDED, Tenant.State.CLOSED),
    }
    if (old, new) not in allowed or tenant.is_system:
        raise InvalidInput("state", _("A tenant goes from ready to suspended and back, and from suspended to closed."))
    move(Tenant.objects.filter(pk=tenant.pk, state=old), state=new)
    append(
        tenant_id=tenant.pk,
        actor=actor,
        action=f"tenant.{new}",
        target_type="tenant",
        target_id=str(tenant.pk),
        details={"from": old},
    )


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


@transaction.atomic
def create_group(*, name: str, tenants: list[Tenant], actor: str, audit_tenant: Tenant) -> TenantGroup:
    """Create a tenant group. Raises InvalidInput when the name is taken or blank."""
    if not name.strip() or TenantGroup.objects.filter(name__iexact=name.strip()).exists():
        raise InvalidInput("name", _("A group needs a name that is not taken."))
    group = TenantGroup.objects.create(name=name.strip())
    group.tenants.set(tenants)
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action="tenant_group.created",
        target_type="tenant_group",
        target_id=str(group.pk),
        details={"name": group.name, "tenants": [tenant.slug for tenant in tenants]},
    )
    return group
