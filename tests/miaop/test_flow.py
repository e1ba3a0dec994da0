"""From the submission to the transcript, through a real speech server and the transcription job (T19, T22, T26)."""

import pytest

from conversations.models import Call
from tenants.doors import enter
from tests.jobs.conftest import AGENT_WORDS, CUSTOMER_WORDS, pipeline, speech, speech_server, two_channels
from tests.licensing.conftest import set_limits
from tests.miaop.test_submitting import described, folder, submit

__all__ = ["folder", "pipeline", "speech", "speech_server", "submit"]
pytestmark = pytest.mark.django_db


def submitted(submit, people, acme, files):
    people.agent.email = "alan@acme.example"
    people.agent.save()
    task = described(*files, supervisor={"name": "Alan", "email": "alan@acme.example"})
    answer = submit(people.tenant_admin, task, files)
    assert answer.status_code == 200, answer.content
    task_id = answer.json()["taskId"]
    with enter(acme):
        return task_id, list(Call.objects.filter(external_id__endswith=f".{task_id}").order_by("external_id"))


def test_t19_t22_one_broken_file_leaves_the_task_done_and_words_stand_where_they_were_spoken(
    pipeline, submit, people, acme, ask
):
    files = {"one.wav": two_channels(5), "two.wav": b"no audio", "three.wav": two_channels(5, offset=9)}
    task_id, calls = submitted(submit, people, acme, files)
    path = f"/api/tasks/{task_id}"
    assert ask(people.tenant_admin, path).json()["taskStatus"] == "sttPending"

    pipeline.finish(*calls)

    task = ask(people.tenant_admin, path).json()
    assert (task["taskStatus"], task["sttRemainingTime"]) == ("sttDone", 0)
    assert [meeting["status"] for meeting in task["meetings"]] == ["sttDone", "error", "sttDone"]
    broken = ask(people.tenant_admin, f"/api/meetings/2.{task_id}").json()["metadata"]
    assert broken["errorInfo"]["name"] == "UnsupportedAudio"
    assert "errorInfo" not in ask(people.tenant_admin, f"/api/meetings/1.{task_id}").json()["metadata"]
    said = ask(people.tenant_admin, f"/api/stt/1.{task_id}/0").json()["transcription"]
    assert [each["location"] for each in said] == sorted(each["location"] for each in said)
    by_speaker: dict[str, list[tuple[str, int]]] = {}
    for each in said:
        for word in each["words"]:
            assert each["location"] <= word["location"]
            assert word["location"] + word["duration"] <= each["location"] + each["duration"]
            by_speaker.setdefault(each["id"], []).append((word["word"].strip(".,").lower(), word["location"]))
    spoken = zip([*AGENT_WORDS, *CUSTOMER_WORDS], (200, 800, 1600, 2200), strict=True)
    heard = [*by_speaker["Speaker-1"], *by_speaker["Speaker-2"]]
    assert all(
        word == wanted and abs(at - start) <= 100 for (word, at), (wanted, start) in zip(heard, spoken, strict=True)
    )
    assert ask(people.tenant_admin, f"/api/stt/2.{task_id}/0").json()["error"]["code"] == "TRANSCRIPTION_FAILED"


def test_t26_a_limit_is_told_by_the_meeting_and_not_by_the_upload(pipeline, submit, people, acme, ask):
    set_limits(acme, org_month=0)
    task_id, calls = submitted(submit, people, acme, {"one.wav": two_channels(5)})
    pipeline.finish(*calls)
    assert ask(people.tenant_admin, f"/api/tasks/{task_id}").json()["taskStatus"] == "error"
    problem = ask(people.tenant_admin, f"/api/meetings/1.{task_id}").json()["metadata"]["errorInfo"]
    assert (problem["name"], problem["errorLevel"]) == ("TranscriptionLimitExceeded", "critical")
