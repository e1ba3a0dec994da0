"""Administration > Customization > Custom Fields."""

import pytest
from django.urls import reverse

from core.errors import Conflict
from customfields.models import CustomField
from customfields.services import delete_fields, save_field
from customfields.uses import Use
from tests.customfields.making import SCORE, made

pytestmark = pytest.mark.django_db

FORM = {"name": "Mood", "key": "mood", "type": "score", "min": "-100", "max": "100", "position": "10", "enabled": "on"}
FORM |= {"bands": "-100 | Bad | red\n20|Good|green\n\n", "attribute": "custom_fields", "editable": "on"}
LIST = "/administration/customization/custom-fields/"


def used_by_a_task(field_ids):
    """What a higher app would say."""
    return {pk: [Use("AI task", "Mood of callers")] for pk in field_ids}


@pytest.fixture
def in_use(settings):
    settings.CUSTOM_FIELD_USES = {"tasks": f"{__name__}.used_by_a_task"}


def post(client, path, data, **more):
    return client.post(path, {**data, **more})


def text_of(response):
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return body.decode()


def test_a_tenant_admin_makes_a_field_of_the_own_tenant_whatever_the_form_says(client_for, people, acme, globex):
    client = client_for(people.tenant_admin)
    assert post(client, f"{LIST}add/", FORM, tenant=str(globex.pk)).status_code in (302, 422)
    assert not CustomField.objects.filter(tenant=globex).exists()
    CustomField.objects.all().delete()
    assert post(client, f"{LIST}add/", FORM).status_code == 302
    field = CustomField.objects.get()
    assert (field.tenant, field.key, field.type) == (acme, "mood", "score")
    assert [band["label"] for band in field.settings["bands"]] == ["Bad", "Good"]


def test_the_platform_makes_fields_of_all_tenants_and_of_one(client_for, people, acme):
    client = client_for(people.platform_admin)
    assert post(client, f"{LIST}add/", FORM).status_code == 302
    assert post(client, f"{LIST}add/", FORM, key="own", name="Own", tenant=str(acme.pk)).status_code == 302
    assert {field.key: field.tenant for field in CustomField.objects.all()} == {"mood": None, "own": acme}


def test_a_tenant_admin_sees_global_fields_and_cannot_change_them(client_for, people):
    field, client = made("mood", "score", settings=SCORE), client_for(people.tenant_admin)
    page = client.get(f"{LIST}{field.pk}/")
    assert page.status_code == 200
    assert "not change it" in page.content.decode()
    assert post(client, f"{LIST}{field.pk}/", FORM, version="1").status_code == 403
    assert client.post(f"{LIST}{field.pk}/delete/").status_code == 403
    client.post(f"{LIST}bulk/", {"action": "disable", "all_matching": "1"})
    field.refresh_from_db()
    assert field.enabled
    assert field.version == 1


def test_nobody_sees_the_fields_of_another_tenant(client_for, people, acme, globex):
    field = made("theirs", tenant=globex, name="Theirs")
    client = client_for(people.tenant_admin)
    assert "Theirs" not in client.get(LIST).content.decode()
    assert client.get(f"{LIST}{field.pk}/").status_code == 404
    assert client.post(f"{LIST}{field.pk}/delete/").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"key": "Mood"}, "key"),
        ({"key": "1st"}, "key"),
        ({"name": "a\x07b"}, "name"),
        ({"min": "200"}, "max"),
        ({"max": ""}, "min"),
        ({"bands": "500 | Far | red"}, "bands"),
        ({"bands": "1 | Two"}, "bands"),
        ({"bands": "1 | In | pink"}, "bands"),
        ({"type": "choice"}, "choices"),
        ({"type": "choice", "choices": "a | b | c"}, "choices"),
        ({"type": "nonsense"}, "type"),
    ],
)
def test_what_breaks_a_rule_is_named_at_its_field_and_nothing_is_stored(client_for, people, wrong, at):
    response = post(client_for(people.platform_admin), f"{LIST}add/", FORM, **wrong)
    assert response.status_code == 422
    assert at in response.context["form"].errors
    assert not CustomField.objects.exists()


def test_a_key_is_unique_among_the_fields_that_a_tenant_has(client_for, people, acme, globex):
    made("mood", tenant=globex, name="Theirs")
    ada, root = client_for(people.tenant_admin), client_for(people.platform_admin)
    assert post(ada, f"{LIST}add/", FORM).status_code == 302
    twice = post(ada, f"{LIST}add/", FORM, name="Other")
    assert twice.status_code == 422
    assert "Mood" in str(twice.context["form"].errors["key"])
    everywhere = post(root, f"{LIST}add/", FORM)
    assert everywhere.status_code == 422
    assert "key" in everywhere.context["form"].errors
    made("global_key", name="Common")
    taken = post(ada, f"{LIST}add/", FORM, key="global_key")
    assert "all tenants" in str(taken.context["form"].errors["key"])


