"""The page of allowed addresses."""

from ipaddress import ip_network

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from audit.models import AuditEntry
from core.errors import InvalidInput
from core.outbound import AllowedTarget, OutboundPolicy, judge
from tenants.models import AllowedAddress
from tenants.services import allow_address

LIST, ADD = "tenants:allowed_addresses", "tenants:allowed_address_add"


NEVER = [
    *("0.0.0.0/0", "0.0.0.0/8", "169.254.0.0/16", "169.252.0.0/14", "128.0.0.0/1", "100.64.0.0/10", "224.0.0.1/32"),
    *("::/0", "::/1", "::/128", "fe80::/10", "fe80::1/128", "fd00::/8", "fd00:ec2::254/128", "ff02::1/128", "::/64"),
    *(
        "::ffff:169.254.169.254/128",
        "::ffff:169.254.0.0/112",
        "::ffff:0:0/96",
        "64:ff9b::a9fe:a9fe/128",
        "64:ff9b::/96",
    ),
    *("::169.254.169.254/128", "2002:a9fe:a9fe::/128", "2002:a9fe:a9fe::/48", "fe80::1%eth0/128"),
]
LISTED = {
    "10.1.2.3/32": "10.1.2.3/32",
    "10.0.0.0/8": "10.0.0.0/8",
    "127.0.0.1/32": "127.0.0.1/32",
    "::1/128": "::1/128",
    "fd12:3456::/32": "fd12:3456::/32",
    "::ffff:10.1.2.3/128": "10.1.2.3/32",
    "::ffff:10.1.0.0/112": "10.1.0.0/16",
    "64:ff9b::10.1.2.3/128": "10.1.2.3/32",
    "2002:a01:203::1/128": "2002:a01:203::1/128",
}


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.mark.parametrize(
    ("cidr", "port", "field"),
    [
        ("10.1.2.3/16", 80, "cidr"),
        ("nonsense", 80, "cidr"),
        ("169.254.169.254/32", 80, "cidr"),
        ("fe80::/10", 80, "cidr"),
        ("10.1.2.3/32", 0, "port"),
        ("10.1.2.3/32", 65536, "port"),
        ("", 80, "cidr"),
    ],
)
def test_what_is_no_network_or_never_allowed_is_refused(root, cidr, port, field):
    page = root.post(reverse(ADD), {"cidr": cidr, "port": port})
    assert page.status_code == 422
    assert field in page.context["form"].errors
    assert not AllowedAddress.objects.exists()


@pytest.mark.parametrize("cidr", NEVER)
def test_a_network_that_holds_what_is_never_allowed_is_refused_by_page_service_and_command(root, system, cidr):
    page = root.post(reverse(ADD), {"cidr": cidr, "port": 80})
    assert page.status_code == 422
    assert "never allowed" in str(page.context["form"].errors["cidr"])
    with pytest.raises(InvalidInput, match="never allowed"):
        allow_address(cidr=cidr, port=80, note="", actor="test", audit_tenant=system)
    with pytest.raises(CommandError, match="never allowed"):
        call_command("allow_address", cidr, "80")
    assert not AllowedAddress.objects.exists()


@pytest.mark.parametrize(
    "cidr", ["2002:a00::/24", "2001:0:808:808::f5f5:0/112", "64:ff9b:1:a01:1:100:a01:0/112", "::10.0.0.0/104"]
)
def test_a_network_of_addresses_that_carry_ipv4_is_refused(root, cidr):
    page = root.post(reverse(ADD), {"cidr": cidr, "port": 80})
    assert "one by one" in str(page.context["form"].errors["cidr"])
    assert not AllowedAddress.objects.exists()


@pytest.mark.parametrize(("cidr", "stored"), LISTED.items())
def test_what_is_listed_is_the_network_that_is_reached(root, cidr, stored):
    assert root.post(reverse(ADD), {"cidr": cidr, "port": 8600}).status_code == 302
    address = AllowedAddress.objects.get()
    assert f"{address.cidr}/{address.prefix_length}" == stored
    network = ip_network(stored)
    judge(network.network_address, 8600, OutboundPolicy(frozenset({AllowedTarget(network, 8600)})))


def test_an_address_is_listed_shown_and_removed(root):
    assert "No inside address is allowed" in root.get(reverse(LIST)).content.decode()
    root.post(reverse(ADD), {"cidr": "10.1.2.3/32", "port": 8600, "note": "=speech"})
    text = root.get(reverse(LIST)).content.decode()
    assert "10.1.2.3/32" in text
    answer = root.get(reverse(LIST), {"format": "csv"})
    assert "'=speech" in b"".join(answer.streaming_content).decode()
    address = AllowedAddress.objects.get()
    root.post(reverse("tenants:allowed_address_delete", args=[address.pk]))
    assert not AllowedAddress.objects.exists()
    rows = AuditEntry.objects.filter(target_type="allowed_address").order_by("position")
    assert list(rows.values_list("action", flat=True)) == ["allowed_address.created", "allowed_address.deleted"]


def test_only_platform_admins_may(client_for, people):
    client = client_for(people.tenant_admin)
    assert client.get(reverse(LIST)).status_code == 403
    assert client.post(reverse(ADD), {"cidr": "10.1.2.3/32", "port": 80}).status_code == 403
    assert not AllowedAddress.objects.exists()


def test_chosen_addresses_are_found_by_a_filter_and_deleted_after_a_question(client_for, people):
    from audit.models import AuditEntry

    client = client_for(people.platform_admin)
    made = [
        AllowedAddress.objects.create(cidr=cidr, prefix_length=32, port=port, note=note)
        for cidr, port, note in [("10.1.2.3", 80, "old"), ("10.1.2.4", 8600, "old"), ("10.9.9.9", 80, "new")]
    ]
    listed = reverse("tenants:allowed_addresses")
    for query, number in (("old", 2), ("10.1", 2), ("8600", 1), ("10.9.9.9", 1), ("%", 0)):
        assert len(client.get(listed, {"q": query}).context["table"].rows) == number, query
    bulk = reverse("tenants:allowed_addresses_bulk", query={"q": "old"})
    question = client.post(bulk, {"action": "delete", "all_matching": "1"})
    assert "2 rows" in question.content.decode()
    assert AllowedAddress.objects.count() == 3
    client.post(bulk, {"action": "delete", "all_matching": "1", "confirmed": "1"})
    assert list(AllowedAddress.objects.all()) == [made[2]]
    assert len(AuditEntry.objects.get(action="allowed_address.several_deleted").details["parts"]) == 2
