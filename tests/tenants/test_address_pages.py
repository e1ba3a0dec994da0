"""The page of allowed addresses."""

import pytest
from django.urls import reverse

from audit.models import AuditEntry
from tenants.models import AllowedAddress

LIST, ADD = "tenants:allowed_addresses", "tenants:allowed_address_add"


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
    actions = AuditEntry.objects.filter(target_type="allowed_address").values_list("action", flat=True)
    assert list(actions) == ["allowed_address.created", "allowed_address.deleted"]


def test_only_platform_admins_may(client_for, people):
    client = client_for(people.tenant_admin)
    assert client.get(reverse(LIST)).status_code == 403
    assert client.post(reverse(ADD), {"cidr": "10.1.2.3/32", "port": 80}).status_code == 403
    assert not AllowedAddress.objects.exists()
