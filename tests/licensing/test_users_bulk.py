"""Changes of many users: by filter, with a question first, one audit row a tenant."""

import hashlib
import time
import uuid

import pytest
from django.urls import reverse

from accounts.models import Role, User
from accounts.people import touched
from accounts.services import create_user
from audit.models import AuditEntry
from licensing.models import Bundle, UserLicence
from licensing.services import set_licence
from tests.conftest import PASSWORD
from tests.licensing.conftest import set_seats

pytestmark = pytest.mark.django_db

BULK = "/administration/user-management/users/bulk/"
SPEECH = Bundle.SPEECH_ANALYTICS


@pytest.fixture
def ada(client_for, people):
    return client_for(people.tenant_admin)


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


def holders() -> set[str]:
    return set(UserLicence.objects.filter(bundle=SPEECH).values_list("user__username", flat=True))


def rows_since(count: int) -> list[AuditEntry]:
    return list(AuditEntry.objects.order_by("pk")[count:])


def test_a_licence_is_assigned_by_filter_after_choice_and_question(ada, people):
    before = AuditEntry.objects.count()
    address = f"{BULK}?group=sales"
    choice = ada.post(address, {"action": "licence_add"})
    assert (choice.status_code, "2 users" in choice.content.decode()) == (200, True)
    question = ada.post(address, {"action": "licence_add", "licence": SPEECH})
    page = question.content.decode()
    assert "alan" in page
    assert "They get the licence" in page
    assert holders() == set()
    done = ada.post(address, {"action": "licence_add", "licence": SPEECH, "confirmed": "1"})
    assert done["Location"].endswith("/users/?group=sales")
    assert holders() == {"alan", "sue"}
    (entry,) = rows_since(before)
    assert (entry.action, entry.details["count"], entry.details["bundle"]) == ("licences.granted", 2, SPEECH)
    ada.post(BULK, {"action": "licence_remove", "licence": SPEECH, "confirmed": "1", "selection": [people.agent.pk]})
    assert holders() == {"sue"}


def test_only_visible_users_are_met_whatever_is_posted(ada, people):
    both = [people.agent.pk, people.stranger.pk, "nonsense"]
    ada.post(BULK, {"action": "licence_add", "licence": SPEECH, "confirmed": "1", "selection": both})
    assert holders() == {"alan"}


def test_the_question_says_who_falls_out_of_the_seats(ada, people, acme):
    set_seats(acme, 1)
    question = ada.post(BULK, {"action": "licence_add", "licence": SPEECH})
    page = question.content.decode()
    assert "3 users get the licence without a seat" in page
    assert "sue" in page


def test_a_batch_over_two_tenants_has_one_row_in_each_chain(root, acme, globex):
    before = AuditEntry.objects.count()
    root.post(f"{BULK}?tenant=", {"action": "licence_add", "licence": SPEECH, "confirmed": "1"})
    assert {entry.tenant_id for entry in rows_since(before)} >= {acme.pk, globex.pk}
    assert len(rows_since(before)) == 3


def test_disable_by_filter_and_enable_again(ada, people, acme):
    version = acme.people_version
    question = ada.post(f"{BULK}?role={people.agent.role_id}", {"action": "disable"})
    assert "2 users" in question.content.decode()
    ada.post(f"{BULK}?role={people.agent.role_id}", {"action": "disable", "confirmed": "1"})
    assert set(User.objects.filter(is_active=False).values_list("username", flat=True)) == {"alan", "olga"}
    acme.refresh_from_db()
    assert acme.people_version > version
    ada.post(BULK, {"action": "enable", "confirmed": "1"})
    assert not User.objects.filter(is_active=False).exists()


def test_the_last_administrator_survives_a_batch(root, people, acme):
    answer = root.post(
        BULK, {"action": "disable", "confirmed": "1", "selection": [people.tenant_admin.pk]}, follow=True
    )
    assert "Nobody would be left" in answer.content.decode()
    assert not User.objects.filter(is_active=False).exists()
    create_user(tenant=acme, username="ben", password=PASSWORD, role="tenant_admin", actor="test")
    root.post(BULK, {"action": "disable", "confirmed": "1", "selection": [people.tenant_admin.pk]})
    assert User.objects.filter(is_active=False).get().username == "ada"


def test_a_role_is_set_for_others_and_never_for_oneself(ada, people):
    supervisor = Role.objects.get(key="supervisor")
    values = {"action": "role", "role": supervisor.pk, "confirmed": "1"}
    assert ada.post(f"{BULK}?group=support", values).status_code == 302
    people.other_agent.refresh_from_db()
    assert (people.other_agent.role, people.other_agent.version) == (supervisor, 2)
    assert ada.post(BULK, values).status_code == 403
    people.agent.refresh_from_db()
    assert people.agent.role.key == "agent"
    platform = Role.objects.get(key="platform_admin")
    assert ada.post(f"{BULK}?group=support", {**values, "role": platform.pk}).status_code == 422


