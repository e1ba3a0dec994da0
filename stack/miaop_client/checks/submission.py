"""Submitting (section 4 of the contract): what must be taken, and what must be refused with nothing stored."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from stack.miaop_client.checks.probe import Blob, Check, Probe, sound

SHORT = sound(1.0)
ONE: tuple[Blob, ...] = (("one.wav", SHORT),)
GENERATED = re.compile(r"[a-z0-9]{16}\Z")
MAX_INFO = 10_240
# What each change of a good task must be answered with.
BAD_MEMBERS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("taskType x", {"taskType": "x"}, "INVALID_TASK"),
    ("no taskType", {"taskType": None}, "INVALID_TASK"),
    ("taskStatus sttDone", {"taskStatus": "sttDone"}, "INVALID_TASK"),
    ("no meetings", {"meetings": None}, "INVALID_TASK"),
    ("an empty array of meetings", {"meetings": []}, "INVALID_TASK"),
    ("a taskId with a dot", {"taskId": "a.b"}, "INVALID_TASK"),
    ("a taskId with a slash", {"taskId": "../x"}, "INVALID_TASK"),
    ("a taskId of 129 characters", {"taskId": "a" * 129}, "INVALID_TASK"),
    ("a supervisor without an address", {"supervisor": {"name": "", "email": "nobody"}}, "INVALID_TASK"),
    ("genericAdditionalInfo [1]", {"genericAdditionalInfo": "[1]"}, ""),
    ("genericAdditionalInfo 7", {"genericAdditionalInfo": "7"}, ""),
    ("genericAdditionalInfo that is no JSON", {"genericAdditionalInfo": """{'a':"b"}"""}, ""),
    ("genericAdditionalInfo as an array", {"genericAdditionalInfo": [1]}, ""),
)


def refusals(probe: Probe) -> None:
    """T15, 4.4: members."""
    for what, changes, code in BAD_MEMBERS:
        probe.refused(probe.post(probe.task_for("one.wav", **changes), ONE), 400, what, code)
    for language in ("zzz", (probe.server.settings.language or "English").swapcase()):
        task = probe.task_for("one.wav", baseLanguages=[language])
        task["meetings"][0]["files"][0]["baseLanguage"] = language
        probe.refused(probe.post(task, ONE), 400, f"baseLanguage {language}", "UNSUPPORTED_LANGUAGE")
    other = probe.task_for("one.wav")
    other["meetings"][0]["files"][0]["baseLanguage"] = "zzz"
    probe.refused(probe.post(other, ONE), 400, "a baseLanguage that is not in baseLanguages")
    answer = probe.post(probe.task_for("one.wav", tenant=f"no-{uuid.uuid4().hex[:8]}"), ONE)
    if answer.status_code != 400:
        # A system user hears 400 UNKNOWN_TENANT, everybody else the mismatch.
        probe.refused(answer, 403, "another tenant", "TENANT_MISMATCH")


def bodies(probe: Probe) -> None:
    """R4.1, 4.4: what is no submission at all."""
    good = json.dumps(probe.task_for("one.wav"))
    for what, text in (
        ("a task that is no JSON", "{"),
        ("a task that is an array", "[]"),
        ("a task with a name twice", good[:-1] + ', "taskType": "offline"}'),
        ("a task that is nested deeply", good[:-1] + ', "x": ' + "[" * 40 + "]" * 40 + "}"),
        ("a task of more than 1 MiB", good[:-1] + f', "x": "{"y" * 1_100_000}"}}'),
    ):
        probe.refused(probe.post(text, ONE), 400, what)
    probe.refused(probe.server.call("POST", "/hrec", json=probe.task_for("one.wav")), 415, "a task as JSON")
    answer = probe.server.call("POST", "/hrec", files=[("soundBlob", ("one.wav", SHORT, "audio/wav"))])
    probe.refused(answer, 400, "no part task")
    answer = probe.server.call(
        "POST", "/hrec", content=b"nothing", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    probe.refused(answer, 400, "a broken multipart body", "INVALID_MULTIPART")


def mismatches(probe: Probe) -> None:
    """T11: nothing of these may be stored."""
    name = f"c{uuid.uuid4().hex[:12]}"
    two = (("one.wav", SHORT), ("two.wav", SHORT))
    cases: tuple[tuple[str, tuple[str, ...], tuple[Blob, ...], str], ...] = (
        ("a file without its audio", ("one.wav", "two.wav"), ONE, "FILE_MISMATCH"),
        ("audio without its file", ("one.wav",), two, "FILE_MISMATCH"),
        ("other names of one that fits", ("one.wav", "x.wav"), two, "FILE_MISMATCH"),
        ("no audio", ("one.wav",), (), "FILE_MISMATCH"),
        ("audio of no bytes", ("one.wav",), (("one.wav", b""),), "EMPTY_FILE"),
    )
    for what, names, blobs, code in cases:
        probe.refused(probe.post(probe.task_for(*names, taskId=name), blobs), 400, what, code)
    probe.refused(probe.get(f"/api/tasks/{name}"), 404, "a task that was refused")


def forms(probe: Probe) -> None:
    """T09, R4.1."""
    for form in ("field", "typed", "file"):
        probe.accepted(probe.post(probe.task_for("one.wav"), ONE, form=form), f"task as {form}")


def names(probe: Probe) -> None:
    """T10, R4.5; which audio is where is not looked at."""
    cases: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
        ("a name in Hebrew", ("שיחה ראשונה.wav",), ("שיחה ראשונה.wav",)),
        ("a name with ; , &", ("a;b,c&d.wav",), ("a;b,c&d.wav",)),
        ("a name with a quotation mark", ('q"uote.wav',), ('q"uote.wav',)),
        ("a path before the name", ("one.wav",), ("folder/one.wav",)),
        ("other letters of the ending", ("one.wav",), ("one.WAV",)),
        ("a name without its ending", ("one", "two"), ("two.wav", "one.wav")),
        ("the same name twice", ("one.wav", "one.wav"), ("one.wav", "one.wav")),
        ("names that do not fit at all", ("a.wav", "b.wav"), ("x.wav", "y.wav")),
    )
    for what, files, blobs in cases:
        task_id = probe.accepted(probe.post(probe.task_for(*files), [(blob, SHORT) for blob in blobs]), what)
        if task_id:
            meetings = probe.read_task(task_id).get("meetings")
            wanted = [f"{number}.{task_id}" for number in range(1, len(files) + 1)]
            found = [each.get("meetingId") for each in meetings] if isinstance(meetings, list) else None
            probe.expect(found == wanted, f"{what}: meetings are {found}, expected {wanted}")


def information(probe: Probe) -> None:
    """T13, R4.6: what is sent comes back as it was; 10 240 bytes are the most."""
    full = json.dumps({"k": "é" * ((MAX_INFO - 8) // 2)}, ensure_ascii=False, separators=(",", ":"))
    full += " " * (MAX_INFO - len(full.encode()))
    for what, info in (("as a text", '{"crm": "A-17"}'), ("as an object", {"crm": "A-17"}), ("of 10 240 bytes", full)):
        task_id = probe.accepted(probe.post(probe.task_for("one.wav", genericAdditionalInfo=info), ONE), what)
        if task_id:
            echoed = probe.read_task(task_id).get("genericAdditionalInfo")
            probe.expect(echoed == info, f"genericAdditionalInfo {what} does not come back as it was sent")
    answer = probe.post(probe.task_for("one.wav", genericAdditionalInfo=full + " "), ONE)
    probe.refused(answer, 400, "genericAdditionalInfo of 10 241 bytes", "ADDITIONAL_INFO_TOO_LARGE")


def identities(probe: Probe) -> None:
    """T14: the id of a task."""
    found = probe.accepted(probe.post(probe.task_for("one.wav"), ONE), "no taskId")
    probe.expect(not found or GENERATED.match(found), f"the generated taskId {found!r} is not 16 of a-z and 0-9")
    name = f"Check_{uuid.uuid4().hex[:12]}-x"
    task = probe.task_for("one.wav", taskId=name)
    for what in ("a taskId of one's own", "the same again"):
        given = probe.accepted(probe.post(task, ONE), what)
        probe.expect(not given or given == name, f"{what}: the answer names {given!r}, not {name!r}")
    probe.refused(probe.post({**task, "taskName": "Another"}, ONE), 409, "the same id with another task", "TASK_EXISTS")
    probe.refused(probe.post(task, (("one.wav", SHORT[:-2]),)), 409, "the same id with other audio", "TASK_EXISTS")


def old_names(probe: Probe) -> None:
    """T15, A16: sttLanguages and sttLanguage."""
    task = probe.task_for("one.wav")
    languages = task.pop("baseLanguages")
    task["meetings"][0]["files"] = [{"file": "one.wav", "sttLanguage": languages[0]}]
    task["sttLanguages"] = languages
    task_id = probe.accepted(probe.post(task, ONE), "sttLanguages and sttLanguage")
    if task_id:
        found = probe.read_task(task_id).get("baseLanguages")
        probe.expect(found == languages, f"sttLanguages: baseLanguages are {found}, expected {languages}")


SUBMISSION = (
    Check("T09 R4.1", "the three forms of the part task", forms),
    Check("T10 R4.5", "names of files", names),
    Check("T11 R4.5 R4.7", "files and audio that do not fit are refused and nothing is stored", mismatches),
    Check("T13 R4.6", "genericAdditionalInfo", information),
    Check("T14 A24", "ids of tasks, given and generated", identities),
    Check("T15 A16", "the old names of languages", old_names),
    Check("T15 T16 4.4", "members that break a rule", refusals),
    Check("R4.1 4.4", "bodies that are no submission", bodies),
)
