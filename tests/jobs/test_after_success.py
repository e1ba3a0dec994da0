"""What a job does with a completed record beside storing the result: tags, and leaving out music on hold."""

import pytest

from audit.models import AuditEntry
from conversations.codec import unpack
from conversations.models import Call, Transcript
from jobs.models import JobDefinition
from queues.models import ProcessingQueue, QueueItem
from tenants.doors import enter
from tests.jobs.pages import shown, url

pytestmark = pytest.mark.django_db


def tags_of(tenant, *calls: Call) -> list[list[str]]:
    with enter(tenant):
        tags = dict(Call.objects.filter(pk__in=[call.pk for call in calls]).values_list("pk", "tags"))
    return [tags[call.pk] for call in calls]


def test_completed_calls_lose_one_tag_and_get_another_while_others_keep_theirs(pipeline, acme):
    listening = ProcessingQueue.objects.create(name="Changed", events=["call.updated"])
    JobDefinition.objects.filter(pk=pipeline.job.pk).update(clear_tag="new", assign_tag="transcribed")
    tagged = pipeline.call(tags=["new", "vip"])
    done = pipeline.call(tags=["transcribed"])
    full = pipeline.call(tags=[f"tag {n}" for n in range(20)])
    unlicensed = pipeline.call(username="olga", tags=["new"])
    records = pipeline.finish(tagged, done, full, unlicensed)
    assert [record.state for record in records] == ["completed", "completed", "completed", "skipped"]
    assert tags_of(acme, tagged, done, full, unlicensed) == [
        ["vip", "transcribed"],
        ["transcribed"],
        [f"tag {n}" for n in range(20)],
        ["new"],
    ]
    assert list(QueueItem.objects.filter(queue=listening).values_list("record_id", flat=True)) == [tagged.pk]


def test_a_job_that_ignores_music_on_hold_stores_no_word_of_it(pipeline, acme):
    everything = {"type": "wait_in_queue", "start_s": 0, "end_s": 1.5}
    whole = pipeline.call(hold_events=[everything])
    pipeline.finish(whole)
    JobDefinition.objects.filter(pk=pipeline.job.pk).update(settings={"engine": pipeline.engine.pk, "ignore_moh": True})
    cut = pipeline.call(hold_events=[everything])
    pipeline.finish(cut)
    with enter(acme):
        rows = {row.call_id: row for row in Transcript.objects.all()}
        words = {pk: unpack(bytes(row.body), row.text).segments for pk, row in rows.items()}
    assert {segment.channel for segment in words[whole.pk]} == {0, 1}
    assert {segment.channel for segment in words[cut.pk]} == {1}
    assert all(word.start_ms >= 1500 for segment in words[cut.pk] for word in segment.words)


def test_the_form_stores_both_and_refuses_a_tag_that_is_cleared_and_assigned_at_once(root, values, job):
    job.filters = [{"field": "call.tag", "op": "is", "value": "offered"}]
    job.enabled = False
    job.save()
    assert '<option value="offered">' in shown(root, url("add"))
    refused = root.post(url("add"), values(clear_tag="done", assign_tag="done"))
    assert refused.status_code == 422
    assert "A job cannot clear and assign the same tag." in refused.content.decode()
    assert not JobDefinition.objects.filter(name="Second job").exists()
    stored = root.post(url("add"), values(clear_tag=" new ", assign_tag="done", ignore_moh="on"))
    assert stored.status_code == 302
    saved = JobDefinition.objects.get(name="Second job")
    assert (saved.clear_tag, saved.assign_tag, saved.settings["ignore_moh"]) == ("new", "done", True)
    text = root.get(url("job", saved.pk), follow=True).content.decode()
    assert "Assign a tag" in text
    assert "Ignore MoH" in text
    assert AuditEntry.objects.filter(action="job.created").exists()
    edit = shown(root, url("edit", saved.pk))
    assert 'name="ignore_moh"' in edit
    assert 'value="done"' in edit
