"""The pages of the trail: who sees what, filters, one entry, exports."""

import csv
import io
import json

import pytest
from django.urls import reverse

from accounts.models import Role, User
from accounts.services import create_user
from audit.models import AuditEntry
from audit.selectors import visible_entries
from core.logs import acting_tenant
from tests.audit.conftest import say
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
TRAIL = "/administration/system/audit-trail/"


@pytest.fixture
def auditor(acme):
    return create_user(tenant=acme, username="audrey", password=PASSWORD, role="auditor", actor="test")


@pytest.fixture
def acts(acme, globex, system):
    """Own acts of acme, of globex, of System, and what staff did in acme."""
    say(acme, "acme.did", actor="ada@acme", reason="spring cleaning", details={"colour": "turquoise"})
    say(globex, "globex.did", actor="stan@globex")
    say(system, "system.did", actor="root@system")
    token = acting_tenant.set(system.pk)
    say(acme, "staff.did", actor="root@system")
    say(system, "system.staff", actor="root@system")
    acting_tenant.reset(token)


def shown(client, **query) -> str:
    page = client.get(TRAIL, query)
    assert page.status_code == 200, page.content.decode()[:3000]
    return page.content.decode()


def actions(user) -> set[str]:
    return {a for a in visible_entries(user).values_list("action", flat=True) if a.endswith((".did", ".staff"))}


def test_everybody_sees_exactly_the_own_part_of_the_trail(acts, people, acme, auditor):
    own = {"acme.did", "staff.did"}
    assert actions(people.tenant_admin) == own
    assert actions(auditor) == own
    assert actions(people.stranger) == {"globex.did"}
    assert actions(people.platform_admin) == {"system.did", "system.staff", "staff.did"}
    people.platform_admin.viewing = acme
    assert actions(people.platform_admin) == own


def test_a_narrower_scope_reaches_the_own_acts_or_the_managed_tenants(acts, people, acme, globex, system):
    from tenants.services import create_group

    role = Role.objects.create(tenant=acme, name="Clerk", scope="user", granted=["audit_trail.view"])
    clerk = create_user(tenant=acme, username="carl", password=PASSWORD, role="agent", actor="test")
    User.objects.filter(pk=clerk.pk).update(role=role)
    assert actions(User.objects.get(pk=clerk.pk)) == set()
    staff = Role.objects.create(
        tenant=system, name="Regional", scope="managed_groups", granted=["audit_trail.view"], platform=True
    )
    regional = create_user(tenant=system, username="rita", password=PASSWORD, role="platform_admin", actor="test")
    User.objects.filter(pk=regional.pk).update(role=staff)
    regional = User.objects.get(pk=regional.pk)
    assert actions(regional) == set()
    regional.managed_tenant_groups.add(create_group(name="East", tenants=[acme], actor="t", audit_tenant=system))
    assert actions(regional) == {"staff.did"}


def test_the_page_lists_newest_first_and_names_tenants_to_platform_staff_only(acts, client_for, people):
    page = shown(client_for(people.platform_admin))
    assert page.index("system.staff") < page.index("staff.did") < page.index("system.did")
    assert "<bdi>Acme</bdi>" in page
    assert "globex.did" not in page
    page = shown(client_for(people.tenant_admin))
    assert "acme.did" in page
    assert "system.did" not in page
    assert 'name="tenant"' not in page
    assert client_for(people.agent).get(TRAIL).status_code == 403


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"action": "acme"}, True),
        ({"action": "globex"}, False),
        ({"actor": "ADA"}, True),
        ({"actor": "root"}, False),
        ({"q": "turquoise"}, True),
        ({"q": "SPRING"}, True),
        ({"q": "magenta"}, False),
        ({"target_type": "thing", "target_id": "1"}, True),
        ({"target_id": "2"}, False),
        ({"request_id": "req_other_request"}, False),
        ({"date_from": "2020-01-01", "date_to": "2200-01-01"}, True),
        ({"date_to": "2020-01-01"}, False),
        ({"ip": "10."}, False),
    ],
)
def test_filters_narrow_the_list(acts, client_for, people, query, found):
    assert (">acme.did<" in shown(client_for(people.tenant_admin), **query)) is found


@pytest.mark.parametrize(
    "query", [{"date_from": "yesterday"}, {"date_to": "9999-12-31"}, {"actor": "x" * 300}, {"tenant": "nonsense"}]
)
def test_a_filter_that_breaks_a_rule_is_named(acts, client_for, people, query):
    assert client_for(people.platform_admin).get(TRAIL, query).status_code == 400


