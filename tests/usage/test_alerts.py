"""Warnings about limits: once each, by e-mail and on pages, gone when the limit is raised."""

from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEntry
from licensing.alerts import RETRY_AFTER, check, pressing, send_mails
from licensing.figures import figures_of
from licensing.models import LimitAlert
from licensing.periods import month_of
from tenants.models import Tenant
from tests.licensing.conftest import set_seats
from tests.usage import mail_servers
from tests.usage.conftest import AT, METER, ask, set_limits, use
from usage.tasks import check_limits

pytestmark = pytest.mark.django_db


def kinds(tenant) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for limit, kind in LimitAlert.objects.filter(tenant=tenant).values_list("limit", "kind"):
        found.setdefault(limit, set()).add(kind)
    return found


@pytest.fixture
def mail_server(settings):
    settings.EMAIL_HOST = "mail.example"
    settings.BASE_URL = "https://parlance.example/"


@pytest.fixture
def reachable(acme, licensed):
    """Acme has a contact and its administrator an address."""
    Tenant.objects.filter(pk=acme.pk).update(contact_email="contact@acme.example")
    licensed.tenant_admin.email = "ada@acme.example"
    licensed.tenant_admin.save()
    return acme


@pytest.mark.parametrize(
    ("minutes", "wanted"),
    [
        (49, set()),
        (50, {"50"}),
        (79, {"50"}),
        (80, {"50", "80"}),
        (95, {"50", "80", "95"}),
        (100, {"50", "80", "95", "100"}),
    ],
)
def test_each_threshold_warns_from_its_share_on(acme, licensed, minutes, wanted):
    set_limits(acme, org_month=100)
    use(acme, licensed.agent, minutes * 60)
    check(METER, at=AT)
    assert kinds(acme).get("limit_org_month", set()) == wanted


def test_every_limit_that_is_set_warns_for_itself(acme, licensed):
    set_limits(acme, user_month=50, org_month=200, user_lifetime=60, org_lifetime=1000)
    use(acme, licensed.agent, 100 * 60)
    check(METER, at=AT)
    assert {limit: max(found, key=int) for limit, found in kinds(acme).items()} == {
        "limit_user_month": "100",
        "limit_org_month": "50",
        "limit_user_lifetime": "80",
    }
    periods = dict(LimitAlert.objects.filter(tenant=acme).values_list("limit", "period"))
    assert periods["limit_user_lifetime"] == "ever"
    assert periods["limit_org_month"] == "2026-11"


def test_a_warning_is_given_once_and_audited_once(acme, licensed):
    set_limits(acme, org_month=100)
    use(acme, licensed.agent, 60 * 60)
    assert [check(METER, at=AT) for _again in range(3)] == [1, 0, 0]
    assert AuditEntry.objects.filter(tenant_id=acme.pk, action="limit.warned").count() == 1


def test_a_limit_that_denies_is_reached_though_seconds_are_left(acme, licensed):
    set_limits(acme, org_month=100)
    use(acme, licensed.agent, 99 * 60)
    check(METER, at=AT)
    assert "100" not in kinds(acme)["limit_org_month"]
    ask(acme, licensed.agent, 120)
    check(METER, at=AT)
    assert "100" in kinds(acme)["limit_org_month"]


def test_a_limit_of_nothing_gives_no_warning_and_uses_none_up(acme, licensed):
    set_limits(acme, user_month=10_000, org_lifetime=0)
    set_seats(acme, 0)
    check(METER, at=AT)
    assert kinds(acme) == {}
    set_seats(acme, 2)
    set_limits(acme, user_month=10_000, org_lifetime=None)
    use(acme, licensed.agent, 10_000 * 60)
    assert check(METER, at=AT) == 1
    assert kinds(acme) == {"limit_user_month": {"50"}}


