"""Users: list, form, rules about rights, two editors, licences past the cap."""

import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role, User
from accounts.security_models import UserSession
from accounts.services import create_user
from audit.models import AuditEntry
from core.errors import InvalidInput, NotAllowed
from licensing.models import Account, Bundle, DailyUsage, UserLicence
from licensing.people.selectors import cut_names, over_cap, seats_of
from licensing.selectors import ranked_users
from licensing.services import grant, save_person
from tenants.models import Tenant, TenantGroup
from tests.accounts.signing_in import confirmed
from tests.conftest import PASSWORD
from tests.licensing.conftest import METER, set_seats

pytestmark = pytest.mark.django_db

LIST = "/administration/user-management/users/"
ADD = f"{LIST}add/"
SPEECH = Bundle.SPEECH_ANALYTICS


@pytest.fixture
def ada(client_for, people):
    return client_for(people.tenant_admin)


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


def role(key: str) -> int:
    return Role.objects.get(key=key).pk


def posted(user: User | None = None, **changes):
    """What the form posts: the stored values with changes."""
    values = {"username": "nora", "is_active": "on", "role": role("agent")}
    if user is not None:
        values = {
            "username": user.username,
            "full_name": user.full_name,
            "email": user.email,
            "group": user.group,
            "managed_groups": ", ".join(user.managed_groups),
            "role": user.role_id,
            "is_active": "on",
            "licences": list(user.licences.values_list("bundle", flat=True)),
            "version": user.version,
        }
    return {key: value for key, value in (values | changes).items() if value is not None}


def edit_url(user) -> str:
    return reverse("licensing:user_edit", args=[user.pk])


def csv_of(client, **query) -> str:
    return client.get(LIST, {"format": "csv", **query}).getvalue().decode()


def test_the_list_shows_the_users_of_visible_tenants_and_no_others(ada, root, client_for, people):
    assert "alan" in csv_of(ada)
    assert "stan" not in csv_of(ada)
    assert "stan" in csv_of(root)
    assert client_for(people.supervisor).get(LIST).status_code == 403


def test_a_foreign_user_and_an_unknown_one_are_the_same_404(ada, root, people):
    for name in ("user", "user_edit", "user_password"):
        foreign = ada.get(reverse(f"licensing:{name}", args=[people.stranger.pk]))
        unknown = ada.get(reverse(f"licensing:{name}", args=[uuid.uuid4()]))
        assert (foreign.status_code, unknown.status_code) == (404, 404)
        assert confirmed(root).get(reverse(f"licensing:{name}", args=[people.stranger.pk])).status_code == 200


def test_a_user_is_made_with_licences_in_one_audit_row_and_must_change_the_password(ada, acme):
    before = AuditEntry.objects.count()
    answer = ada.post(ADD, posted(full_name="Nora", password=PASSWORD, licences=[SPEECH, Bundle.CALL_RECORDING]))
    made = User.objects.get(username="nora")
    assert answer["Location"] == reverse("licensing:user", args=[made.pk])
    assert (made.tenant, made.must_change_password, made.check_password(PASSWORD)) == (acme, True, True)
    assert set(made.licences.values_list("bundle", flat=True)) == {SPEECH, Bundle.CALL_RECORDING}
    (entry,) = AuditEntry.objects.order_by("pk")[before:]
    assert entry.after["licences"] == ["call_recording", "speech_analytics"]
    assert PASSWORD not in str(vars(entry))


def test_without_a_password_one_is_made_and_shown_on_this_answer_only(ada):
    answer = ada.post(ADD, posted())
    made = User.objects.get(username="nora")
    shown = answer.content.decode().partition("data-password>")[2].partition("<")[0]
    assert made.check_password(shown)
    assert re.fullmatch("[A-HJ-NP-Za-km-np-z2-9]{20,}", shown)
    assert shown not in ada.get(reverse("licensing:user", args=[made.pk])).content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "ALAN"),
        ("username", "=cmd"),
        ("username", "<script>"),
        ("username", ""),
        ("email", "no address"),
        ("role", "999999"),
        ("time_zone", "Mars/Base"),
        ("licences", ["gold"]),
        ("password", "short"),
    ],
)
def test_what_breaks_a_rule_is_refused_at_its_field_and_nothing_is_stored(ada, field, value):
    before = (User.objects.count(), AuditEntry.objects.count())
    answer = ada.post(ADD, posted(**{"password": PASSWORD, field: value}))
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert (User.objects.count(), AuditEntry.objects.count()) == before


