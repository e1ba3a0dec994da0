"""The preview: judged as a pass would judge, nothing written, bounded, with a clear word for nothing and everything."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conversations.models import Call
from jobs import preview
from jobs.models import JobDefinition, LogEntry, Record, RecordEvent
from jobs.tasks import preview as preview_task
from jobs.wording import answer_text
from licensing.models import Account, Bundle, Denial, Reservation
from licensing.services import grant
from queues.models import QueueItem
from tenants.doors import enter
from tests.jobs.pages import make_records, url
from tests.licensing.conftest import set_limits


@pytest.fixture
def sampled(pipeline):
    """Two long calls of licensed alan, one short; two of unlicensed olga: all pending, none judged yet."""
    for username, seconds in [("alan", 20), ("alan", 20), ("alan", 4), ("olga", 20), ("olga", 20)]:
        pipeline.call(username=username, seconds=seconds)
    return pipeline


@pytest.fixture
def ask(sampled, root, values):
    """Post the form as Preview, let the worker answer, and post it again; the sentence."""

    def ask_page(**changes) -> str:
        data = values(source_queue=sampled.queue.pk, engine=sampled.engine.pk, version=1, **changes)
        data |= {"action": "preview"}
        first = root.post(url("edit", sampled.job.pk), data)
        assert first.status_code == 200, first.context["form"].errors
        assert first.context["asking"]
        outside(first.context["preview_key"])
        second = root.post(url("edit", sampled.job.pk), data)
        assert not second.context["asking"]
        assert second.context["preview"] in second.content.decode().replace("&#x27;", "'")
        return second.context["preview"]

    return ask_page


def outside(key: str) -> None:
    """As a worker runs it."""
    preview_task(key)


def books() -> list[int]:
    return [
        model.objects.count()
        for model in (Record, RecordEvent, LogEntry, QueueItem, Reservation, Denial, JobDefinition)
    ] + list(Account.objects.values_list("month_reserved", flat=True))


def test_a_preview_counts_matches_and_causes_and_writes_nothing(ask, sampled):
    before = books()
    text = ask()
    assert text == "Of the last 5 records 2 match; 3 dropped by: no licence 2, too short 1."
    assert books() == before
    assert JobDefinition.objects.get(pk=sampled.job.pk).version == 1


def test_a_preview_says_what_a_pass_then_does(ask, sampled, acme):
    assert "2 match" in ask(clause_1_1="0:10")
    sampled.job.filters[1]["value"] = [10, 7200]
    sampled.job.save()
    records = list(QueueItem.objects.values_list("record_id", flat=True))
    with enter(acme):
        calls = list(Call.objects.filter(pk__in=records))
    done = sampled.finish(*calls)
    reasons = sorted(record.reason for record in done)
    assert reasons == ["", "", "filtered:call.duration", "no_license", "no_license"]


def test_nothing_is_said(ask):
    nothing = ask(clause_2_field="call.group", clause_2_0="is", clause_2_1="Nobody")
    assert nothing.startswith("None of the last 5 records matches: the job would process nothing.")
    assert "not “Call - Group Is Nobody” 2" in nothing


def test_everything_is_said(ask, people):
    grant(user=people.other_agent, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    assert ask(clause_1_1="0:01") == "All of the last 5 records match: nothing would be left out."


def test_gates_of_the_ledger_are_judged_too(ask, acme):
    set_limits(acme, org_month=0)
    assert "Monthly limit of the organisation is reached 2" in ask()


def test_a_job_for_one_tenant_is_judged_by_the_newest_of_that_tenant(ask, sampled, acme, globex, monkeypatch):
    monkeypatch.setattr(preview, "SAMPLE", 4)
    assert ask(access_scope="one_tenant", tenant=str(globex.pk)) == "There is no record yet that could be judged."
    assert ask(access_scope="one_tenant", tenant=str(acme.pk)).startswith("Of the last 4 records")


def test_without_records_it_says_so(root, values, job):
    question = preview.Question("transcription", job.settings, [], "unrestricted", [], job.source_queue_id)
    assert answer_text(preview.judge(question), {}) == "There is no record yet that could be judged."


NOBODY = {"clause_2_field": "call.group", "clause_2_0": "is", "clause_2_1": "Nobody"}


@pytest.mark.parametrize(
    ("changes", "said"), [(NOBODY, "None of the last 5 records matches"), ({"clause_1_1": "0:01"}, "All of the last 5")]
)
def test_filters_that_match_nothing_or_everything_are_saved_only_when_that_is_said_to_be_meant(
    ask, sampled, root, values, people, changes, said
):
    grant(user=people.other_agent, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    assert ask(**changes).startswith(said)
    data = values(source_queue=sampled.queue.pk, engine=sampled.engine.pk, version=1, **changes)
    address, before = url("edit", sampled.job.pk), JobDefinition.objects.get().filters
    stopped = root.post(address, data)
    assert stopped.status_code == 200
    assert said in stopped.content.decode()
    assert "Nothing was saved yet" in stopped.content.decode()
    assert JobDefinition.objects.get().filters == before
    key = stopped.context["confirm_key"]
    other = root.post(address, {**data, "clause_1_2": "1:59:00", "confirmed": key})
    assert other.status_code == 302, "another filter is another question, which nobody has answered yet"
    sampled.job.refresh_from_db()
    JobDefinition.objects.update(filters=before, version=1)
    assert root.post(address, {**data, "confirmed": key}).status_code == 302
    assert JobDefinition.objects.get().filters != before


def test_filters_that_match_some_that_nobody_could_judge_or_that_are_as_before_are_saved_at_once(
    ask, sampled, root, values, people
):
    data = values(source_queue=sampled.queue.pk, engine=sampled.engine.pk, version=1)
    address = url("edit", sampled.job.pk)
    assert root.post(address, {**data, **NOBODY}).status_code == 302, "not judged"
    assert ask().startswith("Of the last 5 records 2 match")
    JobDefinition.objects.update(version=1)
    assert root.post(address, data).status_code == 302, "some match"
    assert ask(**NOBODY).startswith("None")
    stored = JobDefinition.objects.get()
    root.post(address, {**data, **NOBODY, "version": stored.version, "confirmed": "nonsense"})
    assert JobDefinition.objects.get().version == stored.version, "a word for another question is none"


def test_a_page_that_is_about_to_save_waits_for_a_worker_but_not_for_ever(sampled):
    filters = [{"field": "call.group", "op": "is", "value": "Nobody"}]
    question = preview.Question("transcription", sampled.job.settings, filters, "unrestricted", [], sampled.queue.pk)
    assert preview.answer_within(question, 0.01, lambda key: True) is None
    cache.delete(f"{question.key()}:asked")
    assert preview.answer_within(question, 5, lambda key: False) is None, "no broker: nobody is waited for"
    cache.delete(f"{question.key()}:asked")

    def worker(key: str) -> bool:
        preview_task(key)
        return True

    answer = preview.answer_within(question, 5, worker)
    assert answer is not None
    assert answer.surprising


def test_what_breaks_a_rule_is_refused_before_anything_is_asked(root, values, job):
    page = root.post(url("edit", job.pk), values(version=1, action="preview", clause_1_1="3:00:00"))
    assert page.status_code == 422
    assert "clause_1" in page.context["form"].errors
    never = {"schedule": "cron", "cron": "0 0 31 2 *"}
    page = root.post(url("edit", job.pk), values(version=1, action="preview", **never))
    assert "never run" in str(page.context["form"].errors["cron"])


def test_the_next_runs_of_what_is_typed_are_shown(root, values, job):
    page = root.post(url("edit", job.pk), values(version=1, action="preview", schedule="cron", cron="15 3 * * *"))
    assert len(page.context["next_runs"]) == 5
    assert all("03:15 UTC" in run for run in page.context["next_runs"])


def test_sample_tenants_and_time_are_bounded(sampled, acme, globex, monkeypatch):
    make_records(sampled.job, globex, 3)
    question = preview.Question("transcription", sampled.job.settings, [], "unrestricted", [], sampled.queue.pk)
    with CaptureQueriesContext(connection) as few:
        whole = preview.judge(question)
    assert (whole.found, whole.judged, whole.gone, whole.partial) == (8, 5, 3, False)
    monkeypatch.setattr(preview, "SAMPLE", 4)
    assert preview.judge(question).found == 4
    monkeypatch.setattr(preview, "TENANTS", 1)
    monkeypatch.setattr(preview, "SAMPLE", 1000)
    assert preview.judge(question).partial
    monkeypatch.setattr(preview, "TIME_S", -1.0)
    assert preview.judge(question).judged == 0
    assert len(few) <= 4 + 2 * 10


def test_staff_of_some_tenants_preview_with_their_records_only(sampled, acme, globex):
    question = preview.Question(
        "transcription", sampled.job.settings, [], "unrestricted", [], sampled.queue.pk, [str(globex.pk)]
    )
    assert preview.judge(question).found == 0
    mine = preview.Question(
        "transcription", sampled.job.settings, [], "unrestricted", [], sampled.queue.pk, [str(acme.pk)]
    )
    assert preview.judge(mine).found == 5


def test_a_question_that_is_gone_is_answered_by_nothing(db):
    preview.judge_asked("jobs.preview:unknown")
    assert cache.get("jobs.preview:unknown") is None
