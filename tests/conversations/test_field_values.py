"""Values of custom fields: written by machines in batches, edited and pinned by people, never lost."""

import uuid
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEntry
from conversations.field_models import FieldValue, Origin
from conversations.fields.deciding import Outcome, Overwrite
from conversations.fields.editing import edit_value, unpin_value
from conversations.fields.selectors import current_values, history_of
from conversations.fields.sweeping import sweep_values
from conversations.fields.writing import Evidence, NewValue, Provenance, write_values
from conversations.services import delete_call
from core.errors import Conflict, InvalidInput, NotAllowed
from customfields.models import CustomField
from tenants.doors import WrongTenant
from tests.conversations.calls import stored_call
from tests.customfields.making import CHOICES, SCORE, made

pytestmark = pytest.mark.django_db


@pytest.fixture
def mood(acme):
    return made("mood", "score", settings=SCORE)


@pytest.fixture
def here(acme, inside):
    with inside(acme):
        yield acme


@pytest.fixture
def call(here):
    return stored_call(here)


def say(call, field, value, rule=Overwrite.ALWAYS, **more):
    return NewValue("call", call.pk, field.pk, value, rule, **more)


def write(tenant, *rows):
    return [written.outcome for written in write_values(tenant=tenant, rows=rows, actor="job:1")]


def now(call, field):
    found = current_values([call.pk], [field]).get((call.pk, field.pk))
    return found.value(field) if found is not None else None


def said(call, field):
    return [version.value(field) for version in history_of(("call", call.pk), field)]


def edit(people, call, field, value, seen=None):
    current = current_values([call.pk], [field]).get((call.pk, field.pk))
    seen = (current.pk if current is not None else 0) if seen is None else seen
    who = people.supervisor
    return edit_value(tenant=who.tenant, key=("call", call.pk), field=field, value=value, seen=seen, editor=who)


def test_a_value_is_written_with_where_it_comes_from(here, call, mood):
    quote = Evidence("thank you", turn=0, start=6, end=15, start_ms=100, verified=True)
    source = Provenance(Origin.AI, 7, "Mood v3", "OpenAI", "model-1", "abc", 420, uuid.uuid4(), 1)
    (written,) = write_values(
        tenant=here,
        rows=[say(call, mood, "40", explanation="Friendly.", evidence=[quote], provenance=source)],
        actor="job",
    )
    stored = current_values([call.pk], [mood])[call.pk, mood.pk]
    assert (written.outcome, written.value_id, stored.value(mood)) == (Outcome.WRITTEN, stored.pk, Decimal(40))
    assert (stored.task_version, stored.engine, stored.tokens, stored.author) == (7, "OpenAI", 420, "job")
    assert stored.evidence[0]["quote"] == "thank you"
    assert stored.evidence[0]["verified"]
    assert CustomField.objects.get(pk=mood.pk).has_values


def test_a_rerun_overwrites_and_the_history_keeps_the_old_value(here, call, mood):
    assert write(here, say(call, mood, 10)) == [Outcome.WRITTEN]
    assert write(here, say(call, mood, "10.0")) == [Outcome.UNCHANGED]
    assert write(here, say(call, mood, 10, explanation="New reasons")) == [Outcome.WRITTEN]
    assert write(here, say(call, mood, None)) == [Outcome.WRITTEN]
    assert now(call, mood) is None
    assert said(call, mood) == [None, 10, 10]


def test_repeating_an_execution_changes_nothing_even_late(here, call, mood):
    first = Provenance(execution_id=uuid.uuid4())
    write(here, say(call, mood, 10, provenance=first))
    write(here, say(call, mood, 20, provenance=Provenance(execution_id=uuid.uuid4())))
    assert write(here, say(call, mood, 10, provenance=first)) == [Outcome.UNCHANGED]
    assert now(call, mood) == 20


@pytest.mark.parametrize(
    ("rule", "over_nothing", "over_empty", "over_value"),
    [
        (Overwrite.ALWAYS, "written", "written", "written"),
        (Overwrite.IF_EMPTY, "written", "written", "kept"),
        (Overwrite.IF_NOT_EDITED, "written", "written", "written"),
    ],
)
def test_the_rule_decides_what_is_overwritten(here, call, mood, rule, over_nothing, over_empty, over_value):
    assert write(here, say(call, mood, 1, rule)) == [over_nothing]
    assert write(here, say(call, mood, 2, rule)) == [over_value]
    write(here, say(call, mood, None))
    assert write(here, say(call, mood, 3, rule)) == [over_empty]


@pytest.mark.parametrize("rule", list(Overwrite))
def test_what_a_person_edited_is_pinned_under_every_rule(here, call, mood, people, rule):
    write(here, say(call, mood, 10))
    edit(people, call, mood, "-50")
    (kept,) = write_values(tenant=here, rows=[say(call, mood, 90, rule)], actor="job")
    assert (kept.outcome, kept.pinned) == (Outcome.KEPT, True)
    assert now(call, mood) == -50
    assert said(call, mood) == [90, -50, 10]


def test_without_the_pin_the_last_machine_value_stands_again(here, call, mood, people):
    write(here, say(call, mood, 10))
    edit(people, call, mood, "-50")
    edit(people, call, mood, "-60")
    key = ("call", call.pk)
    assert unpin_value(tenant=here, key=key, field=mood, editor=people.supervisor).value(mood) == 10
    edit(people, call, mood, "5")
    write(here, say(call, mood, 33))
    write(here, say(call, mood, 33))
    assert unpin_value(tenant=here, key=key, field=mood, editor=people.supervisor).value(mood) == 33
    assert said(call, mood) == [33, 5, -60, -50, 10]
    with pytest.raises(Conflict):
        unpin_value(tenant=here, key=key, field=mood, editor=people.supervisor)


