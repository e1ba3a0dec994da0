"""The tasks that the product brings with it."""

import pytest

from aiassistant.engines.offline.rules import unanswerable
from aiassistant.engines.schemas import strict_schema
from aiassistant.library.models import AITask, TaskLabel
from aiassistant.library.seeding import load_library
from aiassistant.library.seeds import SEEDS
from aiassistant.library.selectors import definition_for, tasks_for
from aiassistant.library.services import archive_tasks
from customfields.models import CustomField
from tests.aiassistant.library.making import change
from tests.customfields.making import made

pytestmark = pytest.mark.django_db


def running(key):
    label = TaskLabel.objects.select_related("task", "points_to").get(task__key=key, task__tenant=None)
    return definition_for(label.task, label.points_to)


def test_the_library_is_loaded_once_and_off_for_every_tenant(acme):
    assert load_library() == len(SEEDS)
    assert load_library() == 0
    assert tasks_for([acme])[acme.pk] == ()
    keys = set(AITask.objects.values_list("key", flat=True))
    assert keys == {
        "call_summary",
        "sentiment",
        "topics",
        "csat",
        "call_reason",
        "churn_risk",
        "compliance",
        "next_actions",
    }


def test_every_output_of_the_library_has_its_field_and_a_strict_schema():
    load_library()
    for seed in SEEDS:
        task = running(seed.key)
        assert all(output.field is not None for output in task.outputs), seed.key
        assert strict_schema(task.outputs)
    (csat,) = running("csat").outputs
    assert (csat.minimum, csat.maximum) == (0, 5)
    (score,) = running("sentiment").outputs
    assert (score.minimum, score.maximum, len(score.field.settings["bands"])) == (-100, 100, 5)


@pytest.mark.parametrize("key", ["call_summary", "sentiment", "topics", "call_reason", "compliance"])
def test_the_built_in_engine_can_answer_where_rules_can(key):
    load_library()
    assert unanswerable(running(key).outputs) == {}


@pytest.mark.parametrize("key", ["csat", "churn_risk", "next_actions"])
def test_the_built_in_engine_does_not_guess_where_no_rule_can_tell(key):
    load_library()
    assert unanswerable(running(key).outputs)


def test_what_people_changed_or_archived_stays_as_they_left_it(people, monkeypatch):
    load_library()
    task, gone = (AITask.objects.get(key=key) for key in ("csat", "topics"))
    change(task, people.platform_admin, user_template="Ours: {{transcript}}")
    archive_tasks(tasks=[gone], editor=people.platform_admin)
    monkeypatch.setattr("aiassistant.library.seeding.REVISION", 2)
    monkeypatch.setattr("aiassistant.library.seeding.USER", "New: {{transcript}}")
    assert load_library() == len(SEEDS) - 2
    assert running("csat").user_template == "Ours: {{transcript}}"
    assert running("sentiment").user_template == "New: {{transcript}}"
    assert not AITask.objects.filter(key="topics", archived_at=None).exists()


def test_a_key_that_a_tenant_has_taken_is_left_to_it(acme):
    made("csat", "text", tenant=acme)
    load_library()
    (csat,) = running("csat").outputs
    assert CustomField.objects.get(pk=csat.field_id).key == "csat_ai"