def test_platform_staff_filter_by_tenant(acts, client_for, people, acme):
    page = shown(client_for(people.platform_admin), tenant=str(acme.pk))
    assert ">staff.did<" in page
    assert ">system.did<" not in page


def test_an_entry_shows_what_changed_and_foreign_ones_are_not_there(acme, globex, client_for, people):
    say(
        acme,
        "limit.changed",
        before={"minutes": 100, "note": None},
        after={"minutes": 250, "note": "<b>more</b>"},
        reason="contract",
        details={"parts": [{"action": "inner.step", "target_type": "x", "target_id": "9", "after": {"a": 1}}]},
    )
    say(globex, "foreign")
    entry = AuditEntry.objects.get(action="limit.changed")
    client = client_for(people.tenant_admin)
    page = client.get(reverse("audit:entry", args=[entry.pk])).content.decode()
    for text in ("minutes", "<del><bdi>100</bdi></del>", "<ins><bdi>250</bdi></ins>", "contract", entry.digest):
        assert text in page, text
    assert "&lt;b&gt;more" in page
    assert "inner.step" in page
    foreign = AuditEntry.objects.get(action="foreign")
    assert client.get(reverse("audit:entry", args=[foreign.pk])).status_code == 404
    assert client.get(reverse("audit:entry", args=[2**40])).status_code == 404


def body_of(response) -> str:
    return b"".join(response.streaming_content).decode("utf-8-sig")


def test_exports_hold_what_is_filtered_and_are_themselves_audited(acts, client_for, people, acme):
    client = client_for(people.tenant_admin)
    rows = list(csv.DictReader(io.StringIO(body_of(client.get(TRAIL, {"action": "acme", "format": "csv"})))))
    assert [row["Action"] for row in rows] == ["acme.did"]
    assert json.loads(rows[0]["Details"]) == {"colour": "turquoise"}
    lines = body_of(client.get(TRAIL, {"action": "acme", "format": "jsonl"})).splitlines()
    (line,) = [json.loads(line) for line in lines]
    entry = AuditEntry.objects.get(action="acme.did")
    assert (line["digest"], line["position"], line["reason"]) == (entry.digest, entry.position, "spring cleaning")
    made = AuditEntry.objects.filter(tenant_id=acme.pk, action="export.made").order_by("pk")
    assert [(e.details["rows"], e.details["filters"], e.actor) for e in made] == [(1, ["action"], "ada@acme")] * 2
    assert client.get(TRAIL, {"date_to": "x", "format": "jsonl"}).status_code == 400


def test_exporting_is_a_right_of_its_own(acts, client_for, people, acme, auditor):
    role = Role.objects.create(tenant=acme, name="Looker", scope="system", granted=["audit_trail.view", "home.view"])
    User.objects.filter(pk=auditor.pk).update(role=role)
    client = client_for(User.objects.get(pk=auditor.pk))
    page = shown(client)
    assert ">acme.did<" in page
    assert "format=" not in page
    for kind in ("csv", "jsonl"):
        assert client.get(TRAIL, {"format": kind}).status_code == 403


def test_the_tab_of_a_tenant_shows_its_chain_as_far_as_the_viewer_may_see_it(acts, client_for, people, acme, globex):
    address = reverse("audit:tenant", args=[acme.pk])
    page = client_for(people.tenant_admin).get(address).content.decode()
    assert ">acme.did<" in page
    assert ">staff.did<" in page
    page = client_for(people.platform_admin).get(address).content.decode()
    assert ">staff.did<" in page
    assert ">acme.did<" not in page
    assert ">system.did<" not in page
    assert client_for(people.stranger).get(address).status_code == 404


@pytest.mark.parametrize("count", [45])
def test_paging_by_key_finds_every_entry_once(acme, client_for, people, count):
    for number in range(count):
        say(acme, f"numbered.{number}.")
    client, seen, address = client_for(people.tenant_admin), [], f"{TRAIL}?action=numbered"
    import re

    while address:
        page = client.get(address)
        seen += [row.record.action for row in page.context["table"].paginated_rows]
        following = re.search(r'rel="next"[^>]*href="([^"]+)"', page.content.decode())
        address = TRAIL + following[1].replace("&amp;", "&") if following else ""
    assert seen == [f"numbered.{number}." for number in reversed(range(count))]
