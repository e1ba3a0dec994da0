"""The tab License Limits, the seat explainer, and the list of tenants with its figures."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role, User
from audit.models import AuditEntry
from licensing.ledger import settle
from licensing.models import Account, Bundle, SeatLimit, UserLicence
from licensing.seats.effects import Holder, effect_of
from licensing.selectors import seat_limits
from tenants.models import Tenant
from tests.licensing.conftest import METER, request, set_limits, set_seats
from tests.licensing.test_ledger import ask

pytestmark = pytest.mark.django_db

TENANTS = "/administration/user-management/tenants/"
SPEECH = Bundle.SPEECH_ANALYTICS


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.fixture
def ada(client_for, people):
    return client_for(people.tenant_admin)


def limits_url(tenant) -> str:
    return reverse("licensing:licence_limits", args=[tenant.pk])


def seats_url(tenant) -> str:
    return reverse("licensing:seats", args=[tenant.pk])


def test_seats_are_stored_audited_and_blank_is_unlimited(root, acme):
    entitlements = Account.objects.filter(tenant=acme).values_list("entitlements", flat=True).first() or 1
    assert root.post(limits_url(acme), {"speech_analytics": "50", "call_recording": "100"}).status_code == 302
    assert seat_limits(acme.pk) == {"speech_analytics": 50, "call_recording": 100}
    entry = AuditEntry.objects.latest("pk")
    assert (entry.before, entry.after) == (
        {"call_recording": None, "speech_analytics": None},
        {"call_recording": 100, "speech_analytics": 50},
    )
    assert Account.objects.get(tenant=acme).entitlements > entitlements
    seen = {"seen_speech_analytics": "50", "seen_call_recording": "100"}
    assert root.post(limits_url(acme), {**seen, "speech_analytics": "50"}).status_code == 302
    assert seat_limits(acme.pk) == {"speech_analytics": 50}


@pytest.mark.parametrize("value", ["-1", "−1", "1.5", "1e12", "∞", "1000001", "9" * 5000, "1_000", "٣", "<b>", " x"])
def test_what_is_no_number_of_seats_is_refused_at_its_field(root, acme, value):
    answer = root.post(limits_url(acme), {"speech_analytics": value, "call_recording": "5"})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["speech_analytics"]
    assert not SeatLimit.objects.exists()


def test_a_tenant_looks_and_only_the_platform_changes(ada, root, client_for, people, acme, globex):
    assert ada.get(limits_url(acme)).status_code == 200
    assert ada.post(limits_url(acme), {"speech_analytics": "9"}).status_code == 403
    assert ada.get(limits_url(globex)).status_code == 404
    assert ada.get(seats_url(globex)).status_code == 404
    assert client_for(people.supervisor).get(limits_url(acme)).status_code == 403
    assert root.post(limits_url(acme), {"speech_analytics": "9"}).status_code == 302


def test_the_second_of_two_editors_gets_409_with_what_changed(root, acme):
    assert root.post(limits_url(acme), {"speech_analytics": "50"}).status_code == 302
    answer = root.post(limits_url(acme), {"speech_analytics": "60"})
    assert answer.status_code == 409
    assert "root@system" in answer.content.decode()
    assert "Speech analytics: 50" in answer.content.decode()
    assert seat_limits(acme.pk) == {"speech_analytics": 50}


def test_lowering_the_seats_asks_first_and_lists_who_loses_service(root, licensed, acme):
    set_seats(acme, 2)
    values = {"seen_speech_analytics": "2", "speech_analytics": "1"}
    question = root.post(limits_url(acme), values)
    page = question.content.decode()
    assert "1 user over the seat cap loses service" in page
    assert "olga" in page
    assert seat_limits(acme.pk) == {"speech_analytics": 2}
    confirmed = question.context["confirmed"]
    assert root.post(limits_url(acme), values | {"confirmed": confirmed}).status_code == 302
    assert seat_limits(acme.pk) == {"speech_analytics": 1}
    assert AuditEntry.objects.latest("pk").details["losing"] == {"speech_analytics": 1}


def names(holders) -> list[str]:
    return [holder.username for holder in holders]


def test_effects_of_changes_on_a_ranked_list():
    import uuid

    before = [Holder(key, uuid.uuid4(), key) for key in ("a", "c", "e")]
    new = Holder("b", uuid.uuid4(), "b")
    added = effect_of(SPEECH, before, seats=2, new_seats=2, add=[new])
    assert (names(added.losing), names(added.without), names(added.gaining)) == (["c"], [], ["b"])
    last = effect_of(SPEECH, before, seats=2, new_seats=2, add=[Holder("z", uuid.uuid4(), "z")])
    assert (names(last.losing), names(last.without)) == ([], ["z"])
    removed = effect_of(SPEECH, before, seats=2, new_seats=2, remove=[before[0].pk])
    assert (removed.harmful, names(removed.gaining)) == (False, ["e"])
    renamed = Holder("x", before[0].pk, "x")
    moved = effect_of(SPEECH, before, seats=2, new_seats=2, add=[renamed], remove=[before[0].pk])
    assert (names(moved.losing), names(moved.gaining)) == (["x"], ["e"])
    raised = effect_of(SPEECH, before, seats=2, new_seats=None)
    assert (raised.harmful, names(raised.gaining)) == (False, ["e"])
    none = effect_of(SPEECH, before, seats=None, new_seats=0)
    assert names(none.losing) == ["a", "c", "e"]


def test_the_explainer_shows_ranks_cut_line_and_what_would_change(ada, licensed, acme):
    set_seats(acme, 1)
    page = ada.get(seats_url(acme)).content.decode()
    assert "The cut line is after rank 1." in page
    assert page.index("alan") < page.index("olga")
    assert "Over the cap" in page
    assert "Would get a seat" in ada.get(seats_url(acme), {"seats": "2"}).content.decode()
    assert "Would lose the seat" in ada.get(seats_url(acme), {"seats": "0"}).content.decode()
    added = ada.get(seats_url(acme), {"add": "Adam"}).content.decode()
    assert "would have rank 1" in added
    assert "loses the seat" in added
    harmless = ada.get(seats_url(acme), {"seats": "nonsense", "bundle": "gold", "page": "x"})
    assert harmless.status_code == 200
    assert not AuditEntry.objects.filter(action="licence_limits.changed").exists()


def test_the_explainer_reaches_the_cut_of_fifty_thousand_users(ada, acme):
    agent = Role.objects.get(key="agent")
    people = [
        User(tenant=acme, username=f"u{n:05}", username_key=f"u{n:05}", role=agent, password="!") for n in range(50_000)
    ]
    User.objects.bulk_create(people, batch_size=10_000)
    UserLicence.objects.bulk_create((UserLicence(user=user, bundle=SPEECH) for user in people), batch_size=10_000)
    set_seats(acme, 40_000)
    with CaptureQueriesContext(connection) as queries:
        first = ada.get(seats_url(acme))
    assert len(queries) <= 15
    cut = ada.get(seats_url(acme) + first.context["cut_url"]).content.decode()
    assert "u40000" in cut
    assert "Over the cap" in cut
    assert "u49990" in ada.get(seats_url(acme), {"find": "u49990"}).content.decode()
    question = ada.get(seats_url(acme), {"seats": "39999"}).content.decode()
    assert "1 user over the seat cap loses service" in question


def test_the_list_of_tenants_shows_seats_minutes_and_share(root, licensed, acme):
    set_seats(acme, 1)
    set_limits(acme, user_month=10)
    one = request(licensed.agent, 90)
    ask(acme, one)
    settle(tenant_id=acme.pk, meter=METER, keys=[one.key])
    row = next(row.record for row in root.get(TENANTS).context["table"].rows if row.record.pk == acme.pk)
    assert (row.holders, row.accepted, row.seats, row.used, row.allowed) == (2, 1, 1, 90, 600)
    line = next(
        line
        for line in root.get(TENANTS, {"format": "csv"}).getvalue().decode().splitlines()
        if line.startswith("Acme")
    )
    assert ",1/1,1.5,15.0," in line
    set_limits(acme, org_month=1)
    row = next(row.record for row in root.get(TENANTS).context["table"].rows if row.record.pk == acme.pk)
    assert row.allowed == 60
    for column in ("share", "used", "accepted", "people", "state"):
        assert root.get(TENANTS, {"sort": f"-{column}"}).status_code == 200


def test_minutes_of_a_month_that_has_ended_do_not_count(root, acme):
    Account.objects.create(tenant=acme, meter=METER, period="2020-01", zone="UTC", month_used=600, life_used=600)
    row = next(row.record for row in root.get(TENANTS).context["table"].rows if row.record.pk == acme.pk)
    assert row.used == 0


def test_the_list_of_tenants_takes_a_fixed_number_of_queries(root):
    with CaptureQueriesContext(connection) as few:
        root.get(TENANTS)
    Tenant.objects.bulk_create(
        Tenant(slug=f"t{n}", name=f"T{n}", state="ready", wrapped_data_key=b"") for n in range(30)
    )
    with CaptureQueriesContext(connection) as many:
        root.get(TENANTS)
    assert len(few) == len(many) <= 15


def test_tenants_are_suspended_and_resumed_by_filter(root, ada, acme, globex, system):
    bulk = reverse("licensing:tenants_bulk")
    question = root.post(f"{bulk}?q=acme", {"action": "suspend"})
    assert "1 row" in question.content.decode()
    root.post(f"{bulk}?q=acme", {"action": "suspend", "confirmed": "1"})
    states = dict(Tenant.objects.values_list("slug", "state"))
    assert (states["acme"], states["globex"], states["system"]) == ("suspended", "ready", "ready")
    root.post(bulk, {"action": "suspend", "confirmed": "1"})
    assert Tenant.objects.get(pk=system.pk).state == "ready"
    root.post(bulk, {"action": "resume", "confirmed": "1", "selection": [str(acme.pk), "nonsense"]})
    states = dict(Tenant.objects.values_list("slug", "state"))
    assert (states["acme"], states["globex"]) == ("ready", "suspended")
    assert ada.post(bulk, {"action": "suspend", "confirmed": "1"}).status_code == 403


def test_the_second_name_of_the_menu_leads_to_the_list(root):
    answer = root.get("/administration/tenant-management/tenants/", follow=True)
    assert answer.redirect_chain[-1][0] == TENANTS
    assert answer.status_code == 200


def test_the_way_from_a_user_to_his_place_encodes_his_name(root, people, acme):
    User.objects.filter(pk=people.agent.pk).update(username="al+an&b", username_key="al+an&b")
    UserLicence.objects.create(user=people.agent, bundle=SPEECH)
    shown = root.get(reverse("licensing:user", args=[people.agent.pk])).content.decode()
    url = f"{seats_url(acme)}?bundle=speech_analytics&find=al%2Ban%26b"
    assert url.replace("&", "&amp;") in shown
    assert 'data-found="1"' in root.get(url).content.decode()