def test_a_raised_limit_warns_again_when_it_is_reached_again(acme, licensed):
    set_limits(acme, org_month=100, org_lifetime=100)
    use(acme, licensed.agent, 60 * 60)
    assert check(METER, at=AT) == 2
    set_limits(acme, org_month=200, org_lifetime=200)
    assert check(METER, at=AT) == 0
    assert kinds(acme) == {}
    use(acme, licensed.agent, 40 * 60)
    assert check(METER, at=AT) == 2
    assert kinds(acme) == {"limit_org_month": {"50"}, "limit_org_lifetime": {"50"}}


def test_a_forecast_that_goes_and_comes_back_with_the_pace_warns_once(acme, licensed):
    set_limits(acme, org_month=160)
    for days in range(1, 8):
        use(acme, licensed.agent, 10 * 60, at=AT - timedelta(days=days))
    check(METER, at=AT)
    assert "forecast" in kinds(acme)["limit_org_month"]
    idle = AT + timedelta(days=5)
    check(METER, at=idle)
    assert "forecast" in kinds(acme)["limit_org_month"]
    assert check(METER, at=AT) == 0
    set_limits(acme, org_month=400)
    check(METER, at=AT)
    assert "forecast" not in kinds(acme).get("limit_org_month", set())


def test_the_forecast_warns_only_when_the_limit_comes_before_the_reset(acme, licensed):
    set_limits(acme, org_month=200)
    for days in range(1, 8):
        use(acme, licensed.agent, 10 * 60, at=AT - timedelta(days=days))
    check(METER, at=AT)
    assert "forecast" not in kinds(acme).get("limit_org_month", set())
    set_limits(acme, org_month=160)
    check(METER, at=AT)
    assert "forecast" in kinds(acme)["limit_org_month"]


def test_a_new_month_warns_anew_and_a_lifetime_limit_does_not(acme, licensed):
    set_limits(acme, org_month=100, org_lifetime=120)
    use(acme, licensed.agent, 60 * 60)
    check(METER, at=AT)
    later = AT + timedelta(days=30)
    use(acme, licensed.agent, 60 * 50, at=later)
    check(METER, at=later)
    rows = LimitAlert.objects.filter(tenant=acme, kind="50").values_list("limit", "period")
    assert sorted(rows) == [
        ("limit_org_lifetime", "ever"),
        ("limit_org_month", "2026-11"),
        ("limit_org_month", "2026-12"),
    ]


def test_contact_and_administrators_get_one_mail_that_says_what_and_where(reachable, licensed, mail_server):
    set_limits(reachable, org_month=100)
    use(reachable, licensed.agent, 96 * 60, at=None)
    check_limits()
    check_limits()
    [sent] = mail.outbox
    assert (sent.to, sent.bcc) == (["contact@acme.example"], ["ada@acme.example"])
    assert "96.0 % used, 96 of 100 minutes" in sent.body
    assert "80" not in sent.body.split("https")[0].replace("96.0", "")
    assert f"https://parlance.example{reverse('usage:tenant', args=[reachable.pk])}" in sent.body
    for secret in ("alan", "correct horse", licensed.agent.password, "Globex"):
        assert secret not in sent.body + sent.subject
    assert not LimitAlert.objects.filter(tenant=reachable, mailed_at=None).exists()


def test_a_refused_mail_is_tried_again_and_keeps_nobody_waiting(reachable, globex, licensed, mail_server, settings):
    Tenant.objects.filter(pk=globex.pk).update(contact_email="contact@globex.example")
    for tenant, user in ((reachable, licensed.agent), (globex, licensed.stranger)):
        set_limits(tenant, org_month=100)
        use(tenant, user, 60 * 60, at=None)
    check(METER)
    settings.EMAIL_BACKEND = "tests.usage.mail_servers.RefusesAcme"
    assert send_mails(METER) == 1
    assert list(LimitAlert.objects.filter(mailed_at=None).values_list("tenant_id", flat=True)) == [reachable.pk]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert send_mails(METER) == 0
    later = timezone.now() + RETRY_AFTER
    assert send_mails(METER, at=later) == 1
    assert send_mails(METER, at=later + RETRY_AFTER) == 0