def test_markup_in_names_is_shown_as_text(ada, people):
    name = "<img src=x onerror=alert(1)>{{7*7}}"
    assert ada.post(edit_url(people.agent), posted(people.agent, full_name=name, group="=1+1")).status_code == 302
    for address in (LIST, reverse("licensing:user", args=[people.agent.pk])):
        page = ada.get(address).content.decode()
        assert "&lt;img src=x onerror=alert(1)&gt;{{7*7}}" in page
        assert "<img src=x" not in page
    assert "'=1+1" in csv_of(ada)


def test_the_second_of_two_editors_gets_409_with_who_changed_what(ada, root, people):
    first, second = posted(people.agent, full_name="First"), posted(people.agent, group="Second")
    assert ada.post(edit_url(people.agent), first).status_code == 302
    answer = root.post(edit_url(people.agent), second)
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "ada@acme" in page
    assert "full name" in page
    people.agent.refresh_from_db()
    assert (people.agent.full_name, people.agent.group) == ("First", "Sales")


def test_renaming_changes_ranks_and_says_so(ada, people, acme):
    for user in (people.agent, people.other_agent):
        grant(user=user, bundle=SPEECH, actor="test")
    version = acme.people_version
    assert ranked_users(acme.pk, SPEECH) == [people.agent.pk, people.other_agent.pk]
    assert ada.post(edit_url(people.agent), posted(people.agent, username="zoe")).status_code == 302
    acme.refresh_from_db()
    assert acme.people_version > version
    assert ranked_users(acme.pk, SPEECH) == [people.other_agent.pk, people.agent.pk]


def test_disabling_ends_the_sessions_and_enabling_brings_the_user_back(ada, people, client_for):
    agents = client_for(people.agent)
    UserSession.objects.create(
        user=people.agent,
        session_key=agents.session.session_key,
        seen_at="2026-11-21T10:00Z",
        ends_at="2026-11-22T10:00Z",
    )
    assert agents.get("/").status_code == 200
    assert ada.post(edit_url(people.agent), posted(people.agent, is_active=None)).status_code == 302
    assert not UserSession.objects.filter(user=people.agent).exists()
    assert agents.get("/").status_code == 302
    people.agent.refresh_from_db()
    assert ada.post(edit_url(people.agent), posted(people.agent)).status_code == 302
    people.agent.refresh_from_db()
    assert people.agent.is_active


def test_nobody_disables_himself_or_changes_his_own_role(ada, people):
    me = people.tenant_admin
    # The boxes are locked, so what is posted all the same changes nothing.
    ada.post(edit_url(me), posted(me, is_active=None, role=role("agent"), full_name="Ada Again"))
    me.refresh_from_db()
    assert (me.full_name, me.is_active, me.role.key) == ("Ada Again", True, "tenant_admin")
    common = {"user": me, "tenant": me.tenant, "version": me.version, "licences": None, "editor": me}
    with pytest.raises(NotAllowed):
        save_person(values={"role": Role.objects.get(key="agent")}, **common)
    ada.post(f"{LIST}bulk/", {"action": "disable", "confirmed": "1"})
    me.refresh_from_db()
    people.agent.refresh_from_db()
    assert (me.is_active, people.agent.is_active) == (True, False)


def test_nobody_gives_a_role_beyond_his_own_rights(people, acme, client_for):
    narrow = Role.objects.create(tenant=acme, name="User clerk", scope="system", granted=["users.view", "users.edit"])
    clerk = create_user(tenant=acme, username="carl", password=PASSWORD, role=narrow, actor="test")
    carl = client_for(clerk)
    assert carl.post(ADD, posted(password=PASSWORD)).status_code == 422
    assert carl.post(ADD, posted(password=PASSWORD, role=narrow.pk)).status_code == 302
    # The name may be corrected; what leads to the rights of the other person may not be touched.
    admin = people.tenant_admin
    assert carl.post(edit_url(admin), posted(admin, full_name="Head")).status_code == 302
    admin.refresh_from_db()
    assert carl.post(edit_url(admin), posted(admin, group="Sales")).status_code == 403
    assert carl.post(edit_url(admin), posted(admin, managed_groups="Sales")).status_code == 403
    assert carl.post(edit_url(admin), posted(admin, email="carl@evil.example")).status_code == 403
    assert carl.post(edit_url(admin), posted(admin, role=narrow.pk)).status_code == 403
    assert carl.post(edit_url(admin), posted(admin, is_active=None)).status_code == 403
    User.objects.filter(pk=admin.pk).update(is_active=False)
    assert carl.post(edit_url(admin), posted(admin)).status_code == 403
    User.objects.filter(pk=admin.pk).update(is_active=True)
    address = reverse("licensing:user_password", args=[admin.pk])
    assert carl.post(address, {"password": PASSWORD}).status_code == 403
    admin.refresh_from_db()
    assert (admin.full_name, admin.group, admin.managed_groups) == ("Head", "", [])
    assert (admin.email, admin.role.key) == ("", "tenant_admin")


