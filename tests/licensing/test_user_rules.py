"""Who may move whom between groups, what a refusal says, and names that look alike or cannot be seen."""

import importlib
from unittest.mock import Mock

import pytest
from django.apps import apps
from django.urls import reverse

from accounts.models import Role, User
from accounts.services import create_user
from core.errors import InvalidInput, NotAllowed
from licensing.services import save_person
from tests.accounts.signing_in import confirmed
from tests.conftest import PASSWORD
from tests.licensing.test_import import apply, errors_of, send
from tests.licensing.test_users import ADD, LIST, edit_url, made_lead, posted

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client_for, people):
    return client_for(people.tenant_admin)


@pytest.fixture
def lara(client_for, acme):
    """She edits users and hears the people of Sales."""
    return client_for(made_lead(acme))


@pytest.fixture
def carl(client_for, acme):
    """He edits all users and holds hardly a right besides."""
    clerk = Role.objects.create(tenant=acme, name="Clerk", scope="system", granted=["users.view", "users.edit"])
    return client_for(create_user(tenant=acme, username="carl", password=PASSWORD, role=clerk, actor="test"))


def group_of(user: User) -> str:
    return User.objects.get(pk=user.pk).group


# --- Groups -----------------------------------------------------------------------------------------------------------


def test_nobody_pulls_a_mightier_person_into_a_group_or_puts_him_in_charge_of_one(lara, ada, people):
    User.objects.filter(pk=people.tenant_admin.pk).update(group="Sales")
    admin = User.objects.get(pk=people.tenant_admin.pk)
    for values in ({"group": ""}, {"managed_groups": "Sales"}):
        answer = lara.post(edit_url(admin), posted(admin, **values))
        assert answer.status_code == 403
    assert (group_of(admin), User.objects.get(pk=admin.pk).managed_groups) == ("Sales", [])
    assert lara.post(edit_url(people.agent), posted(people.agent, group="")).status_code == 302


@pytest.mark.parametrize("group", ["Support", ""])
def test_who_sees_some_groups_fetches_nobody_out_of_another_one_or_of_none(lara, ada, people, group):
    User.objects.filter(pk=people.other_agent.pk).update(group=group)
    olga = User.objects.get(pk=people.other_agent.pk)
    answer = lara.post(edit_url(olga), posted(olga, group="Sales"))
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["group"])
    text = "username,group\nolga,Sales\n"
    assert errors_of(send(lara, text)) == [(2, "group")]
    assert apply(lara, text).status_code == 422
    assert group_of(olga) == group
    # Somebody new, and what is hers, go where she may put them; who sees everything moves anybody.
    assert lara.post(ADD, posted(group="Sales", password=PASSWORD)).status_code == 302
    assert errors_of(send(lara, "username,role,group\nnick,agent,Sales\n")) == []
    assert ada.post(edit_url(olga), posted(olga, group="Sales")).status_code == 302
    assert group_of(olga) == "Sales"


def test_a_file_moves_no_mightier_person_between_groups(carl, ada, people):
    text = "username,group\nada,Sales\nalan,Support\n"
    step, _other = send(carl, text).context["plan"].steps
    assert step.error is not None
    assert (step.error[0], "ada holds rights that you lack" in step.error[1]) == ("group", True)
    assert apply(carl, text).status_code == 422
    assert group_of(people.tenant_admin) == ""


# --- Refusals ---------------------------------------------------------------------------------------------------------


def test_a_refusal_on_saving_has_its_own_words_and_keeps_what_was_typed(carl, people):
    admin = people.tenant_admin
    answer = carl.post(edit_url(admin), posted(admin, email="new@acme.example", full_name="Typed Name"))
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "ada holds rights that you lack (" in page
    assert "so you cannot change how they sign in or what they may do." in page
    assert "so you cannot give it" not in page
    assert 'value="new@acme.example"' in page
    assert 'value="Typed Name"' in page
    assert User.objects.get(pk=admin.pk).email == ""


def test_a_file_and_a_batch_refuse_a_mightier_person_in_the_same_words(carl, people):
    people_of = {"action": "disable", "confirmed": "1", "selection": [people.tenant_admin.pk]}
    answer = carl.post(f"{LIST}bulk/", people_of)
    assert answer.status_code == 403
    assert "ada holds rights that you lack (" in answer.content.decode()
    (step,) = send(carl, "username,email\nada,new@acme.example\n").context["plan"].steps
    assert step.error is not None
    assert step.error[1].startswith("ada holds rights that you lack (")


def test_somebody_who_sees_further_is_refused_in_words_of_his_own(client_for, acme, people):
    narrow = User.objects.get(pk=made_lead(acme).pk)
    wide = Role.objects.create(tenant=acme, name="Wide", scope="system", granted=["home.view"])
    zoe = create_user(tenant=acme, username="zoe", password=PASSWORD, role=wide, actor="test")
    common = {"user": zoe, "tenant": acme, "version": zoe.version, "licences": None}
    with pytest.raises(NotAllowed, match="zoe sees further than you"):
        save_person(values={"email": "a@acme.example"}, editor=narrow, **common)
    save_person(values={"email": "a@acme.example"}, editor=people.tenant_admin, **common)