def test_a_warning_that_another_worker_is_sending_is_not_sent_twice(reachable, licensed, mail_server, settings):
    set_limits(reachable, org_month=100)
    use(reachable, licensed.agent, 60 * 60, at=None)
    check(METER)
    settings.EMAIL_BACKEND = "tests.usage.mail_servers.RunsAgain"
    assert send_mails(METER) == 1
    assert len(mail.outbox) == 1


def test_all_mails_go_over_one_connection_and_a_server_that_is_down_is_asked_once(
    reachable, globex, licensed, mail_server, settings
):
    Tenant.objects.filter(pk=globex.pk).update(contact_email="contact@globex.example")
    for tenant, user in ((reachable, licensed.agent), (globex, licensed.stranger)):
        set_limits(tenant, org_month=100)
        use(tenant, user, 60 * 60, at=None)
    check(METER)
    mail_servers.opened.clear()
    settings.EMAIL_BACKEND = "tests.usage.mail_servers.Down"
    assert send_mails(METER) == 0
    assert mail_servers.opened == ["down"]
    settings.EMAIL_BACKEND = "tests.usage.mail_servers.Counts"
    assert send_mails(METER) == 2
    assert mail_servers.opened == ["down", "up"]


def test_only_a_tenant_that_is_ready_gets_mail(reachable, licensed, mail_server):
    set_limits(reachable, org_month=100)
    use(reachable, licensed.agent, 60 * 60, at=None)
    check(METER)
    Tenant.objects.filter(pk=reachable.pk).update(state="suspended")
    assert send_mails(METER) == 0
    Tenant.objects.filter(pk=reachable.pk).update(state="ready")
    assert send_mails(METER) == 1


def test_a_warning_older_than_a_day_is_not_sent_any_more(reachable, licensed, mail_server):
    set_limits(reachable, org_month=100)
    use(reachable, licensed.agent, 60 * 60, at=None)
    check(METER)
    assert send_mails(METER, at=timezone.now() + timedelta(hours=25)) == 0


def test_without_a_mail_server_nothing_is_sent_and_the_page_says_so(reachable, licensed, client_for, settings):
    settings.EMAIL_HOST = ""
    set_limits(reachable, org_month=100)
    use(reachable, licensed.agent, 60 * 60, at=None)
    check_limits()
    assert mail.outbox == []
    page = client_for(licensed.tenant_admin).get(reverse("usage:tenant", args=[reachable.pk])).content.decode()
    assert "60.0 % used" in page
    assert "No mail server is set up" in page


def test_notices_show_at_home_and_go_when_the_limit_is_raised(acme, globex, licensed, client_for):
    set_limits(acme, org_month=100)
    use(acme, licensed.agent, 90 * 60, at=None)
    check(METER)
    sentence = "Monthly limit of the organisation: 90.0 % used, 90 of 100 minutes."
    staff, admin = client_for(licensed.platform_admin), client_for(licensed.tenant_admin)
    assert f"{acme.name}: {sentence}" in staff.get("/").content.decode()
    assert sentence in admin.get("/").content.decode()
    assert sentence not in client_for(licensed.stranger).get("/").content.decode()
    set_limits(acme, org_month=1000)
    for client in (staff, admin):
        assert "90.0 % used" not in client.get("/").content.decode()
    assert pressing(Tenant.objects.all(), METER) == []


def test_the_home_of_a_tenant_has_its_month(acme, licensed, client_for):
    set_limits(acme, org_month=100)
    use(acme, licensed.agent, 25 * 60, at=None)
    found = figures_of(acme.pk, METER)
    assert (found.current, found.period) == (True, month_of(timezone.now(), found.zone))
    page = client_for(licensed.tenant_admin).get("/").content.decode()
    for text in ("Transcription this month", "25 minutes", "25.0 %", "2 (no seat limit)"):
        assert text in page, text
    assert "Transcription this month" not in client_for(licensed.agent).get("/").content.decode()