def made_lead(acme, name="lara", **fields) -> User:
    """Somebody who edits users and sees the managed groups only."""
    codes = [*Role.objects.get(key="supervisor").permissions, "users.view", "users.edit"]
    found, _made = Role.objects.get_or_create(
        tenant=acme, name="Lead", scope="managed_groups", defaults={"granted": codes}
    )
    user = create_user(tenant=acme, username=name, password=PASSWORD, role=found, group="Sales", actor="test")
    User.objects.filter(pk=user.pk).update(**fields)
    return User.objects.get(pk=user.pk)


def test_nobody_widens_his_own_access_by_his_groups(client_for, people, acme, root, system):
    me = made_lead(acme)
    # The boxes are locked; past the form the service refuses.
    lara = client_for(me)
    answer = lara.post(edit_url(me), posted(me, group="Support", managed_groups="Support", full_name="Lara"))
    assert answer.status_code == 302
    me.refresh_from_db()
    assert (me.full_name, me.group, me.managed_groups) == ("Lara", "Sales", [])
    common = {"user": me, "tenant": acme, "version": me.version, "licences": None, "editor": me}
    for values in ({"group": "Support"}, {"managed_groups": ["Support"]}, {"group": ""}):
        with pytest.raises(NotAllowed, match="own groups"):
            save_person(values=values, **common)
    boss = people.platform_admin
    north = TenantGroup.objects.create(name="North")
    assert root.post(edit_url(boss), posted(boss, managed_tenant_groups=[north.pk], full_name="R")).status_code == 302
    boss.refresh_from_db()
    assert (boss.full_name, boss.managed_tenant_groups.count()) == ("R", 0)
    common = {"user": boss, "tenant": system, "version": boss.version, "licences": None, "editor": boss}
    with pytest.raises(NotAllowed, match="own groups"):
        save_person(values={}, tenant_groups=[north], **common)


def test_who_sees_some_groups_gives_others_no_further_ones_and_who_sees_all_gives_any(client_for, people, acme):
    lara = client_for(made_lead(acme, managed_groups=["North"]))
    agent, hers = people.other_agent, {"group": "Support", "managed_groups": "Support, East"}
    User.objects.filter(pk=agent.pk).update(managed_groups=["Support", "East"])
    agent.refresh_from_db()
    for field, value in [("group", "East"), ("managed_groups", "Support, East, West")]:
        answer = lara.post(edit_url(agent), posted(agent, **{**hers, field: value}))
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, [field])
    assert lara.post(ADD, posted(group="East", password=PASSWORD)).status_code == 422
    # What was there may stay or go, the own ones may be given.
    values = posted(agent, managed_groups="East, Sales, North")
    assert lara.post(edit_url(agent), values).status_code == 302
    agent.refresh_from_db()
    assert (agent.group, agent.managed_groups) == ("Support", ["East", "Sales", "North"])
    hers_already = people.agent
    assert lara.post(edit_url(hers_already), posted(hers_already, group="North")).status_code == 302
    ada = client_for(people.tenant_admin)
    assert ada.post(edit_url(agent), posted(agent, group="West", managed_groups="West")).status_code == 302
    rita = Role.objects.get(name="Lead")
    with pytest.raises(InvalidInput):
        save_person(
            user=None,
            tenant=acme,
            version=0,
            values={"username": "new", "role": rita, "managed_groups": ["West"]},
            licences=None,
            editor=User.objects.get(username="lara"),
        )


