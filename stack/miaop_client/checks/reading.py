"""Reading (sections 5 and 6): one task is transcribed, and everything about it is read."""

from __future__ import annotations

import itertools
import json
from typing import Any

from stack.miaop_client.checks.probe import Check, Probe, Skipped, sound
from stack.miaop_client.errors import ClientError
from stack.miaop_client.polling import PROCESSING, STATUSES, poll
from stack.miaop_client.submitting import audio_in

TASK_TYPES: dict[str, Any] = {
    **dict.fromkeys(("taskId", "tenant", "taskName", "taskType", "taskCreationTime", "taskStatus"), str),
    **dict.fromkeys(("taskUpdateTimeNumeric", "sttRemainingTime"), int),
    **dict.fromkeys(("baseLanguages", "meetings"), list),
    "archive": bool,
    "supervisor": dict,
}
LEVELS = ("warning", "critical")
# Long enough for installations that leave short calls out.
SECONDS = 20.0


def submitted(probe: Probe) -> None:
    """E2, E3; T08: both spellings of the path give the same."""
    try:
        path = audio_in(probe.server.settings.folder)[0]
        name, audio = path.name, path.read_bytes()
    except (ClientError, OSError):
        name, audio = "בדיקה.wav", sound(SECONDS)
    task = probe.task_for(name)
    probe.task_id = probe.accepted(probe.post(task, [(name, audio)]), "the task of these checks")
    if not probe.task_id:
        return
    one, two = (probe.get(f"/api/{word}/{probe.task_id}") for word in ("tasks", "task"))
    for answer, what in ((one, "/api/tasks/{id}"), (two, "/api/task/{id}")):
        if probe.status(answer, 200, what):
            found = probe.body(answer, what)
            probe.members(found, TASK_TYPES, what)
            _same_members(probe, task, found, what)
    probe.status(probe.get(f"/api/tasks/{probe.task_id}/"), 200, "/api/tasks/{id}/")


def _same_members(probe: Probe, task: dict[str, Any], found: Any, what: str) -> None:
    if not isinstance(found, dict):
        return
    for name, value in task.items():
        if name in ("meetings", "taskStatus") or (name == "supervisor" and not value["email"]):
            continue
        probe.expect(found.get(name) == value, f"{what}: {name} does not come back as it was sent")
    probe.expect(found.get("meetings"), f"{what}: there are no meetings")
    for meeting in found.get("meetings") or []:
        probe.members(meeting, {"meetingId": str}, f"{what}: a meeting")


def early(probe: Probe) -> None:
    """T21, R5.4, R5.5: what is not there, and what is not there yet."""
    _need_task(probe)
    meeting = f"1.{probe.task_id}"
    answer = probe.get(f"/api/stt/{meeting}/0")
    if answer.status_code != 200:
        body = answer.json() if answer.status_code == 404 else {}
        code = body.get("error", {}).get("code") if isinstance(body, dict) else ""
        if code != "TRANSCRIPTION_FAILED":
            probe.refused(answer, 404, "a transcript before its time", "TRANSCRIPTION_NOT_READY")
            probe.expect(answer.headers.get("Retry-After", "").isdigit(), "a transcript before its time: Retry-After")
    for path in (
        f"/api/stt/{meeting}/1",
        f"/api/meetings/0.{probe.task_id}",
        f"/api/meetings/01.{probe.task_id}",
        f"/api/meetings/2.{probe.task_id}",
        f"/api/meetings/{probe.task_id}",
        "/api/meetings/x",
        "/api/tasks/no-such-task",
    ):
        probe.refused(probe.get(path), 404, f"GET {path}")


