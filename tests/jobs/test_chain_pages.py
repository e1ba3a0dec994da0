"""What people see of a chain of engines: the form of the job, its page, its records, and the engines themselves."""

import pytest

from audit.models import AuditEntry
from core.errors import Conflict, InvalidInput
from jobs.describing import facts
from jobs.models import JobDefinition, RecordEvent
from tests.jobs.pages import make_records, shown, url
from transcription.kind import TranscriptionKind
from transcription.models import SpeechEngine
from transcription.selectors import jobs_by_engine
from transcription.services import delete_engine

pytestmark = pytest.mark.django_db


def engine_called(name: str, key: str = "native_v2", **settings) -> SpeechEngine:
    """A stored engine at an address that nobody asks."""
    address = {"server_address": "https://93.184.216.34"} if key == "native_v2" else {}
    return SpeechEngine.objects.create(name=name, engine_type=key, settings={**address, **settings})


@pytest.fixture
def others(db) -> list[SpeechEngine]:
    """Two further engines."""
    return [engine_called("Second"), engine_called("Third")]


@pytest.fixture
def chained(job, engine, others) -> JobDefinition:
    """The job with all three."""
    job.settings = {"engine": engine.pk, "fallbacks": [other.pk for other in others], "stand_in": "paused"}
    job.save()
    return job


def saved(root, values, **changes):
    return root.post(url("add"), values(**changes))


def test_the_form_asks_for_four_engines_in_their_order_without_a_script_and_stores_them(root, values, engine, others):
    page = shown(root, url("add"))
    assert [f'name="fallbacks_{n}"' in page for n in range(5)] == [True] * 4 + [False]
    second, third = others
    changes = {"fallbacks_0": third.pk, "fallbacks_1": "", "fallbacks_2": second.pk, "stand_in": "failing"}
    assert saved(root, values, name="Chain", **changes).status_code == 302
    job = JobDefinition.objects.get(name="Chain")
    assert job.settings["fallbacks"] == [third.pk, second.pk], "gaps are closed"
    assert job.settings["stand_in"] == "failing"
    # From these selects on: other fields may have rows of the same numbers.
    again = shown(root, url("edit", job.pk)).partition('name="fallbacks_0"')[2]
    assert again.index(f'<option value="{third.pk}" selected') < again.index(f'<option value="{second.pk}" selected')


def test_a_change_of_the_list_is_in_the_audit_trail_before_and_after(root, values, engine, others):
    saved(root, values, name="Chain", fallbacks_0=others[0].pk)
    job = JobDefinition.objects.get(name="Chain")
    form = values(name="Chain", fallbacks_0=others[1].pk, version=job.version)
    assert root.post(url("edit", job.pk), form).status_code == 302
    entry = AuditEntry.objects.get(action="job.changed")
    assert entry.before["settings"]["fallbacks"] == [others[0].pk]
    assert entry.after["settings"]["fallbacks"] == [others[1].pk]


def test_without_further_engines_a_job_is_stored_as_before(root, values, engine):
    saved(root, values, name="Alone", stand_in="paused")
    settings = JobDefinition.objects.get(name="Alone").settings
    assert "fallbacks" not in settings
    assert "stand_in" not in settings


def cleaned(engine, **values):
    return TranscriptionKind().clean_settings({"engine": engine.pk, **values})


@pytest.mark.parametrize(
    ("chosen", "rule"),
    [
        (lambda engine, others: [engine.pk], "Each engine once"),
        (lambda engine, others: [others[0].pk, others[0].pk], "Each engine once"),
        (lambda engine, others: [987654], "There is no such engine"),
        (lambda engine, others: ["x"], "There is no such engine"),
        (lambda engine, others: [engine_called(f"E{n}").pk for n in range(5)], "At most 4"),
    ],
)
def test_what_is_no_list_of_other_engines_is_refused_at_its_field(engine, others, chosen, rule):
    with pytest.raises(InvalidInput) as refused:
        cleaned(engine, fallbacks=chosen(engine, others))
    assert refused.value.field == "fallbacks"
    assert rule in refused.value.message


def test_each_engine_of_the_list_is_judged_by_what_is_said_about_languages(others):
    detects = engine_called("Detects", "deepgram")
    with pytest.raises(InvalidInput) as refused:
        cleaned(detects, fallbacks=[others[0].pk], language_strategy="detect")
    assert refused.value.field == "fallbacks"
    assert refused.value.message.startswith("Second: ")
    other = engine_called("Detects, too", "deepgram")
    assert cleaned(detects, fallbacks=[other.pk], language_strategy="detect")["fallbacks"] == [other.pk]


def test_a_refused_list_is_shown_at_the_selects_and_nothing_is_stored(root, values, engine):
    page = saved(root, values, name="Chain", fallbacks_0=engine.pk)
    assert page.status_code == 422
    assert "Each engine once" in page.content.decode()
    assert not JobDefinition.objects.filter(name="Chain").exists()


def test_the_page_of_the_job_names_the_engines_in_order(chained):
    told = dict(facts(chained))
    assert told["Next engines"] == "Second → Third"
    assert told["When an engine cannot be used"].startswith("While it is paused or disabled")


def test_an_engine_of_a_list_is_not_deleted_and_its_jobs_are_counted(chained, others, system):
    assert jobs_by_engine()[others[1].pk] == [(chained.pk, chained.name)]
    with pytest.raises(Conflict) as refused:
        delete_engine(engine=others[1], actor="test", audit_tenant=system)
    assert chained.name in refused.value.message


def test_a_record_says_which_engine_it_is_at_and_what_passed_it_on(root, chained, acme):
    [record] = make_records(chained, acme, state="in_progress", stage="new", place=1)
    RecordEvent.objects.create(
        record=record, generation=1, at=record.created_at, step="passed_on", detail="from “Native” to “Second”: No good"
    )
    page = shown(root, url("record", chained.pk, record.pk))
    assert "Second (2 of 3)" in page
    assert "passed on to the next engine" in page
    assert "from “Native” to “Second”: No good" in page


def test_records_are_filtered_by_engine_in_the_address_and_exported_with_it(root, chained, acme):
    make_records(chained, acme)
    [passed] = make_records(chained, acme, place=1)
    page = shown(root, url("records", chained.pk))
    assert "Native (1 of 3)" in page
    assert "2. Second" in page
    only = shown(root, url("records", chained.pk), place="2")
    assert str(passed.record_id) in only
    assert "Native (1 of 3)" not in only
    rows = root.get(url("records", chained.pk), {"place": "2", "format": "csv"}).getvalue().decode().splitlines()
    assert len(rows) == 2
    assert "Engine" in rows[0]
    assert "Second (2 of 3)" in rows[1]
    assert root.get(url("records", chained.pk), {"place": "9"}).status_code == 400
    [behind] = make_records(chained, acme, place=4)
    assert str(behind.record_id) in shown(root, url("records", chained.pk), place="3"), "the last one's now"
    answer = root.post(url("records_bulk", chained.pk) + "?place=3", {"action": "export", "all_matching": "1"})
    assert answer.status_code == 302
    assert "1 record" in root.get(answer.url).content.decode()


def test_where_a_job_has_one_engine_records_name_none(root, job, acme):
    [record] = make_records(job, acme)
    assert "(1 of" not in shown(root, url("records", job.pk))
    assert 'type="hidden" name="place"' in shown(root, url("records", job.pk))
    assert "(1 of" not in shown(root, url("record", job.pk, record.pk))
    assert root.get(url("records", job.pk), {"place": "2"}).status_code == 200, "an old address is understood"