def test_the_last_administrator_stays_one(root, people):
    admin = people.tenant_admin
    for changes in ({"is_active": None}, {"role": role("agent")}):
        answer = root.post(edit_url(admin), posted(admin, **changes))
        assert answer.status_code == 409, answer.content.decode()[:500]
    create_user(tenant=admin.tenant, username="ben", password=PASSWORD, role="tenant_admin", actor="test")
    assert root.post(edit_url(admin), posted(admin, is_active=None)).status_code == 302


def test_platform_roles_and_tenant_roles_do_not_mix(root, ada, acme, people):
    assert root.post(f"{ADD}?tenant={acme.pk}", posted(role=role("platform_admin"))).status_code == 422
    in_system = f"{ADD}?tenant={Tenant.objects.get(is_system=True).pk}"
    assert root.post(in_system, posted(role=role("agent"))).status_code == 422
    assert root.post(in_system, posted(role=role("platform_admin"), password=PASSWORD)).status_code == 302
    assert User.objects.get(username="nora").tenant.is_system


def test_staff_of_managed_groups_reach_their_tenants_only(client_for, system, acme, globex):
    regional = Role.objects.create(
        tenant=system,
        name="Regional",
        platform=True,
        scope="managed_groups",
        granted=sorted(Role.objects.get(key="platform_admin").permissions),
    )
    user = create_user(tenant=system, username="rita", password=PASSWORD, role=regional, actor="test")
    group = TenantGroup.objects.create(name="North")
    group.tenants.add(acme)
    user.managed_tenant_groups.add(group)
    rita = client_for(user)
    assert "alan" in csv_of(rita)
    assert "stan" not in csv_of(rita)
    assert rita.get(f"{ADD}?tenant={acme.pk}").status_code == 200
    assert rita.get(f"{ADD}?tenant={globex.pk}").status_code == 404


def test_who_may_only_assign_licences_changes_nothing_else(client_for, people, acme):
    clerk_role = Role.objects.create(
        tenant=acme, name="Clerk", scope="system", granted=["users.view", "licences.assign"]
    )
    clerk = client_for(create_user(tenant=acme, username="carl", password=PASSWORD, role=clerk_role, actor="test"))
    assert clerk.get(ADD).status_code == 403
    answer = clerk.post(edit_url(people.agent), posted(people.agent, full_name="X", licences=[SPEECH]))
    assert answer.status_code == 302
    people.agent.refresh_from_db()
    assert people.agent.full_name == "Alan"
    assert people.agent.licences.count() == 1


def test_saving_past_the_cap_asks_first_and_lists_who_loses_service(ada, people, acme):
    grant(user=people.other_agent, bundle=SPEECH, actor="test")
    set_seats(acme, 1)
    before = AuditEntry.objects.count()
    values = posted(people.agent, licences=[SPEECH])
    question = ada.post(edit_url(people.agent), values)
    page = question.content.decode()
    assert question.status_code == 200
    assert "1 user over the seat cap loses service" in page
    assert "olga" in page
    assert not UserLicence.objects.filter(user=people.agent).exists()
    assert AuditEntry.objects.count() == before
    confirmed = question.context["confirmed"]
    assert ada.post(edit_url(people.agent), values | {"confirmed": "another effect"}).status_code == 200
    assert ada.post(edit_url(people.agent), values | {"confirmed": confirmed}).status_code == 302
    assert seats_of(people.agent)[SPEECH].accepted
    assert not seats_of(people.other_agent)[SPEECH].accepted
    assert AuditEntry.objects.count() == before + 1


def test_what_does_no_harm_is_not_asked(ada, people, acme):
    set_seats(acme, 1)
    assert ada.post(edit_url(people.agent), posted(people.agent, licences=[SPEECH])).status_code == 302


def test_ranks_go_by_casefolded_name_and_code_point_everywhere(acme):
    names = ["zed", "Straße", "STRASSEN", "Ädam", "İnci", "Ирина", "adam", "Zoe", "_under", "1st"]
    made = [create_user(tenant=acme, username=n, password=PASSWORD, role="agent", actor="test") for n in names]
    for user in made:
        grant(user=user, bundle=SPEECH, actor="test")
    expected = [user.pk for user in sorted(made, key=lambda user: user.username.casefold())]
    assert ranked_users(acme.pk, SPEECH) == expected
    set_seats(acme, 4)
    assert set(over_cap(SPEECH).values_list("user_id", flat=True)) == set(expected[4:])
    fifth = User.objects.get(pk=expected[4])
    assert cut_names([acme.pk]) == {(acme.pk, SPEECH): fifth.username_key}
    assert [seats_of(User.objects.get(pk=pk))[SPEECH].rank for pk in expected] == list(range(1, 11))


