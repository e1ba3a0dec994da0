"""Allowed addresses, tenants and their groups."""

import uuid

from django.urls import reverse

from tenants.models import AllowedAddress, DeletionRequest, Tenant, TenantGroup
from tests.audit.changes.world import Change, World, row


@row("tenants:allowed_address_add")
def _(world: World) -> Change:
    good = {"cidr": "10.1.2.3/32", "port": 8600, "note": ""}
    return Change(world.root, good, {**good, "cidr": "169.254.169.254/32"})


@row("tenants:allowed_addresses_bulk")
def _(world: World) -> Change:
    made = [AllowedAddress.objects.create(cidr="10.1.2.3", prefix_length=32, port=port) for port in (80, 8600)]
    good = {"action": "delete", "selection": [address.pk for address in made], "confirmed": "1"}
    return Change(world.root, good, {**good, "action": "nonsense"})


@row("tenants:allowed_address_delete")
def _(world: World) -> Change:
    listed = AllowedAddress.objects.create(cidr="10.1.2.3", prefix_length=32, port=8600)
    return Change(world.root, args=(listed.pk,))


@row("tenants:tenant")
def _(world: World) -> Change:
    good = {"name": "Acme Ltd", "time_zone": "Europe/London", "language": "en-gb", "version": world.acme.version}
    return Change(world.root, good, {**good, "name": ""}, (world.acme.pk,))


@row("tenants:retention")
def _(world: World) -> Change:
    good = {"audio_days": "90", "job_history_days": "30", "version": world.acme.version}
    return Change(world.root, good, {**good, "audio_days": "-1"}, (world.acme.pk,))


@row("tenants:suspend")
def _(world: World) -> Change:
    return Change(world.root, args=(world.acme.pk,))


@row("tenants:resume")
def _(world: World) -> Change:
    return Change(world.root, args=(world.in_state("suspended").pk,))


@row("tenants:close")
def _(world: World) -> Change:
    tenant = world.in_state("suspended")
    return Change(world.root, {"confirm_name": tenant.name}, {"confirm_name": "no"}, (tenant.pk,))


@row("tenants:deletion")
def _(world: World) -> Change:
    return Change(world.root, {"reason": "Contract ended"}, {"reason": " "}, (world.in_state("closed").pk,))


def asked(world: World) -> Tenant:
    """A closed tenant whose deletion somebody else has asked for."""
    tenant = world.in_state("closed")
    DeletionRequest.objects.create(
        tenant=tenant, reason="Contract ended", requested_by_id=uuid.uuid4(), requested_by="rita@system"
    )
    return tenant


@row("tenants:deletion_confirm")
def _(world: World) -> Change:
    tenant = asked(world)
    return Change(world.root, {"confirm_name": tenant.name}, {"confirm_name": "no"}, (tenant.pk,))


@row("tenants:deletion_cancel")
def _(world: World) -> Change:
    return Change(world.root, args=(asked(world).pk,))


@row("tenants:leave_view")
def _(world: World) -> Change:
    world.root.post(reverse("tenants:view_as", args=[world.acme.pk]), {"reason": "Ticket 17"})
    return Change(world.root)


@row("tenants:view_as")
def _(world: World) -> Change:
    return Change(world.root, {"reason": "Ticket 17"}, {"reason": ""}, (world.acme.pk,))


@row("tenants:group_add")
def _(world: World) -> Change:
    return Change(world.root, {"name": "Gold", "tenants": [world.acme.pk]}, {"name": ""})


@row("tenants:group")
def _(world: World) -> Change:
    group = TenantGroup.objects.create(name="Gold")
    return Change(
        world.root,
        {"name": "Silver", "tenants": [world.acme.pk], "version": 1},
        {"name": "", "version": 1},
        (group.pk,),
    )


@row("tenants:group_delete")
def _(world: World) -> Change:
    return Change(world.root, args=(TenantGroup.objects.create(name="Gold").pk,))
