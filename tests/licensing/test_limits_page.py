"""The tab Service Limits: pooled maths, refusals at the field, one saver at a time, and a warning before nothing is left."""

from types import SimpleNamespace

import pytest
from django.urls import reverse

from audit.models import AuditEntry
from licensing.ledger import Granted, reserve, settle
from licensing.limits_pages.maths import maths
from licensing.models import Account, Entitlement
from licensing.selectors import standing
from tests.licensing.conftest import METER, request, set_limits, set_seats

pytestmark = pytest.mark.django_db
BLANK = {"user_month": "", "user_lifetime": "", "org_month": "", "org_lifetime": ""}
RULES = {"policy": "drop", "per_user": "pool", "month_zone": "tenant", "version": "1"}


def page(tenant) -> str:
    return reverse("licensing:service_limits", args=[tenant.pk])


def typed(**values) -> dict[str, str]:
    return {**BLANK, **RULES, **{name: str(value) for name, value in values.items()}}


@pytest.fixture
def operator(client_for, people):
    """The platform administrator's browser."""
    return client_for(people.platform_admin)


def use(tenant, user, seconds: int) -> None:
    wanted = request(user, seconds)
    assert reserve(tenant_id=tenant.pk, meter=METER, requests=[wanted])[wanted.key] == Granted()
    settle(tenant_id=tenant.pk, meter=METER, keys=[wanted.key])


def test_ten_users_of_2000_minutes_make_a_pool_that_the_organisations_15000_cap(acme):
    now = standing(acme.pk, METER)
    ten = SimpleNamespace(
        ranks=dict.fromkeys(range(10)),
        accepted=10,
        seats=None,
        used=now.used,
        taken=now.taken,
        period="2026-11",
        zone="UTC",
    )
    limits = Entitlement(user_month=2000, org_month=15_000)
    side = maths(ten, limits).month
    assert (side.pool, side.cap, side.effective, side.left) == (20_000 * 60, 15_000 * 60, 15_000 * 60, 15_000 * 60)
    assert maths(ten, Entitlement(user_month=2000)).month.effective == 20_000 * 60
    assert maths(ten, limits).lifetime.effective is None


def test_the_figures_count_accepted_users_and_what_is_used(acme, licensed, operator):
    set_seats(acme, 1)
    set_limits(acme, user_month=100, org_lifetime=1000)
    use(acme, licensed.agent, 90)
    figures = operator.get(page(acme)).context["maths"]
    assert (figures.licensed, figures.accepted, figures.seats) == (2, 1, 1)
    assert figures.month.effective == 100 * 60
    assert (figures.month.used, figures.month.left, figures.lifetime.left) == (90, 5910, 59_910)
    assert figures.zone == "UTC"
    text = operator.get(page(acme)).content.decode()
    for label in ("(minutes/user) per month", "(minutes/user) lifetime", "(minutes/org) per month", "98.5"):
        assert label in text


def test_limits_are_stored_audited_and_count_from_the_next_request_on(acme, licensed, operator):
    answer = operator.post(page(acme), typed(user_month=2000, org_month=15000, policy="hold"))
    assert answer.status_code == 302
    stored = Entitlement.objects.get(tenant=acme)
    assert (stored.user_month, stored.org_month, stored.org_lifetime, stored.policy) == (2000, 15000, None, "hold")
    row = AuditEntry.objects.filter(tenant_id=acme.pk, action="service_limits.changed").get()
    assert row.before == {"user_month": None, "org_month": None, "policy": "drop"}
    assert row.after == {"user_month": 2000, "org_month": 15000, "policy": "hold"}
    entitlements = Account.objects.get(tenant=acme).entitlements
    assert operator.post(page(acme), typed(user_month="", version=2)).status_code == 302
    assert Account.objects.get(tenant=acme).entitlements > entitlements
    assert Entitlement.objects.get(tenant=acme).user_month is None


@pytest.mark.parametrize("field", list(BLANK))
@pytest.mark.parametrize("value", ["-1", "1.5", "100000001", "9" * 5000, "∞", "ten", "1e3", "NaN", "0x10", "1 000"])
def test_what_is_not_whole_minutes_is_refused_at_its_field_and_nothing_is_stored(acme, operator, field, value):
    answer = operator.post(page(acme), typed(**{field: value}))
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert not Entitlement.objects.filter(tenant=acme).exists()