def test_the_marks_of_the_list_and_its_filter_agree(ada, licensed, acme):
    set_seats(acme, 1)
    assert "over the cap" in ada.get(LIST).content.decode()
    assert [row.record.username for row in ada.get(LIST, {"over": "any"}).context["table"].rows] == ["olga"]
    assert "speech_analytics" in csv_of(ada, over=SPEECH)
    licensed.agent.is_active = False
    licensed.agent.save()
    assert ada.get(LIST, {"over": "any"}).context["table"].rows.data.data.count() == 0


def test_filters_and_minutes(ada, licensed, acme):
    period = "2999-12"
    Account.objects.update_or_create(tenant=acme, meter=METER, defaults={"period": period, "zone": "UTC"})
    DailyUsage.objects.create(
        tenant=acme, meter=METER, period=period, day="2999-12-01", user_id=licensed.agent.pk, used=90
    )
    DailyUsage.objects.create(
        tenant=acme, meter=METER, period="2020-01", day="2020-01-01", user_id=licensed.agent.pk, used=6000
    )
    for query, names in [
        ({"licence": SPEECH}, {"alan", "olga"}),
        ({"no_licence": SPEECH}, {"ada", "sue"}),
        ({"group": "sales"}, {"alan", "sue"}),
        ({"q": "OLG"}, {"olga"}),
        ({"role": role("supervisor")}, {"sue"}),
        ({"enabled": "0"}, set()),
        ({"never": "1"}, {"ada", "alan", "olga", "sue"}),
    ]:
        rows = ada.get(LIST, query).context["table"].rows
        assert {row.record.username for row in rows} == names, query
    assert ada.get(LIST, {"licence": "gold"}).status_code == 400
    alan = next(line for line in csv_of(ada).splitlines() if line.startswith("alan"))
    assert ",1.5," in alan


def test_the_list_takes_the_same_queries_for_many_users(ada, acme, licensed):
    set_seats(acme, 1)

    def measured() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert ada.get(LIST).status_code == 200
        return len(queries)

    few = measured()
    agent = Role.objects.get(key="agent")
    User.objects.bulk_create(
        User(tenant=acme, username=f"u{n}", username_key=f"u{n}", role=agent, password="!") for n in range(60)
    )
    UserLicence.objects.bulk_create(
        UserLicence(user=user, bundle=SPEECH) for user in User.objects.filter(username__startswith="u")
    )
    assert measured() == few <= 15


def test_while_viewing_a_tenant_users_are_seen_and_not_changed(root, acme, people):
    root.post(reverse("tenants:view_as", args=[acme.pk]), {"reason": "support"})
    page = reverse("licensing:user", args=[people.agent.pk])
    assert edit_url(people.agent) not in root.get(page).content.decode()
    assert root.get(edit_url(people.agent)).status_code == 403
    assert root.post(edit_url(people.agent), posted(people.agent, full_name="X")).status_code == 403
    assert root.get(reverse("licensing:user", args=[people.stranger.pk])).status_code == 404


def test_the_details_say_rank_cut_and_how_somebody_signs_in(ada, licensed, acme):
    set_seats(acme, 1)
    page = ada.get(reverse("licensing:user", args=[licensed.other_agent.pk])).content.decode()
    for words in ("olga", "Support", "Over the cap", "Never", "Who has a seat", "End all sessions"):
        assert words in page
    assert "Has a seat" in ada.get(reverse("licensing:user", args=[licensed.agent.pk])).content.decode()


def test_platform_staff_choose_the_tenant_before_they_see_the_form(root, people, acme):
    assert "username" not in root.get(ADD).context["form"].fields
    refused = root.post(ADD, {"username": "nora", "role": people.agent.role_id})
    assert refused.status_code == 422
    assert not User.objects.filter(username="nora").exists()
    assert root.get(f"{ADD}?tenant=nonsense").status_code == 404
    values = {"username": "nora", "role": people.agent.role_id, "is_active": "on"}
    shown = root.post(f"{ADD}?tenant={acme.pk}", values)
    assert shown.context["password"]
    assert User.objects.get(username="nora").tenant == acme