def test_the_page_of_a_mightier_user_offers_nothing_that_is_refused(carl, people):
    def buttons(user: User) -> list[bool]:
        page = confirmed(carl).get(reverse("licensing:user", args=[user.pk])).content.decode()
        names = ("licensing:user_password", "accounts:user_end_sessions")
        return [f'href="{reverse(name, args=[user.pk])}"' in page for name in names]

    assert buttons(people.tenant_admin) == [False, False]
    role = Role.objects.create(tenant=people.agent.tenant, name="Viewer", scope="user", granted=["users.view"])
    User.objects.filter(pk=people.agent.pk).update(role=role)
    assert buttons(people.agent) == [True, True]
    assert buttons(User.objects.get(username="carl")) == [False, False]


# --- Names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [("zoe1", "\uff5aoe1"), ("\ud55c\uae00", "\u1112\u1161\u11ab\u1100\u1173\u11af"), ("Straße", "STRASSE")],
)
def test_user_names_that_look_alike_are_one_person(ada, client, people, one, other):
    assert ada.post(ADD, posted(username=one, role=people.agent.role_id, password=PASSWORD)).status_code == 302
    answer = ada.post(ADD, posted(username=other, role=people.agent.role_id, password=PASSWORD))
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["username"])
    made = User.objects.get(username=one)
    # The file knows him, and two lines about him are one too many.
    text = f"username,full_name,role\n{other},Same,agent\n{one},Twice,agent\n"
    plan = send(ada, text).context["plan"]
    assert [(step.what, step.user_id) for step in plan.steps] == [("change", made.pk), ("error", made.pk)]
    signed = client.post("/sign-in/", {"organisation": "acme", "username": other, "password": PASSWORD})
    assert signed.status_code == 302


def test_a_user_name_that_grows_beyond_its_column_is_refused_at_its_field(ada):
    answer = ada.post(ADD, posted(username="\ufdfa" * 20, password=PASSWORD))
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["username"])
    assert ada.post(ADD, posted(username="\ufdfa", password=PASSWORD)).status_code == 302


def test_stored_keys_follow_the_new_rule_unless_somebody_has_the_key(acme, people):
    def stored(username: str, key: str) -> User:
        return User.objects.create(
            tenant=acme, username=username, username_key=key, role=people.agent.role, password="!"
        )

    free = stored("\uff5aoe1", "\uff5aoe1")
    twin, second = stored("max", "max"), stored("\uff4dax", "\uff4dax")
    fold = importlib.import_module("accounts.migrations.0004_name_keys").fold
    fold(apps, Mock())
    keys = dict(User.objects.filter(pk__in=[free.pk, twin.pk, second.pk]).values_list("pk", "username_key"))
    assert keys == {free.pk: "zoe1", twin.pk: "max", second.pk: "\uff4dax"}
    assert User.objects.get(pk=people.agent.pk).username_key == "alan"


BAD = ["a\nb", "a\tb", "a\u2028b", "a\u0085b", "\u202egpj.exe", "a\u2066b", "\u200b", "\u2060\ufeff", "\u3164"]


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_breaks_lines_turns_text_or_cannot_be_seen_is_refused_at_its_field(acme, people, name):
    user, editor = people.agent, people.tenant_admin
    common = {"user": user, "tenant": acme, "version": user.version, "licences": None, "editor": editor}
    for values in ({"full_name": name}, {"group": name}, {"managed_groups": [name]}):
        with pytest.raises(InvalidInput) as refused:
            save_person(values=values, **common)
        assert [refused.value.field] == list(values)
    with pytest.raises(InvalidInput) as refused:
        create_user(tenant=acme, username="nora", password=PASSWORD, role="agent", actor="test", full_name=name)
    assert refused.value.field == "full_name"


@pytest.mark.parametrize("name", ["-x", "@home", "+1", "=1+1", "Ö \u0644\u200f", "\U0001f469\u200d\U0001f52c", "한글"])
def test_a_name_may_begin_with_a_sign_and_be_of_any_script_in_form_and_file(ada, people, name):
    answer = ada.post(edit_url(people.agent), posted(people.agent, full_name=name, group=name))
    assert answer.status_code == 302
    assert apply(ada, f"username,full_name,group\nolga,{name},{name}\n").status_code == 302
    for user in (people.agent, people.other_agent):
        assert (User.objects.get(pk=user.pk).full_name, group_of(user)) == (name.strip(), name.strip())


def test_a_bad_name_that_is_stored_already_keeps_nobody_from_saving_the_rest(ada, people):
    User.objects.filter(pk=people.agent.pk).update(full_name="a\u202eb", group="c\u202ed")
    people.agent.refresh_from_db()
    assert ada.post(edit_url(people.agent), posted(people.agent, email="a@acme.example")).status_code == 302


# --- Roles in a file --------------------------------------------------------------------------------------------------


def test_a_cell_never_picks_an_own_role_in_the_place_of_a_built_in_one(ada, acme):
    own = Role.objects.create(tenant=acme, name="Agent", scope="user", granted=["users.edit"])
    plan = send(ada, "username,role\nnora,agent\nnick,Agent\nnina,AGENT\nowen,supervisor\n").context["plan"]
    assert [step.error and step.error[0] for step in plan.steps] == [None, "role", "role", None]
    assert "Several roles" in plan.steps[1].error[1]
    assert plan.steps[0].new["role_id"] == Role.objects.get(key="agent").pk
    Role.objects.filter(pk=own.pk).update(name="Caller")
    assert errors_of(send(ada, "username,role\nnick,Agent\nnina,caller\n")) == []
