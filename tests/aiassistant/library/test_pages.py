"""The pages of AI tasks, as people use them."""

import json
import re
from dataclasses import asdict

import pytest
from django.core.cache import cache
from django.urls import reverse

from aiassistant.library.estimating import Monthly, question_of
from aiassistant.library.models import AITask, AITaskVersion, TaskActivation
from aiassistant.library.seeding import load_library
from aiassistant.library.selectors import tasks_for
from tests.aiassistant.library.making import change, score_field, stored_task
from tests.audit.changes.aitasks import FORM


@pytest.fixture
def ada(client_for, people):
    return client_for(people.tenant_admin)


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


def text_of(response):
    return response.content.decode()


def test_a_tenant_admin_switches_tasks_on_and_sees_them_in_the_tab(ada, acme):
    load_library()
    tab = reverse("aitasks:tenant", args=[acme.pk])
    assert "Call summary" not in text_of(ada.get(f"{tab}?state=enabled"))
    task = AITask.objects.get(key="csat")
    asked = ada.post(reverse("aitasks:tenant_bulk", args=[acme.pk]), {"action": "activate", "selection": [task.pk]})
    assert "Switch on: 1 row" in text_of(asked)
    posted = {"action": "activate", "selection": [task.pk], "confirmed": "1"}
    assert ada.post(reverse("aitasks:tenant_bulk", args=[acme.pk]), posted).status_code == 302
    assert [each.key for each in tasks_for([acme])[acme.pk]] == ["csat"]
    shown = text_of(ada.get(f"{tab}?state=enabled"))
    assert "Customer satisfaction" in shown
    assert "Call summary" not in shown


def test_an_unknown_variable_stands_at_its_field_and_nothing_is_stored(root):
    response = root.post(reverse("aitasks:add"), {**FORM, "user_template": "{{transcript}}\n{{call.colour}}"})
    assert response.status_code == 422
    assert "Line 2: there is no variable “call.colour”." in text_of(response)
    assert not AITask.objects.exists()


def test_outputs_name_custom_fields_by_key_and_a_clause_can_be_added(root):
    field = score_field()
    outputs = json.dumps([{"name": "score", "type": "score", "field": "mood_score"}])
    added = root.post(
        reverse("aitasks:add"), {**FORM, "outputs": outputs, "add_clause": "1", "add_fact": "call.duration"}
    )
    assert added.status_code == 200
    assert 'name="clause_0_field"' in text_of(added)
    clause = {"clause_0_field": "call.duration", "clause_0_0": "between", "clause_0_1": "1:00", "clause_0_2": "10:00"}
    assert root.post(reverse("aitasks:add"), {**FORM, "outputs": outputs, **clause}).status_code == 302
    version = AITaskVersion.objects.get()
    assert version.outputs[0]["field"] == field.pk
    assert version.filters == [{"field": "call.duration", "op": "between", "value": [60, 600]}]
    shown = text_of(root.get(reverse("aitasks:task", args=[version.task_id])))
    assert "mood_score" in shown


@pytest.mark.parametrize(
    "outputs", ["{", "{}", '[{"name": "a", "type": "text", "field": "nobody"}]', '[{"a": 1, "a": 2}]']
)
def test_outputs_that_are_none_are_refused_by_name(root, outputs):
    assert root.post(reverse("aitasks:add"), {**FORM, "outputs": outputs}).status_code == 422
    assert not AITask.objects.exists()


def test_two_versions_stand_beside_each_other(root, people):
    task = stored_task(people.platform_admin)
    change(task, people.platform_admin, user_template="Judge <b>strictly</b>:\n{{transcript}}", why="Too mild")
    shown = text_of(root.get(reverse("aitasks:compare", args=[task.pk])))
    assert "<del><bdi>Judge:</bdi></del>" in shown
    assert "<ins><bdi>Judge &lt;b&gt;strictly&lt;/b&gt;:</bdi></ins>" in shown
    assert "Too mild" in shown
    assert "Outputs" in shown


def test_an_override_is_saved_dropped_and_told_when_the_library_moves_on(ada, acme, people):
    task = stored_task(people.platform_admin)
    page = reverse("aitasks:override", args=[acme.pk, task.pk])
    posted = {"own_prompt": "on", "system_template": "Ours.", "user_template": "Ours: {{transcript}}", "version": "0"}
    assert ada.post(page, posted).status_code == 302
    assert "newer version" not in text_of(ada.get(page))
    change(task, people.platform_admin, user_template="New: {{transcript}}")
    compared = text_of(ada.get(reverse("aitasks:override_compare", args=[acme.pk, task.pk])))
    assert "<del><bdi>New: {{transcript}}</bdi></del>" in compared
    assert "<ins><bdi>Ours: {{transcript}}</bdi></ins>" in compared
    assert reverse("aitasks:override_compare", args=[acme.pk, task.pk]) in text_of(
        ada.get(reverse("aitasks:tenant", args=[acme.pk]))
    )
    assert "The library has a newer version" in text_of(ada.get(page))
    assert ada.post(reverse("aitasks:override_drop", args=[acme.pk, task.pk])).status_code == 302
    assert TaskActivation.objects.get().override is None