def test_an_unpinned_edit_without_a_machine_value_is_the_next_to_be_overwritten(here, call, mood, people):
    edit(people, call, mood, "5")
    unpin_value(tenant=here, key=("call", call.pk), field=mood, editor=people.supervisor)
    assert now(call, mood) == 5
    assert write(here, say(call, mood, 6, Overwrite.IF_NOT_EDITED)) == [Outcome.KEPT]
    assert write(here, say(call, mood, 6)) == [Outcome.WRITTEN]


def test_a_person_may_empty_a_value_and_it_stays_empty(here, call, mood, people):
    write(here, say(call, mood, 10))
    edit(people, call, mood, "")
    assert write(here, say(call, mood, 10, Overwrite.IF_EMPTY)) == [Outcome.KEPT]
    assert now(call, mood) is None


def test_an_edit_on_a_value_that_changed_meanwhile_is_refused(here, call, mood, people):
    write(here, say(call, mood, 10))
    with pytest.raises(Conflict):
        edit(people, call, mood, "1", seen=0)
    with pytest.raises(InvalidInput, match="At most 100"):
        edit(people, call, mood, "101")
    assert said(call, mood) == [10]


def test_edits_and_unpinning_are_audited_without_the_value(here, call, people):
    note = made("note", "long_text")
    before = AuditEntry.objects.count()
    edit(people, call, note, "what the caller said")
    edit(people, call, note, "what the caller said")
    unpin_value(tenant=here, key=("call", call.pk), field=note, editor=people.supervisor)
    rows = list(AuditEntry.objects.order_by("pk")[before:])
    assert [row.action for row in rows] == ["field_value.edited", "field_value.unpinned"]
    assert all(row.details["field"] == "note" and row.details["external_id"] == "call-1" for row in rows)
    assert "caller" not in str([vars(row) for row in rows])


def test_who_lacks_the_right_and_fields_not_for_people_are_refused(here, call, mood, people):
    shut, sentiment = made("shut", editable=False), made("tone", attribute="sentiment")
    for field in (shut, sentiment):
        with pytest.raises(NotAllowed):
            edit(people, call, field, "x")
    agent = people.agent
    with pytest.raises(NotAllowed):
        edit_value(tenant=here, key=("call", call.pk), field=mood, value="1", seen=0, editor=agent)


def test_one_bad_row_does_not_hold_up_the_others(here, call, mood, globex):
    theirs, gone = made("theirs", tenant=globex), stored_call(here, "call-2")
    delete_call(tenant=here, call_id=gone.pk, actor="test")
    rows = [say(call, mood, 101), say(call, theirs, "x"), say(gone, mood, 1), say(call, mood, 1), say(call, mood, 2)]
    written = write_values(tenant=here, rows=rows, actor="job")
    assert [row.outcome for row in written] == ["refused", "gone", "gone", "written", "written"]
    assert written[0].problem == "Mood: must be at most 100"
    assert said(call, mood) == [2, 1]


def test_values_are_written_and_read_inside_their_tenant_only(here, globex, call, mood):
    with pytest.raises(WrongTenant):
        write(globex, say(call, mood, 1))
    with pytest.raises(ValueError, match="edit_value"):
        write(here, say(call, mood, 1, provenance=Provenance(Origin.PERSON)))


def test_a_batch_needs_the_same_number_of_queries_whatever_its_size(here, call, mood):
    topics = made("topics", "multi_choice", settings=CHOICES)
    calls = [stored_call(here, f"more-{number}") for number in range(20)]
    write(here, say(call, mood, 1), say(call, topics, ["billing"]))
    counts = []
    for some in (calls[:1], calls):
        with CaptureQueriesContext(connection) as queries:
            write(here, *[say(each, field, value) for each in some for field, value in ((mood, 5), (topics, "other"))])
        counts.append(len(queries))
    assert counts[0] + 1 >= counts[1] <= 7
    with CaptureQueriesContext(connection) as queries:
        found = current_values([each.pk for each in calls], [mood, topics])
    assert (len(queries), len(found)) == (1, 40)


def test_hostile_explanations_are_stored_as_text(here, call, mood):
    quote = Evidence("\x00<script>" + "x" * 5000)
    write(here, say(call, mood, 1, explanation="\x00\ud800<b>" + "y" * 9000, evidence=[quote] * 50))
    stored = FieldValue.objects.get()
    assert stored.explanation.startswith("<b>")
    assert len(stored.explanation) == 4000
    assert len(stored.evidence) == 20
    assert len(stored.evidence[0]["quote"]) == 500


def test_values_go_with_their_conversation(here, call, mood):
    write(here, say(call, mood, 1))
    delete_call(tenant=here, call_id=call.pk, actor="test")
    assert not FieldValue.objects.exists()


def test_the_sweep_removes_the_values_of_deleted_fields_and_no_others(here, call, mood):
    note = made("note", "text")
    write(here, say(call, mood, 1), say(call, note, "stays"))
    assert sweep_values() == 0
    CustomField.objects.filter(pk=mood.pk).update(deleted_at=timezone.now())
    assert write(here, say(call, mood, 2)) == [Outcome.GONE]
    assert sweep_values() == 1
    assert said(call, note) == ["stays"]