@pytest.mark.parametrize(("value", "stored"), [("", None), ("0", 0), ("100000000", 100_000_000), (" 7 ", 7)])
def test_blank_is_unlimited_and_the_bounds_are_allowed(acme, operator, value, stored):
    set_limits(acme, org_month=5)
    answer = operator.post(page(acme), typed(org_month=value))
    if stored == 0:
        assert answer.context["warnings"]
        answer = operator.post(page(acme), typed(org_month=value, confirmed=answer.context["confirmed"]))
    assert answer.status_code == 302
    assert Entitlement.objects.get(tenant=acme).org_month == stored


@pytest.mark.parametrize("field", ["policy", "per_user", "month_zone"])
def test_an_unknown_way_of_applying_limits_is_refused(acme, operator, field):
    answer = operator.post(page(acme), typed(**{field: "whatever"}))
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, [field])


def test_the_second_of_two_savers_is_told_who_changed_what(acme, operator):
    assert operator.post(page(acme), typed(org_month=100)).status_code == 302
    answer = operator.post(page(acme), typed(org_month=200))
    assert answer.status_code == 409
    text = answer.content.decode()
    assert "root" in text
    assert "100" in text
    assert 'value="200"' in text
    assert Entitlement.objects.get(tenant=acme).org_month == 100
    assert operator.post(page(acme), typed(org_month=200, version=2)).status_code == 302


def test_a_limit_below_what_is_used_is_stored_only_when_the_person_says_so_again(acme, licensed, operator):
    set_limits(acme, org_month=10)
    use(acme, licensed.agent, 300)
    asked = operator.post(page(acme), typed(org_month=4))
    assert asked.status_code == 200
    assert "5 of the new 4 minutes are used or reserved" in asked.content.decode()
    assert "denied until" in asked.content.decode()
    assert Entitlement.objects.get(tenant=acme).org_month == 10
    other = operator.post(page(acme), typed(org_month=3, confirmed=asked.context["confirmed"]))
    assert other.status_code == 200
    assert Entitlement.objects.get(tenant=acme).org_month == 10
    assert operator.post(page(acme), typed(org_month=4, confirmed=asked.context["confirmed"])).status_code == 302
    assert Entitlement.objects.get(tenant=acme).org_month == 4
    assert operator.post(page(acme), typed(org_month=6, version=2)).status_code == 302


def test_the_preview_calculates_and_stores_nothing(acme, licensed, operator):
    preview = reverse("licensing:service_limits_preview", args=[acme.pk])
    values = typed(user_month=10, org_month=15)
    part = operator.post(preview, values, headers={"HX-Request": "true"})
    assert (part.status_code, part.context["maths"].month.effective) == (200, 15 * 60)
    assert b"<html" not in part.content
    whole = operator.post(preview, values)
    assert whole.status_code == 200
    assert 'value="15"' in whole.content.decode()
    assert operator.post(preview, typed(org_month="-1")).status_code == 422
    assert operator.post(preview, typed(org_month="-1"), headers={"HX-Request": "true"}).context["maths"] is None
    assert not Entitlement.objects.filter(tenant=acme).exists()
    assert not AuditEntry.objects.filter(action="service_limits.changed").exists()


def test_a_tenants_own_administrator_looks_and_cannot_change(acme, globex, people, client_for):
    client = client_for(people.tenant_admin)
    shown = client.get(page(acme))
    assert shown.status_code == 200
    assert b"disabled" in shown.content
    assert client.post(page(acme), typed(org_month=1)).status_code == 403
    assert client.get(page(globex)).status_code == 404
    assert client_for(people.agent).get(page(acme)).status_code == 403
    assert not Entitlement.objects.exists()


def test_limits_of_a_deleted_tenant_cannot_be_changed(acme, operator):
    type(acme).objects.filter(pk=acme.pk).update(state="deleted")
    answer = operator.post(page(acme), typed(org_month=1))
    assert answer.status_code == 409
    assert "The tenant is deleted and cannot be changed any more." in answer.content.decode()
    assert not Entitlement.objects.exists()


@pytest.mark.parametrize(("value", "status"), [("10", 302), ("١٠", 422), ("１０", 422), ("1_0", 422)])
def test_limits_are_typed_in_the_digits_0_to_9(acme, operator, value, status):
    answer = operator.post(page(acme), typed(org_month=value))
    assert answer.status_code == status
    assert Entitlement.objects.filter(tenant=acme, org_month=10).exists() is (status == 302)