def ending(probe: Probe) -> None:
    """T20, 5.2: statuses in their order, remaining times of their kind."""
    _need_task(probe)
    pace, seen = probe.pace, []
    states = poll(
        lambda: probe.read_task(probe.task_id),
        pause=pace.pause,
        clock=pace.clock,
        interval=pace.interval,
        timeout=pace.timeout,
    )
    stamp = 0
    for task in states:
        status, remaining = task["taskStatus"], task.get("sttRemainingTime")
        if not isinstance(remaining, int) or isinstance(remaining, bool) or remaining < 0:
            probe.expect(False, f"{status}: sttRemainingTime is {remaining!r}, no integer from 0")
        elif status == PROCESSING:
            probe.expect(remaining >= 1, f"{status}: sttRemainingTime is 0")
        elif task["taskStatus"] in ("sttDone", "error"):
            probe.expect(remaining == 0, f"{status}: sttRemainingTime is {remaining}, not 0")
        updated = task.get("taskUpdateTimeNumeric")
        if isinstance(updated, int):
            probe.expect(updated >= stamp, "taskUpdateTimeNumeric goes backwards")
            stamp = updated
        seen.append(status)
    order = [STATUSES.index(status) for status, _group in itertools.groupby(seen)]
    probe.expect(order == sorted(order), f"the task went {' → '.join(seen)}")
    probe.task = task


def meeting(probe: Probe) -> None:
    """E5, R5.3."""
    _need_end(probe)
    answer = probe.get(f"/api/meetings/1.{probe.task_id}")
    if not probe.status(answer, 200, "the meeting"):
        return
    found = probe.body(answer, "the meeting")
    if not probe.members(found, {"meetingId": str, "metadata": dict}, "the meeting"):
        return
    metadata = found["metadata"]
    probe.members(metadata, {"status": str, "files": list}, "metadata")
    probe.expect(found["meetingId"] == f"1.{probe.task_id}", "meetingId is another than asked for")
    probe.expect(metadata.get("status") == probe.task["taskStatus"], "the only meeting and its task differ in status")
    info = metadata.get("errorInfo")
    if metadata.get("status") != "error" and info is None:
        return
    if probe.members(info, {"name": str, "message": str, "errorLevel": str}, "errorInfo"):
        probe.expect(info["errorLevel"] in LEVELS, f"errorLevel is {info['errorLevel']}")


def transcript(probe: Probe) -> None:
    """E6, R5.5, R5.8."""
    _need_end(probe)
    answer = probe.get(f"/api/stt/1.{probe.task_id}/0")
    if probe.task["taskStatus"] != "sttDone":
        probe.refused(answer, 404, "the transcript of a failed meeting", "TRANSCRIPTION_FAILED")
        return
    if not probe.status(answer, 200, "the transcript"):
        return
    found = probe.body(answer, "the transcript")
    if probe.members(found, {"transcription": list}, "the transcript"):
        paragraphs = found["transcription"]
        for paragraph in paragraphs:
            _paragraph(probe, paragraph)
        places = [each.get("location", 0) for each in paragraphs if isinstance(each, dict)]
        probe.expect(places == sorted(places), "paragraphs are not sorted by location")


def _paragraph(probe: Probe, found: Any) -> None:
    types = {"id": str, "location": int, "duration": int, "text": str, "words": list}
    if not probe.members(found, types, "a paragraph"):
        return
    end = found["location"] + found["duration"]
    for word in found["words"]:
        if not probe.members(word, {"word": str, "location": int, "duration": int}, "a word"):
            return
        inside = found["location"] <= word["location"] and word["location"] + word["duration"] <= end
        probe.expect(inside, f"the word at {word['location']} ms is not inside its paragraph")
        confidence = word.get("confidence", 0)
        good = isinstance(confidence, int | float) and 0 <= confidence <= 1 and round(confidence, 3) == confidence
        probe.expect(good, f"confidence is {confidence!r}, not 0 to 1 with 3 decimals")