def test_what_is_not_offered_is_refused(ada, client_for, people, acme):
    assert ada.post(BULK, {"action": "delete"}).status_code == 400
    assert ada.post(f"{BULK}?licence=gold", {"action": "enable", "confirmed": "1"}).status_code == 400
    clerk = Role.objects.create(tenant=acme, name="Clerk", scope="system", granted=["users.view", "licences.assign"])
    carl = client_for(create_user(tenant=acme, username="carl", password=PASSWORD, role=clerk, actor="test"))
    assert carl.post(BULK, {"action": "disable", "confirmed": "1"}).status_code == 403
    assert carl.post(BULK, {"action": "licence_add", "licence": SPEECH, "confirmed": "1"}).status_code == 302
    assert not User.objects.filter(is_active=False).exists()


def test_a_batch_disables_nobody_who_holds_rights_that_the_editor_lacks(client_for, people, acme):
    codes = [*Role.objects.get(key="agent").permissions, "users.view", "users.edit"]
    clerk = Role.objects.create(tenant=acme, name="Clerk", scope="system", granted=codes)
    carl = client_for(create_user(tenant=acme, username="carl", password=PASSWORD, role=clerk, actor="test"))
    create_user(tenant=acme, username="ben", password=PASSWORD, role="tenant_admin", actor="test")
    chosen = {"confirmed": "1", "selection": [people.tenant_admin.pk, people.agent.pk]}
    assert carl.post(BULK, {**chosen, "action": "disable"}).status_code == 403
    assert not User.objects.filter(is_active=False).exists()
    User.objects.filter(pk=people.tenant_admin.pk).update(is_active=False)
    assert carl.post(BULK, {**chosen, "action": "enable"}).status_code == 403
    assert not User.objects.get(pk=people.tenant_admin.pk).is_active
    assert carl.post(BULK, {**chosen, "action": "disable", "selection": [people.agent.pk]}).status_code == 302
    assert not User.objects.get(pk=people.agent.pk).is_active


def test_the_row_of_a_batch_names_everybody_and_the_trail_of_each_finds_it(ada, people):
    before = AuditEntry.objects.count()
    supervisor = Role.objects.get(key="supervisor")
    chosen = [people.agent.pk, people.other_agent.pk]
    ada.post(BULK, {"action": "role", "role": supervisor.pk, "confirmed": "1", "selection": chosen})
    (entry,) = rows_since(before)
    assert entry.details["ids"] == [str(pk) for pk in chosen]
    assert (entry.details["former"], entry.details["role"]) == ({"Agent": 2}, "Supervisor")
    ada.post(BULK, {"action": "disable", "confirmed": "1", "selection": chosen})
    assert rows_since(before)[-1].details["former"] == {"enabled": 2}

    def trail(user) -> list[str]:
        rows = ada.get(reverse("audit:trail"), {"target_type": "user", "target_id": str(user.pk)}).context["table"].rows
        return [row.record.action for row in rows]

    for user in (people.agent, people.other_agent):
        assert trail(user)[:2] == ["users.disabled", "users.role_set"]
    assert "users.role_set" not in trail(people.supervisor)


def test_the_row_of_a_large_batch_names_the_first_thousand_and_proves_the_rest():
    ids = [uuid.UUID(int=number) for number in range(1001)]
    said = touched(ids)
    assert said["ids"] == [str(pk) for pk in ids[:1000]]
    assert said["ids_sha256"] == hashlib.sha256("\n".join(map(str, ids)).encode()).hexdigest()
    assert touched(ids[:1000]) == {"ids": said["ids"]}


def test_ten_thousand_users_take_seconds(acme, people):
    agent = Role.objects.get(key="agent")
    User.objects.bulk_create(
        User(tenant=acme, username=f"u{n}", username_key=f"u{n}", role=agent, password="!") for n in range(10_000)
    )
    users = User.objects.filter(tenant=acme)
    before, started = AuditEntry.objects.count(), time.monotonic()
    assert set_licence(users=users, bundle=SPEECH, held=True, editor=people.tenant_admin) == 10_004
    assert set_licence(users=users, bundle=SPEECH, held=True, editor=people.tenant_admin) == 0
    assert set_licence(users=users, bundle=SPEECH, held=False, editor=people.tenant_admin) == 10_004
    assert time.monotonic() - started < 30
    assert len(rows_since(before)) == 2