def test_a_tenant_admin_looks_at_the_library_and_cannot_change_it(ada, people):
    task = stored_task(people.platform_admin)
    page = reverse("aitasks:task", args=[task.pk])
    assert "You may look at this task" in text_of(ada.get(page))
    assert ada.post(page, {**FORM, "version": "1"}).status_code == 403
    assert AITaskVersion.objects.count() == 1


def test_a_field_that_a_task_fills_is_not_deleted_and_says_why(root, people):
    field = score_field()
    stored_task(people.platform_admin, outputs=[{"name": "a", "type": "score", "field": field.pk}])
    response = root.post(reverse("customfields:delete", args=[field.pk]))
    assert response.status_code == 409
    assert "AI task “Mood”" in text_of(response)


def test_what_a_month_costs_is_counted_behind_the_page(ada, acme, people):
    task = stored_task(people.platform_admin)
    assert ada.get(reverse("aitasks:estimate", args=[acme.pk, task.pk])).status_code == 200


def test_an_amount_below_a_cent_is_not_shown_as_nothing(ada, acme, people):
    task = stored_task(people.platform_admin)
    question = question_of(acme, task)
    told = Monthly(1, 1, 1, 1, 100, 10, engine="Cloud", model="m", currency="EUR", cost_micros=400)
    cache.set(question.key(), asdict(told), 60)
    shown = text_of(ada.get(reverse("aitasks:estimate", args=[acme.pk, task.pk])))
    assert "0.0004 EUR" in shown


def test_a_task_leads_to_a_backfill_of_itself_for_those_who_run_jobs(root, ada, people):
    task = stored_task(people.platform_admin)
    address = f"{reverse('jobs:backfill')}?kind=aiassistant&amp;tasks={task.pk}"
    assert address in text_of(root.get(reverse("aitasks:task", args=[task.pk])))
    assert address not in text_of(ada.get(reverse("aitasks:task", args=[task.pk])))
    wizard = text_of(root.get(address.replace("&amp;", "&")))
    boxes = [box for box in re.findall(r"<input[^>]*>", wizard) if 'name="tasks"' in box]
    assert [f'value="{task.pk}"' in box and "checked" in box for box in boxes] == [True]


ROW = {
    "outputs_0_name": "score",
    "outputs_0_type": "score",
    "outputs_0_field": "mood_score",
    "outputs_0_description": "How the customer feels.",
    "outputs_0_minimum": "-10",
    "outputs_0_maximum": "10",
    "outputs_0_max_length": "5",
    "outputs_0_explanation": "on",
    "outputs_0_rule": '{"skill": "sentiment"}',
}
BARE = {name: value for name, value in FORM.items() if name != "outputs"}


def box(page, name):
    """What stands in a text input; None when there is no such."""
    found = re.search(f'<input type="text" name="{name}"[^>]*? value="([^"]*)"', page)
    return found and found[1]


def test_outputs_are_filled_in_row_by_row(root):
    field = score_field()
    assert root.post(reverse("aitasks:add"), {**BARE, **ROW}).status_code == 302
    version = AITaskVersion.objects.get()
    assert version.outputs == [
        {
            "name": "score",
            "type": "score",
            "description": "How the customer feels.",
            "minimum": -10,
            "maximum": 10,
            "explanation": True,
            "rule": {"skill": "sentiment"},
            "field": field.pk,
        }
    ]
    shown = text_of(root.get(reverse("aitasks:task", args=[version.task_id])))
    assert box(shown, "outputs_0_minimum") == "-10"
    assert '<option value="mood_score" selected' in shown


def test_a_row_is_added_and_removed_with_all_that_was_typed(root):
    score_field()
    added = text_of(root.post(reverse("aitasks:add"), {**BARE, **ROW, "add_output": "1"}))
    assert [box(added, f"outputs_{number}_name") for number in (0, 1)] == ["score", "output_2"]
    second = {"outputs_1_name": "note", "outputs_1_type": "text", "outputs_1_description": "Why"}
    removed = text_of(root.post(reverse("aitasks:add"), {**BARE, **ROW, **second, "remove_output": "0"}))
    assert [box(removed, f"outputs_{number}_name") for number in (0, 1)] == ["note", None]
    assert not AITask.objects.exists()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"outputs_0_minimum": "low"}, "score: “minimum” is not valid"),
        ({"outputs_0_minimum": "20"}, "score"),
        ({"outputs_0_field": "nobody"}, "there is no custom field with the key “nobody”"),
        ({"outputs_0_type": "nonsense"}, "there is no type “nonsense”"),
        ({"outputs_0_rule": "{"}, "score: “rule” is not valid"),
        ({"outputs_0_name": "", "outputs_0_field": "", "outputs_0_description": ""}, "1 to 30"),
    ],
)
def test_a_row_that_breaks_a_rule_is_named_and_shown_as_it_was_typed(root, changes, named):
    score_field()
    answer = root.post(reverse("aitasks:add"), {**BARE, **ROW, **changes})
    assert answer.status_code == 422
    assert named in text_of(answer)
    assert not AITask.objects.exists()


def test_outputs_written_by_hand_count_when_they_are_chosen(root):
    score_field()
    by_hand = json.dumps([{"name": "other", "type": "score", "field": "mood_score"}])
    posted = {**FORM, **ROW, "outputs": by_hand, "outputs_as_json": "1"}
    assert root.post(reverse("aitasks:add"), posted).status_code == 302
    assert AITaskVersion.objects.get().outputs[0]["name"] == "other"
