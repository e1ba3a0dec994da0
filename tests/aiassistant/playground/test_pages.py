"""The playground as people use it."""

from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from aiassistant.library.models import AITaskVersion
from aiassistant.models import DefaultEngine, EnginePrice
from aiassistant.playground.models import PlaygroundRun
from aiassistant.playground.trying import run_trial
from conversations.models import Call
from tenants.doors import enter
from tests.aiassistant.house import SENTIMENT, emulator, house  # noqa: F401
from tests.audit.changes.aitasks import FORM

pytestmark = pytest.mark.django_db


@pytest.fixture
def tried(house):  # noqa: F811
    """A task with a priced engine, and one call."""
    task = house.task("mood", [SENTIMENT])
    DefaultEngine.objects.create(tenant=None, engine=house.engine)
    price = {"input": Decimal(2), "cached_input": Decimal(1), "output": Decimal(8)}
    EnginePrice.objects.create(engine=house.engine, valid_from=date(2020, 1, 1), currency="EUR", **price)
    house.call()
    return task


def text_of(response):
    return response.content.decode()


def edits(task, **more):
    outputs = '[{"name": "sentiment", "type": "integer", "field": "sentiment", "evidence": true}]'
    return {**FORM, "key": task.key, "title": task.title, "version": "1", "outputs": outputs, "try_newest": "3", **more}


def ran(client, response):
    """The page of the run after a worker had it."""
    assert response.status_code == 302, text_of(response)
    run_trial(str(PlaygroundRun.objects.latest("created_at").pk))
    return text_of(client.get(response["Location"]))


def test_an_admin_of_the_platform_tries_edits_without_saving_them_and_reads_as_the_tenant(
    client_for, people, acme, tried
):
    root = client_for(people.platform_admin)
    assert "Try these edits" in text_of(root.get(reverse("aitasks:task", args=[tried.pk])))
    posted = edits(tried, system_template="Be strict.", try_tenant=str(acme.pk))
    page = ran(root, root.post(reverse("aitasks:try", args=[tried.pk]), posted))
    assert AITaskVersion.objects.filter(task=tried).count() == 1
    assert "Completed" in page
    assert "Unsaved edits" in page
    assert "Running: 1" in page
    assert "EUR" in page
    assert "while viewing as the tenant" in page
    assert '<code dir="ltr">sentiment</code>' not in page
    ada = client_for(people.tenant_admin)
    shown = text_of(ada.get(reverse("aitasks:playground_run", args=[tried.pk, PlaygroundRun.objects.get().pk])))
    assert '<code dir="ltr">sentiment</code>' in shown
    assert "verified" in shown
    assert "c-1" in shown


def test_a_tenant_admin_tries_a_stored_version_on_a_chosen_conversation(client_for, people, acme, house, tried):  # noqa: F811
    ada, call = client_for(people.tenant_admin), house.call()
    page = reverse("aitasks:playground", args=[tried.pk])
    assert "try_tenant" not in text_of(ada.get(page))
    posted = {"try_version": "1", "try_newest": "", "try_conversations": f"https://x/calls/{call.pk}/"}
    shown = ran(ada, ada.post(page, posted))
    assert "<bdi>c-2</bdi>" in shown
    assert "<bdi>c-1</bdi>" not in shown
    assert "Version 1" in shown
    assert "Running:" not in shown
    assert "Completed" in text_of(ada.get(page))


@pytest.mark.parametrize(
    ("posted", "problem"),
    [
        ({"try_newest": "21"}, "less than or equal to 20"),
        ({"try_newest": "", "try_conversations": "nonsense"}, "names no conversation"),
        ({"try_newest": ""}, "Choose how many, or which conversations."),
        ({"try_conversations": "00000000-0000-7000-8000-000000000001"}, "does not exist, or you may not read it"),
        ({"try_version": "99"}, "99 is not one of the available choices"),
    ],
)
def test_a_wrong_choice_stands_at_its_field(client_for, people, tried, posted, problem):
    ada = client_for(people.tenant_admin)
    given = {"try_version": "1", "try_newest": "2", "try_conversations": "", **posted}
    response = ada.post(reverse("aitasks:playground", args=[tried.pk]), given)
    assert response.status_code == 422
    assert problem in text_of(response)
    assert not PlaygroundRun.objects.exists()


def test_edits_that_could_not_be_saved_are_not_tried_either(client_for, people, acme, tried):
    root = client_for(people.platform_admin)
    posted = edits(tried, user_template="{{transcript}} {{call.colour}}", try_tenant=str(acme.pk))
    response = root.post(reverse("aitasks:try", args=[tried.pk]), posted)
    assert response.status_code == 422
    assert "there is no variable “call.colour”" in text_of(response)
    assert f'action="{reverse("aitasks:task", args=[tried.pk])}"' in text_of(response)
    assert not PlaygroundRun.objects.exists()


def test_an_engine_that_is_disabled_is_named_where_it_is_chosen(client_for, people, acme, house, tried):  # noqa: F811
    type(house.engine).objects.update(enabled=False)
    root = client_for(people.platform_admin)
    stored = root.post(
        reverse("aitasks:playground", args=[tried.pk]),
        {"try_version": "1", "try_newest": "2", "try_tenant": str(acme.pk)},
    )
    assert stored.status_code == 422
    assert "the engine “Model” is disabled" in text_of(stored)
    draft = root.post(reverse("aitasks:try", args=[tried.pk]), edits(tried, try_tenant=str(acme.pk)))
    assert draft.status_code == 422
    assert "the engine “Model” is disabled" in text_of(draft)


def test_a_run_can_be_cancelled_from_its_page(client_for, people, tried):
    ada = client_for(people.tenant_admin)
    response = ada.post(reverse("aitasks:playground", args=[tried.pk]), {"try_version": "1", "try_newest": "1"})
    page = response["Location"]
    assert "Cancel this try" in text_of(ada.get(page))
    assert ada.post(f"{page}cancel/").status_code == 302
    assert PlaygroundRun.objects.get().state == "cancelled"
    assert "Cancel this try" not in text_of(ada.get(page))


def test_who_may_not_read_a_conversation_sees_no_answers(client_for, people, acme, tried):
    root, ada = client_for(people.platform_admin), client_for(people.tenant_admin)
    posted = {"try_version": "1", "try_newest": "1", "try_tenant": str(acme.pk)}
    ran(root, root.post(reverse("aitasks:playground", args=[tried.pk]), posted))
    page = reverse("aitasks:playground_run", args=[tried.pk, PlaygroundRun.objects.get().pk])
    assert client_for(people.stranger).get(page).status_code in (403, 404)
    assert "<bdi>c-1</bdi>" in text_of(ada.get(page))
    with enter(acme):
        Call.objects.update(confidential=True)
    shown = text_of(ada.get(page))
    assert "1 conversation is not shown" in shown
    assert "<bdi>c-1</bdi>" not in shown