def test_key_and_type_stay_once_there_are_values(client_for, people, acme):
    field = made("mood", "score", settings=SCORE, tenant=acme, name="Mood")
    client, page = client_for(people.tenant_admin), f"{LIST}{field.pk}/"
    assert post(client, page, FORM, version="1", key="temper", type="integer").status_code == 302
    CustomField.objects.update(has_values=True, key="mood", type="score")
    assert "type" in post(client, page, FORM, version="2", type="integer").context["form"].errors
    assert "key" in post(client, page, FORM, version="2", key="temper").context["form"].errors
    assert post(client, page, FORM, version="2", name="Feeling").status_code == 302
    field.refresh_from_db()
    assert (field.key, field.type, field.name, field.version) == ("mood", "score", "Feeling", 3)


def test_two_people_do_not_overwrite_each_other(client_for, people, acme):
    field = made("mood", "score", settings=SCORE, tenant=acme)
    client, page = client_for(people.tenant_admin), f"{LIST}{field.pk}/"
    assert post(client, page, FORM, version="1").status_code == 302
    assert post(client, page, FORM, version="1", name="Late").status_code == 409
    assert CustomField.objects.get().name == "Mood"


def test_a_field_in_use_is_not_deleted_and_its_users_are_named(client_for, people, acme, in_use):
    field, client = made("mood", tenant=acme), client_for(people.tenant_admin)
    assert "Mood of callers" in client.get(LIST).content.decode()
    refusal = client.post(f"{LIST}{field.pk}/delete/")
    assert refusal.status_code == 409
    assert "Mood of callers" in refusal.content.decode()
    with pytest.raises(Conflict, match="Mood of callers"):
        delete_fields(fields=[field], editor=people.tenant_admin)
    rename = post(client, f"{LIST}{field.pk}/", FORM | {"type": "text"}, version="1", key="other")
    assert "Mood of callers" in str(rename.context["form"].errors["key"])
    assert CustomField.objects.get().deleted_at is None


def test_a_deleted_field_is_gone_and_its_key_is_free(client_for, people, acme):
    field, client = made("mood", tenant=acme, name="Old"), client_for(people.tenant_admin)
    assert client.post(f"{LIST}{field.pk}/delete/").status_code == 302
    assert client.get(f"{LIST}{field.pk}/").status_code == 404
    assert post(client, f"{LIST}add/", FORM).status_code == 302
    stale = dict(FORM, key="late", description="", group="", in_lists=False, position=1)
    with pytest.raises(Conflict):
        save_field(field=field, tenant=acme, values=stale, version=1, editor=people.tenant_admin)


def test_a_field_with_values_is_deleted_by_typing_its_name(client_for, people, acme):
    field, client = made("mood", tenant=acme, name="Mood", has_values=True), client_for(people.tenant_admin)
    assert client.post(f"{LIST}{field.pk}/delete/", {"confirm_name": "other"}).status_code == 422
    assert client.post(f"{LIST}{field.pk}/delete/", {"confirm_name": "Mood"}).status_code == 302


def test_the_list_filters_sorts_exports_and_acts_by_filter(client_for, people, acme, in_use):
    for number, kind in enumerate(("text", "integer", "date")):
        made(f"field_{number}", kind, tenant=acme, position=number)
    made("common", "boolean")
    client = client_for(people.tenant_admin)
    rows = client.get(LIST, {"type": "date", "sort": "-name"}).context["table"].rows
    assert [row.record.key for row in rows] == ["field_2"]
    exported = text_of(client.get(LIST, {"format": "csv", "scope": "global"})).splitlines()
    assert len(exported) == 2
    assert "common" in exported[1]
    assert "Mood of callers" in exported[1]
    done = client.post(f"{LIST}bulk/?scope=tenant&type=integer", {"action": "disable", "all_matching": "1"})
    assert done.status_code == 302
    assert list(CustomField.objects.filter(enabled=False).values_list("key", flat=True)) == ["field_1"]
    assert client.get(LIST, {"type": "nonsense"}).status_code == 400


def test_agents_have_no_way_to_the_definitions(client_for, people):
    field = made("mood")
    for path in (LIST, f"{LIST}add/", f"{LIST}{field.pk}/"):
        assert client_for(people.agent).get(path).status_code == 403


def test_the_route_names_lead_to_the_menu_path():
    assert reverse("customfields:fields") == LIST