def filters(probe: Probe) -> None:
    """T18, section 6."""
    _need_end(probe)
    stamp, seconds = probe.task.get("taskUpdateTimeNumeric", 0), probe.task.get("taskUpdateTimeNumeric", 0) // 1000
    own: dict[str, Any] = {"extraData.taskId": probe.task_id}
    for wanted, there in (
        (own, True),
        ({"taskId": probe.task_id, "taskStatus": probe.task["taskStatus"], "taskType": "offline"}, True),
        ({"$and": [own, {"taskUpdateTimeNumeric": {"$gte": stamp, "$lt": stamp + 1}}]}, True),
        ({"$and": [own, {"extraData.taskUpdateTimeNumeric": {"$gte": seconds, "$lt": seconds + 1}}]}, True),
        ({"$and": [own, {"extraData.taskUpdateTimeNumeric": {"$lt": stamp}}]}, False),
        ({"$and": [own, {"extraData.archive": {"$ne": True}}]}, True),
        ({"$and": [own, {"extraData.tenant": "no-such-tenant"}]}, False),
        ({"$or": [{"taskId": "none"}, own]}, True),
        ({**own, "taskName": {"$in": ["Conformance check", "x"]}}, True),
        ({**own, "baseLanguages": {"$nin": ["zzz"]}}, True),
    ):
        text = json.dumps(wanted, ensure_ascii=False)
        answer = probe.get("/api/tasks", filter=text)
        if probe.status(answer, 200, f"filter {text}"):
            found = probe.body(answer, f"filter {text}")
            ids = [task.get("taskId") for task in found] if isinstance(found, list) else None
            probe.expect(ids == ([probe.task_id] if there else []), f"filter {text} finds {ids}")
    for text in (
        '{"$and": [{"taskId": "a"} {"taskId": "b"}]}',
        '{"$where": "1"}',
        '{"taskId": {"$regex": "a"}}',
        '{"password": "a"}',
        '{"archive": "true"}',
        '{"taskId": {"$gt": 1}}',
        "[]",
        json.dumps({"$or": [{"taskId": str(n)} for n in range(51)]}),
        json.dumps({"taskName": "x" * 8200}),
    ):
        probe.refused(probe.get("/api/tasks", filter=text), 400, f"filter {text[:60]}", "INVALID_FILTER")


def pages(probe: Probe) -> None:
    """R6.4: order, limit, skip and count."""
    _need_end(probe)
    own = json.dumps({"taskName": "Conformance check"})
    answer = probe.get("/api/tasks", filter=own, limit="2")
    if not probe.status(answer, 200, "limit"):
        return
    total = answer.headers.get("X-Total-Count", "")
    probe.expect(total.isdigit(), "X-Total-Count is missing")
    first = probe.body(answer, "limit")
    rest = probe.get("/api/tasks", filter=own, limit="2", skip="1").json()
    probe.expect(isinstance(first, list) and len(first) <= 2, "limit=2 gives more than 2")
    if isinstance(first, list) and len(first) == 2 and isinstance(rest, list) and rest:
        probe.expect(first[1].get("taskId") == rest[0].get("taskId"), "skip=1 does not begin with the second")
        stamps = [task.get("taskUpdateTimeNumeric") for task in first]
        probe.expect(stamps == sorted(stamps, reverse=True), "tasks are not sorted by the last change")


def _need_task(probe: Probe) -> None:
    if not probe.task_id:
        raise Skipped("no task could be submitted")


def _need_end(probe: Probe) -> None:
    if not probe.task:
        raise Skipped("no task came to an end")


READING = (
    Check("T08 E2 E3 R5.1", "a task is taken and shown as it was sent, at both paths", submitted),
    Check("T21 R5.4 R3.5", "ids that lead nowhere, and a transcript before its time", early),
    Check("T20 5.2", "statuses and remaining times until the end", ending),
    Check("E5 R5.3", "the meeting", meeting),
    Check("E6 R5.5", "the transcript", transcript),
    Check("T18 E4 R6.1 R6.2", "filters of the list", filters),
    Check("R6.4", "order, limit, skip and count of the list", pages),
)
