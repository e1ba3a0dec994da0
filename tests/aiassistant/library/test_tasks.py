"""Tasks: versions, labels, what tenants make of them, and what is refused."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from aiassistant.library.activating import activate_tasks, drop_override, save_override, save_policy
from aiassistant.library.models import PRODUCTION, AITaskVersion, TaskLabel
from aiassistant.library.selectors import tasks_for, tasks_using
from aiassistant.library.services import archive_tasks, restore_version, set_label, set_tasks_enabled
from aiassistant.models import AIEngine
from audit.models import AuditEntry
from core.errors import Conflict, InvalidInput
from tests.aiassistant.library.making import change, content, head, save_task, score_field, stored_task
from tests.customfields.making import made


@pytest.fixture
def root(people):
    return people.platform_admin


@pytest.fixture
def ada(people):
    return people.tenant_admin


@pytest.fixture
def task(root):
    return stored_task(root)


def versions(task, tenant=None):
    return list(AITaskVersion.objects.filter(task=task, tenant=tenant).order_by("number"))


def test_a_task_is_off_for_every_tenant_until_it_is_switched_on(task, ada, acme, globex):
    assert tasks_for([acme, globex]) == {acme.pk: (), globex.pk: ()}
    assert activate_tasks(tenant=acme, tasks=[task], enabled=True, editor=ada) == 1
    running = tasks_for([acme, globex])
    assert [each.key for each in running[acme.pk]] == ["mood"]
    assert running[globex.pk] == ()
    assert activate_tasks(tenant=acme, tasks=[task], enabled=True, editor=ada) == 0
    assert activate_tasks(tenant=acme, tasks=[task], enabled=False, editor=ada) == 1
    assert tasks_for([acme])[acme.pk] == ()


def test_what_runs_is_read_in_three_queries_whatever_the_number_of_tenants_and_tasks(root, ada, acme, globex, people):
    tasks = [
        stored_task(root, f"task_{n}", outputs=[{"name": "a", "type": "score", "field": score_field(name=f"F{n}").pk}])
        for n in (1,)
    ]
    tasks += [stored_task(root, f"more_{n}") for n in range(3)]
    activate_tasks(tenant=acme, tasks=tasks, enabled=True, editor=ada)
    activate_tasks(tenant=globex, tasks=tasks, enabled=True, editor=people.stranger)
    with CaptureQueriesContext(
        connection,
    ) as caught:
        running = tasks_for([acme, globex])
    assert len(caught) == 3
    assert [len(each) for each in running.values()] == [4, 4]


def test_a_change_is_a_new_version_with_who_and_why_and_the_old_one_stays(task, root):
    changed = change(task, root, user_template="Be strict: {{transcript}}", why="Too mild", publish=False)
    first, second = versions(task)
    assert (first.user_template, second.user_template) == ("Judge:\n{{transcript}}", "Be strict: {{transcript}}")
    assert (second.author, second.why) == (root.actor, "Too mild")
    assert TaskLabel.objects.get(task=task, name=PRODUCTION).points_to == first
    change(changed, root, user_template="Be strict: {{transcript}}")
    assert len(versions(task)) == 2
    assert TaskLabel.objects.get(task=task, name=PRODUCTION).points_to == second


def test_a_version_that_is_restored_is_a_new_one(task, root):
    change(task, root, user_template="Other: {{transcript}}")
    restored = restore_version(task=task, number=1, publish=True, editor=root)
    assert (restored.number, restored.user_template) == (3, "Judge:\n{{transcript}}")
    assert TaskLabel.objects.get(task=task, name=PRODUCTION).points_to == restored
    with pytest.raises(Conflict):
        restore_version(task=task, number=9, publish=True, editor=root)


def test_labels_are_moved_by_those_who_saw_where_they_stood(task, root):
    change(task, root, user_template="Other: {{transcript}}", publish=False)
    set_label(task=task, name="Try out", number=2, seen=None, editor=root)
    with pytest.raises(Conflict):
        set_label(task=task, name="try out", number=1, seen=None, editor=root)
    set_label(task=task, name="try out", number=1, seen=2, editor=root)
    set_label(task=task, name="try out", number=None, seen=1, editor=root)
    with pytest.raises(Conflict, match="disable the task"):
        set_label(task=task, name="production", number=None, seen=1, editor=root)
    assert TaskLabel.objects.get(task=task).name == PRODUCTION


def test_two_who_save_at_the_same_time_do_not_overwrite_each_other(task, root):
    change(task, root, user_template="First: {{transcript}}")
    with pytest.raises(Conflict):
        change(task, root, user_template="Second: {{transcript}}")
    assert len(versions(task)) == 2


def test_an_override_holds_the_tenants_prompt_and_rests_on_what_ran_then(task, root, ada, acme, globex, people):
    activate_tasks(tenant=acme, tasks=[task], enabled=True, editor=ada)
    activate_tasks(tenant=globex, tasks=[task], enabled=True, editor=people.stranger)
    prompt = {"system_template": "Ours.", "user_template": "Ours: {{transcript}}"}
    made_version = save_override(tenant=acme, task=task, prompt=prompt, filters=None, why="", version=1, editor=ada)
    change(task, root, user_template="New: {{transcript}}")
    running = tasks_for([acme, globex])
    (ours,), (theirs,) = running[acme.pk], running[globex.pk]
    assert (ours.user_template, ours.version_id, ours.overridden) == ("Ours: {{transcript}}", made_version.pk, True)
    assert (theirs.user_template, theirs.overridden) == ("New: {{transcript}}", False)
    drop_override(tenant=acme, task=task, editor=ada)
    assert tasks_for([acme])[acme.pk][0].user_template == "New: {{transcript}}"
    assert versions(task, acme) == [made_version]


def test_an_override_of_the_filters_alone_keeps_the_prompt(task, ada, acme):
    clauses = [{"field": "call.duration", "op": "between", "value": [60, 600]}]
    made_version = save_override(tenant=acme, task=task, prompt=None, filters=clauses, why="", version=0, editor=ada)
    assert (made_version.filters, made_version.user_template) == (clauses, "Judge:\n{{transcript}}")
    with pytest.raises(Conflict, match="Somebody else"):
        save_override(tenant=acme, task=task, prompt=None, filters=[], why="", version=0, editor=ada)


def test_a_tenant_overrides_and_has_own_tasks_only_where_the_platform_allows_it(task, root, ada, acme):
    with pytest.raises(Conflict, match="no own tasks"):
        stored_task(ada, "ours", tenant=acme)
    save_policy(tenant=acme, overrides=False, own_tasks=True, editor=root)
    own = stored_task(ada, "ours", tenant=acme)
    activate_tasks(tenant=acme, tasks=[own], enabled=True, editor=ada)
    assert [each.key for each in tasks_for([acme])[acme.pk]] == ["ours"]
    with pytest.raises(Conflict, match="may not override"):
        save_override(tenant=acme, task=task, prompt=None, filters=[], why="", version=0, editor=ada)
    with pytest.raises(Conflict):
        save_policy(tenant=acme, overrides=True, own_tasks=True, editor=ada)


def test_nobody_reaches_the_library_or_the_tasks_of_another_tenant(task, root, ada, acme, globex, people):
    with pytest.raises(Conflict, match="library"):
        change(task, ada)
    save_policy(tenant=acme, overrides=True, own_tasks=True, editor=root)
    own = stored_task(ada, "ours", tenant=acme)
    for attempt in (
        lambda: activate_tasks(tenant=globex, tasks=[task], enabled=True, editor=ada),
        lambda: activate_tasks(tenant=globex, tasks=[own], enabled=True, editor=people.stranger),
        lambda: archive_tasks(tasks=[own], editor=people.stranger),
    ):
        with pytest.raises(Conflict):
            attempt()


def test_a_task_that_its_owner_disabled_or_archived_runs_for_nobody(task, root, ada, acme):
    activate_tasks(tenant=acme, tasks=[task], enabled=True, editor=ada)
    set_tasks_enabled(tasks=[task], enabled=False, editor=root)
    assert tasks_for([acme])[acme.pk] == ()
    set_tasks_enabled(tasks=[task], enabled=True, editor=root)
    assert len(tasks_for([acme])[acme.pk]) == 1
    archive_tasks(tasks=[task], editor=root)
    assert tasks_for([acme])[acme.pk] == ()


def test_a_task_without_a_version_in_production_cannot_be_switched_on(root, ada, acme):
    draft = stored_task(root, publish=False)
    with pytest.raises(Conflict, match="no version in production"):
        activate_tasks(tenant=acme, tasks=[draft], enabled=True, editor=ada)


def refused(editor, **more):
    with pytest.raises(InvalidInput) as raised:
        save_task(
            task=None, tenant=None, head=head(), content=content(**more), why="", publish=True, version=0, editor=editor
        )
    return raised.value


def test_bad_input_is_refused_naming_field_and_rule(root, acme):
    text, gone = made("notes", "text"), made("gone", "text", deleted_at=datetime.now(UTC))
    error = refused(root, user_template="{{transcript}}\n{{call.colour}}")
    assert (error.field, error.message) == ("user_template", "Line 2: there is no variable “call.colour”.")
    both = [{"name": name, "type": "text", "field": text.pk} for name in ("a", "b")]
    assert refused(root, outputs=both).message == "b: the custom field “Notes” is filled by “a” already."
    error = refused(root, outputs=[{"name": "a", "type": "boolean", "field": text.pk}])
    assert error.message == "a: the custom field “Notes” (Text) cannot hold the type “boolean”."
    assert refused(root, outputs=[{"name": "A b", "type": "text"}]).message.startswith("Not a strict schema")
    clause = {"field": f"custom_field.{gone.pk}", "op": "is", "value": "x"}
    error = refused(root, filters=[clause])
    assert (error.field, error.message) == ("filters", "The custom field “Gone” of a filter was deleted.")
    own = made("own", "text", tenant=acme)
    assert refused(root, filters=[{**clause, "field": f"custom_field.{own.pk}"}]).field == "filters"
    assert refused(root, outputs=[{"name": "a", "type": "text", "field": own.pk}]).field == "outputs"
    assert refused(root, limits={"min_words": -1}).field == "min_words"
    assert (
        refused(root, limits={"request_timeout_s": 90, "conversation_timeout_s": 60}).field == "conversation_timeout_s"
    )
    assert refused(root, params={"temperature": 3}).field == "temperature"
    assert refused(root, engine_ref=10**9).field == "engine"


def test_the_built_in_engine_is_refused_an_output_without_a_rule(root):
    offline = AIEngine.objects.create(name="Built-in", engine_type="offline", settings={})
    error = refused(root, engine_ref=offline.pk)
    assert error.field == "outputs"
    assert error.message.startswith("answer: The built-in engine has no language model")
    ruled = [{"name": "answer", "type": "boolean", "rule": {"skill": "phrases", "phrases": ["thank you"]}}]
    assert stored_task(root, engine_ref=offline.pk, outputs=ruled).pk


def test_tasks_that_would_wait_for_each_other_are_refused(task, root):
    second = stored_task(root, "second", user_template="{{transcript}} {{previous.mood.answer}}")
    assert second.pk
    with pytest.raises(InvalidInput, match="mood → second → mood"):
        change(task, root, user_template="{{transcript}} {{previous.second.answer}}")


def test_a_field_that_a_task_fills_or_asks_about_is_in_use(root):
    filled, asked, free = score_field(), made("asked", "text"), made("free", "text")
    clause = {"field": f"custom_field.{asked.pk}", "op": "is", "value": "x"}
    task = stored_task(root, outputs=[{"name": "a", "type": "score", "field": filled.pk}], filters=[clause])
    assert set(tasks_using([filled.pk, asked.pk, free.pk])) == {filled.pk, asked.pk}
    archive_tasks(tasks=[task], editor=root)
    assert tasks_using([filled.pk]) == {}


def test_a_change_leaves_one_audit_row_without_the_prompt(task, root):
    before = AuditEntry.objects.count()
    change(task, root, user_template="Secret recipe {{transcript}}", why="Better")
    (entry,) = AuditEntry.objects.order_by("-pk")[: AuditEntry.objects.count() - before]
    assert (entry.action, entry.reason, entry.details["version"]) == ("ai_task.changed", "Better", 2)
    assert "recipe" not in str((entry.details, entry.before, entry.after))
