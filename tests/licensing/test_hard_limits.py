"""Each user has his own maximum: gate, figures, forms and pages count no pool, and say so (domain C24)."""

import pytest
from django.urls import reverse

from core.outcomes import Reason
from licensing.alerts import check
from licensing.figures import figures_of
from licensing.ledger import Denied, Granted, foretell, reserve, settle
from licensing.limits import Counters, lifetime_limit, month_limit, org_limits, own_limits
from licensing.limits_pages.maths import maths
from licensing.models import Entitlement, LimitAlert
from licensing.seats.selectors import with_figures
from licensing.selectors import standing
from tenants.models import Tenant
from tests.licensing.conftest import METER, request, set_limits
from usage.checklist import check_list

HOUR = 3600


def limits(**values) -> Entitlement:
    return Entitlement(**{"per_user": "hard", **values})


@pytest.mark.parametrize(
    ("values", "month", "ever"),
    [
        ({"user_month": 2000, "user_lifetime": 9000}, None, None),
        ({"user_month": 2000, "org_month": 100}, 6000, None),
        ({"user_lifetime": 2000, "org_lifetime": 50}, None, 3000),
        ({"user_month": 2000, "user_lifetime": 3000, "per_user": "pool"}, 10 * 120_000, 10 * 180_000),
        ({"user_month": 2000, "org_month": 100, "per_user": "pool"}, 6000, None),
        ({"user_month": 0}, 0, None),
    ],
)
def test_only_the_organisations_limit_is_common_to_all(values, month, ever):
    found = limits(**values)
    assert (month_limit(found, 10), lifetime_limit(found, 10)) == (month, ever)
    common = [limit.allowed for limit in org_limits(found, 10, Counters())]
    assert min(common, default=None) == min((n for n in (month, ever) if n is not None), default=None)


def test_each_users_own_limits_count_what_he_took():
    found = own_limits(limits(user_month=10, user_lifetime=20), Counters(60, 90))
    assert [(limit.reason, limit.allowed, limit.taken) for limit in found] == [
        (Reason.LIMIT_USER_MONTH, 600, 60),
        (Reason.LIMIT_USER_LIFETIME, 1200, 90),
    ]
    assert own_limits(limits(user_month=10, per_user="pool"), Counters()) == []


def ask(tenant, user, seconds):
    wanted = request(user, seconds)
    outcome = reserve(tenant_id=tenant.pk, meter=METER, requests=[wanted])[wanted.key]
    if outcome == Granted():
        settle(tenant_id=tenant.pk, meter=METER, keys=[wanted.key])
    return outcome


@pytest.fixture
def used_up(acme, licensed):
    """Alan has used his own hour; Olga has used nothing."""
    set_limits(acme, user_month=60, per_user="hard")
    assert ask(acme, licensed.agent, HOUR) == Granted()
    return acme


@pytest.mark.django_db
def test_what_the_ledger_would_say_is_what_it_says(used_up, licensed):
    for user, expected in ((licensed.agent, Reason.LIMIT_USER_MONTH), (licensed.other_agent, None)):
        _at, refusal, trace = foretell(tenant_id=used_up.pk, meter=METER, user_id=user.pk, amount=60)
        assert refusal == expected
        assert (trace[-1].gate, trace[-1].seen) == ("limit_user_month", HOUR if expected else 0)
        assert ask(used_up, user, 60) == (Denied(expected) if expected else Granted())


@pytest.mark.django_db
def test_figures_list_and_live_maths_agree_that_there_is_no_pool(used_up):
    for cap, allowed in ((None, None), (100, 6000)):
        set_limits(used_up, user_month=60, per_user="hard", org_month=cap)
        found = figures_of(used_up.pk, METER)
        side = maths(standing(used_up.pk, METER), found.limits).month
        listed = with_figures(Tenant.objects.filter(pk=used_up.pk)).get()
        assert found.total == side.effective == listed.allowed == allowed
        assert found.left == side.left == (None if cap is None else 6000 - HOUR)
        assert found.share == (None if cap is None else 0.6)
        assert [use.reason for use in found.limit_uses()] == ([] if cap is None else [Reason.LIMIT_ORG_MONTH])
        assert (found.own, side.pool) == (True, None)


@pytest.mark.django_db
def test_no_warning_is_given_about_a_pool_that_nobody_has(used_up):
    check(METER)
    assert not LimitAlert.objects.filter(tenant=used_up).exists()
    set_limits(used_up, user_month=60, per_user="pool")
    check(METER)
    assert LimitAlert.objects.filter(tenant=used_up, limit="limit_user_month", kind="50").exists()


@pytest.mark.django_db
def test_the_pages_say_that_each_user_has_his_own(used_up, licensed, client_for):
    sentence = "Each user has his own maximum"
    admin = client_for(licensed.tenant_admin)
    usage = reverse("usage:tenant", args=[used_up.pk])
    page = admin.get(usage)
    assert sentence in page.content.decode()
    tiles = {tile["label"]: tile for tile in page.context["tiles"]}
    assert (tiles["Limit per user"]["value"], tiles["Total limit"]["value"]) == ("60", "Unlimited")
    assert tiles["Total limit"]["note"] == "for all users together"
    assert "60 minutes/month; each user has his own" in admin.get("/").content.decode()
    form = client_for(licensed.platform_admin).get(reverse("licensing:service_limits", args=[used_up.pk]))
    labels = [str(label) for label, _month, _ever in form.context["maths"].rows()]
    assert "Limit of all users together" in labels
    assert "Pool of all accepted users" not in labels
    line = next(line for line in check_list(used_up) if line.question == "Service Limits set?")
    assert (line.value, line.verdict) == ("60 minutes/month for each user", "ok")
    set_limits(used_up, user_month=60, per_user="pool")
    assert sentence not in admin.get(usage).content.decode()
    assert "each user has his own" not in admin.get("/").content.decode()


@pytest.mark.django_db
def test_a_maximum_of_nothing_for_each_user_denies_everybody_and_the_check_list_says_so(acme, licensed):
    set_limits(acme, user_month=0, per_user="hard")
    assert ask(acme, licensed.agent, 1) == Denied(Reason.LIMIT_USER_MONTH)
    line = next(line for line in check_list(acme) if line.question == "Service Limits set?")
    assert line.verdict == "failed"
