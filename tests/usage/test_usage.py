"""Usage pages: the guide's example to the digit, one truth in ledger, page and file, and who sees whose."""

import csv
import io
from datetime import timedelta

import pytest
from django.db.models import Sum
from django.urls import reverse

from core.outcomes import Reason
from licensing.models import Account, Entry, SeatLimit
from licensing.statements import entitlements_changed
from tenants.models import TenantGroup
from tests.usage.conftest import AT, MINUTES, ask, set_limits, use

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.usage.frozen_urls")]
ALL = "/administration/speech-analytics/transcription/usage/"


def page_of(tenant) -> str:
    return reverse("usage:tenant", args=[tenant.pk])


def rows_of(response) -> list[list[str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def figures_of(client, tenant, **query) -> dict[str, str]:
    return dict(rows_of(client.get(page_of(tenant), {"format": "csv", **query}))[1:])


def tiles_of(response) -> list[str]:
    return [tile["value"] for tile in response.context["tiles"]]


def test_the_guides_example_comes_out_to_the_digit(guide, client_for, people):
    client = client_for(people.tenant_admin)
    page = client.get(page_of(guide))
    assert tiles_of(page) == ["95", "5,000", "475,000", "201,418", "42.4 %", "10", "0"]
    for figure in ("475,000", "201,418", "42.4 %"):
        assert figure in page.content.decode()
    told = figures_of(client, guide)
    names = ["Licensed users", "Limit per user (minutes/month)", "Total limit (minutes)", "Used (minutes)", "Percent"]
    assert [told[name] for name in names] == ["95", "5000", "475000", "201418", "42.4"]
    assert (told["Days until reset"], told["Denied"]) == ("10", "0")


def test_the_table_of_all_tenants_has_the_same_figures_and_their_total(guide, globex, client_for, licensed):
    use(globex, licensed.stranger, 6_030)
    set_limits(globex, org_month=1000)
    client = client_for(licensed.platform_admin)
    rows = rows_of(client.get(ALL, {"format": "csv"}))
    by_name = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[1:]}
    mine = by_name[guide.name]
    assert (mine["Licensed users"], mine["Total limit (minutes)"], mine["Used (minutes)"]) == ("97", "485000", "201418")
    assert by_name[globex.name]["Used (minutes)"] == "100.5"
    assert by_name[globex.name]["Percent"] == "10.1"
    assert by_name["Total"]["Used (seconds)"] == str(MINUTES * 60 + 6030)
    assert by_name["Total"]["Total limit (minutes)"] == ""
    shown = client.get(ALL).content.decode()
    assert "201,418" in shown
    assert "201,518.5" in shown


def test_ledger_counters_page_and_file_agree(guide, client_for, people):
    ledger = Entry.objects.filter(tenant=guide, step="settle").aggregate(sum=Sum("amount"))["sum"]
    account = Account.objects.get(tenant=guide)
    client = client_for(people.tenant_admin)
    seconds = {
        table: sum(int(row[2]) for row in rows_of(client.get(page_of(guide), {"format": "csv", "table": table}))[1:])
        for table in ("days", "users", "engines", "languages")
    }
    assert {ledger, account.month_used, int(figures_of(client, guide)["Used (seconds)"]), *seconds.values()} == {
        MINUTES * 60
    }


def test_platform_staff_see_all_and_everybody_else_the_own_tenant_only(acme, globex, client_for, people):
    staff = client_for(people.platform_admin).get(ALL).content.decode()
    assert page_of(acme) in staff
    assert page_of(globex) in staff
    admin = client_for(people.tenant_admin)
    assert admin.get(ALL).status_code == 200
    own = admin.get(page_of(acme))
    assert own.status_code == 200
    assert globex.name not in own.content.decode()
    for name in ("tenant", "denied", "statements", "check_list"):
        assert admin.get(reverse(f"usage:{name}", args=[acme.pk])).status_code == 200, name
        assert admin.get(reverse(f"usage:{name}", args=[globex.pk])).status_code == 404, name
        assert client_for(people.supervisor).get(reverse(f"usage:{name}", args=[acme.pk])).status_code == 403, name
    assert client_for(people.supervisor).get(ALL).status_code == 403


@pytest.mark.urls("config.urls")
def test_a_tenant_admin_gets_the_own_details_at_once(acme, client_for, people):
    response = client_for(people.tenant_admin).get(ALL)
    assert response.context["subtitle"] == acme.name
    assert len(response.context["tiles"]) == 7


def test_the_table_sorts_filters_and_shows_past_months(acme, globex, client_for, licensed):
    set_limits(acme, org_month=100)
    set_limits(globex, org_month=100)
    use(acme, licensed.agent, 60 * 60)
    use(globex, licensed.stranger, 30 * 60)
    TenantGroup.objects.create(name="North").tenants.add(globex)
    client = client_for(licensed.platform_admin)

    def names(**query) -> list[str]:
        return [row[0] for row in rows_of(client.get(ALL, {"format": "csv", **query}))[1:-1]]

    assert names(sort="-used")[:2] == [acme.name, globex.name]
    assert names(sort="used")[-2:] == [globex.name, acme.name]
    assert names(over="60") == [acme.name]
    assert names(group=str(TenantGroup.objects.get(name="North").pk)) == [globex.name]
    assert names(q=acme.name) == [acme.name]
    assert client.get(ALL, {"over": "x"}).status_code == 400
    assert client.get(ALL, {"month": "2026-01"}).status_code == 400
    assert client.get(ALL, {"month": "2026-11", "sort": "-forecast"}).status_code == 200
    assert client.get(page_of(acme), {"month": "2026-13"}).status_code == 404


def test_a_past_month_keeps_its_figures(acme, client_for, licensed):
    use(acme, licensed.agent, 600, at=AT - timedelta(days=40))
    use(acme, licensed.agent, 60)
    client = client_for(licensed.tenant_admin)
    assert figures_of(client, acme)["Used (seconds)"] == "60"
    past = figures_of(client, acme, month="2026-10")
    assert past["Used (seconds)"] == "600"
    assert "Percent" not in past
    page = client.get(page_of(acme), {"month": "2026-10"})
    assert tiles_of(page)[:2] == ["10", "1"]
    assert len(page.context["day_lines"]) == 31
    staff = client_for(licensed.platform_admin)
    rows = rows_of(staff.get(ALL, {"format": "csv", "month": "2026-10", "q": acme.name}))
    assert dict(zip(rows[0], rows[1], strict=True))["Used (minutes)"] == "10"


def test_reserved_stands_apart_from_used_and_is_not_left(acme, client_for, licensed):
    set_limits(acme, org_month=100)
    use(acme, licensed.agent, 60 * 60)
    ask(acme, licensed.agent, 10 * 60)
    told = figures_of(client_for(licensed.tenant_admin), acme)
    assert (told["Used (minutes)"], told["Reserved (minutes)"], told["Left (minutes)"]) == ("60", "10", "30")


@pytest.mark.parametrize(("limit", "text"), [(1, "1 minute left"), (2, "2 minutes left")])
def test_one_minute_is_a_minute(acme, client_for, licensed, limit, text):
    set_limits(acme, org_month=limit)
    page = client_for(licensed.tenant_admin).get(page_of(acme))
    assert text in [tile.get("note") for tile in page.context["tiles"]]


def test_only_users_with_a_seat_fill_the_pool(acme, client_for, licensed):
    set_limits(acme, user_month=100)
    SeatLimit.objects.create(tenant=acme, bundle="speech_analytics", seats=1)
    entitlements_changed(acme.pk)
    told = figures_of(client_for(licensed.tenant_admin), acme)
    assert (told["Licensed users"], told["With a seat"], told["Total limit (minutes)"]) == ("2", "1", "100")


def test_without_limits_nothing_is_a_share_of_anything(acme, client_for, licensed):
    use(acme, licensed.agent, 60)
    page = client_for(licensed.tenant_admin).get(page_of(acme))
    assert tiles_of(page) == ["2", "Unlimited", "Unlimited", "1", "–", "10", "0"]
    assert page.context["gauge"] is None


def test_the_forecast_takes_the_pace_of_seven_full_days(acme, client_for, licensed):
    set_limits(acme, org_month=200)
    for days in range(1, 8):
        use(acme, licensed.agent, 10 * 60, at=AT - timedelta(days=days))
    client = client_for(licensed.tenant_admin)
    # 130 minutes are left, ten go a day: 13 days, and the reset is in ten.
    assert "not reached before the reset" in client.get(page_of(acme)).content.decode()
    set_limits(acme, org_month=120)
    assert figures_of(client, acme)["Limit reached on"] == "2026-11-26"
    set_limits(acme, org_month=70)
    assert figures_of(client, acme)["Limit reached on"] == "2026-11-21"


def test_denied_requests_are_marked_in_the_chart_and_listed(acme, client_for, licensed):
    set_limits(acme, org_month=1)
    use(acme, licensed.agent, 60)
    ask(acme, licensed.agent, 30)
    ask(acme, licensed.tenant_admin, 30)
    client = client_for(licensed.tenant_admin)
    page = client.get(page_of(acme))
    text = page.content.decode()
    assert tiles_of(page)[-1] == "2"
    assert "2026-11-21: 1 minute, 2 denied" in text
    assert "url(#p-hatch)" in text
    denied = reverse("usage:denied", args=[acme.pk])
    listed = client.get(denied).content.decode()
    assert "/calls/" in listed
    assert "Monthly limit of the organisation is reached" in listed
    staff = client_for(licensed.platform_admin).get(denied).content.decode()
    assert "/calls/" not in staff.split("<main")[1]
    rows = rows_of(client.get(denied, {"format": "csv", "reason": Reason.NO_LICENSE}))
    assert [row[2:5] for row in rows[1:]] == [["ada", "User has no speech analytics licence", "30"]]
    assert len(rows_of(client.get(denied, {"format": "csv", "user": "ala"}))) == 2
    assert len(rows_of(client.get(denied, {"format": "csv", "until": "2020-01-01"}))) == 1


def test_a_hundred_tenants_cost_no_more_queries_than_two(client_for, people, django_assert_max_num_queries, db):
    from tenants.models import Tenant

    Tenant.objects.bulk_create(
        Tenant(slug=f"t{n}", name=f"T {n}", state="ready", wrapped_data_key=b"x") for n in range(100)
    )
    client = client_for(people.platform_admin)
    with django_assert_max_num_queries(15):
        assert "T 99" in client.get(ALL, {"per_page": "100", "sort": "-name"}).content.decode()


def test_figures_of_a_tenant_cost_few_queries(guide, client_for, people, django_assert_max_num_queries):
    client = client_for(people.tenant_admin)
    with django_assert_max_num_queries(15):
        client.get(page_of(guide))
