"""The demo on the stand-ins of speech vendors: every type by the same way, through the services of a click, and back."""

import asyncio
import json
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.models import AuditEntry
from core.outbound import AddressRefused
from core.outcomes import EngineError
from core.transcripts import TranscriptData
from demo import services
from demo.runs import run_since
from demo.stand_ins import read_facts, repeat_calls, use_bundled, use_stand_in
from stack import stand_ins
from stack.files import write_json
from stack.paths import StackPaths
from tenants.models import AllowedAddress
from tests.engines.providers import ask_for, audio_of, words_of
from tests.engines.test_contract import ended
from tests.jobs.conftest import Pipeline, pipeline, speech, speech_server, two_channels  # noqa: F401
from tests.machine import free_port
from transcription.models import SpeechEngine
from transcription.selectors import adapter_for

pytestmark = pytest.mark.django_db


@dataclass
class Running:
    """A stand-in as the stack runs it, and the file that it describes itself in."""

    paths: StackPaths
    known: stand_ins.Wanted
    facts: Path

    @property
    def key(self) -> str:
        return json.loads(self.facts.read_text())["key"]


@pytest.fixture
def paths(tmp_path, monkeypatch) -> StackPaths:
    """A data directory with what a stand-in needs of it, and ports that no other worker's stand-in takes."""
    monkeypatch.setattr(stand_ins, "PORTS_FROM", free_port())
    made = StackPaths.at(tmp_path / "data")
    for directory in (made.data, made.run, made.logs):
        directory.mkdir()
    write_json(made.marker, {"speech_port": 1})
    made.speech_token.write_text("nobody-is-asked")
    return made


@pytest.fixture
def running(paths) -> Callable:
    """Start the stand-in of an engine type by the stack's own command line."""

    @contextmanager
    def start(engine_type: str) -> Iterator[Running]:
        known = stand_ins.want(paths, engine_type)
        with (paths.logs / "stand-in.log").open("ab") as log:
            process: subprocess.Popen[bytes] = stand_ins.service(paths, known).spawn(log)
        try:
            stand_ins.await_ready(known)
            yield Running(paths, known, stand_ins.facts_file(paths, known))
        finally:
            process.terminate()
            process.wait(10)

    return start


@pytest.fixture
def demo(pipeline, monkeypatch, tmp_path) -> Pipeline:  # noqa: F811
    """The demo's job and engine by their names, on a server of tone words."""
    token = tmp_path / "token"
    token.write_text("unused")
    monkeypatch.setenv("PARLANCE_SPEECH_ADDRESS", pipeline.server.url)
    monkeypatch.setenv("PARLANCE_SPEECH_TOKEN_FILE", str(token))
    SpeechEngine.objects.filter(pk=pipeline.engine.pk).update(name=services.ENGINE)
    assert pipeline.job.name == services.JOB
    return pipeline


def listed() -> set[int]:
    return set(AllowedAddress.objects.exclude(note="tests").values_list("port", flat=True))


def transcript_by(engine: SpeechEngine) -> TranscriptData:
    """What the engine of the product makes of a call, by way of the guard."""
    adapter = adapter_for(engine)

    async def heard() -> TranscriptData:
        await adapter.open()
        try:
            remote = await adapter.submit(audio_of(two_channels(5)), ask_for("demo"))
            if isinstance(remote, TranscriptData):
                return remote
            await ended(adapter, remote)
            found: TranscriptData = await adapter.fetch(remote)
            await adapter.cleanup(remote)
            return found
        finally:
            await adapter.close()

    return asyncio.run(heard())


@pytest.mark.parametrize("engine_type", sorted(stand_ins.STAND_INS))
def test_the_demo_works_with_each_stand_in(running, demo, engine_type, caplog):
    with running(engine_type) as stand_in:
        engine = use_stand_in(read_facts(stand_in.facts), rehearsing=False)
        demo.job.refresh_from_db()
        assert demo.job.settings["engine"] == engine.pk
        assert engine.name.endswith("(stand-in)")
        assert listed() == {stand_in.known.port}
        transcript = transcript_by(engine)
        assert words_of(transcript, 0) == ["hello", "you"]
        assert words_of(transcript, 1) == ["help", "please"]
        secrets = [stand_in.key, json.loads(stand_in.facts.read_text())["storage_key"]]
    shown = [json.dumps(engine.settings), caplog.text]
    shown += [json.dumps([row.details, row.before, row.after], default=str) for row in AuditEntry.objects.all()]
    shown += [(stand_in.paths.logs / "stand-in.log").read_text()]
    shown += [(stand_in.facts.parent / "journal.jsonl").read_text()]
    assert not any(secret in text for secret in secrets for text in shown)
    assert AuditEntry.objects.filter(action="speech_engine.created", actor="system:demo").count() == 1


def test_the_calls_go_through_it_and_are_compared_and_charged_once(running, demo):
    calls = [demo.call(external_id=f"demo-{number}") for number in (1, 2)]
    demo.finish(*calls)
    begun = timezone.now()
    with running("deepgram") as stand_in:
        engine = use_stand_in(read_facts(stand_in.facts), rehearsing=False)
        assert repeat_calls() == 2
        demo.finish(*calls, seconds=60)
    run = run_since(begun)
    assert (run.engines, run.recordings, run.in_progress) == ([engine.name], 2, 0)
    assert (run.words, run.compared, run.same) == (8, 8, 8)
    assert (run.charges, run.charged_s) == (2, 10)
    assert (run.charged_twice, run.errors, run.without) == (0, 0, {})


def test_under_chaos_nothing_is_lost_and_nothing_is_charged_twice(running, demo):
    calls = [demo.call(external_id=f"demo-{number}") for number in range(4)]
    demo.finish(*calls)
    begun = timezone.now()
    with running("deepgram") as stand_in:
        bad_day = {"throttle": 0.2, "errors": 0.2, "drop": 0.2, "retry_after_s": 0, "seed": 11}
        stand_ins.chaos(stand_in.known, bad_day)
        use_stand_in(read_facts(stand_in.facts), rehearsing=True)
        demo.job.__class__.objects.filter(pk=demo.job.pk).update(retry_base_s=1, retry_factor=1.0)
        repeat_calls()
        demo.finish(*calls, seconds=60)
        assert sum(stand_ins.chaos(stand_in.known)["done"].values()) > 0
    run = run_since(begun)
    assert (run.recordings, run.same, run.without) == (4, 16, {})
    assert (run.charges, run.charged_s, run.charged_twice) == (4, 20, 0)
    assert run.errors > 0


def test_a_rehearsal_stands_in_the_engines_name_while_it_lasts(running, demo):
    with running("deepgram") as stand_in:
        facts = read_facts(stand_in.facts)
        named = [use_stand_in(facts, rehearsing=rehearsing).name for rehearsing in (False, True, True, False)]
    assert [name.partition(" ")[2] for name in named] == [
        "(stand-in)",
        "(stand-in, rehearsing an outage)",
        "(stand-in, rehearsing an outage)",
        "(stand-in)",
    ]
    assert SpeechEngine.objects.exclude(name=services.ENGINE).count() == 1
    assert AuditEntry.objects.filter(action="speech_engine.changed").count() == 2, "saying it again changes nothing"


def test_another_stand_in_takes_over_and_the_bundled_server_takes_it_back(running, demo):
    demo.job.settings |= {"ignore_moh": True}
    demo.job.save(update_fields=["settings"])
    with running("deepgram") as stand_in:
        first = use_stand_in(read_facts(stand_in.facts), rehearsing=False)
    with running("speechmatics") as stand_in:
        second = use_stand_in(read_facts(stand_in.facts), rehearsing=False)
        first.refresh_from_db()
        assert not first.enabled
        assert listed() == {stand_in.known.port}

        back = use_bundled()
        second.refresh_from_db()
        demo.job.refresh_from_db()
        assert (back.name, second.enabled, listed()) == (services.ENGINE, False, set())
        assert demo.job.settings["engine"] == back.pk
        assert demo.job.settings["ignore_moh"] is True, "what people set stays"
        with pytest.raises((EngineError, AddressRefused)):
            transcript_by(second)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"engine_type": "native_v2"}, "engine_type"),
        ({"address": "http://192.0.2.1:8700"}, "address"),
        ({"address": "http://127.0.0.1"}, "address"),
        ({"key": None}, "key"),
        ({"more": 1}, "more"),
    ],
)
def test_facts_that_are_none_are_refused_by_name_and_nothing_is_stored(demo, tmp_path, changes, named):
    file = tmp_path / "facts.json"
    secret = "key-that-nobody-sees"
    file.write_text(
        json.dumps({"engine_type": "deepgram", "address": "http://127.0.0.1:8700", "key": secret} | changes)
    )
    with pytest.raises(CommandError, match=named) as refused:
        call_command("demo_engine", str(file))
    assert secret not in str(refused.value)
    assert SpeechEngine.objects.count() == 1
    assert listed() == set()


def test_without_the_demos_job_nothing_is_pointed_anywhere(demo, tmp_path):
    demo.job.__class__.objects.update(name="Renamed by somebody")
    with pytest.raises(CommandError, match="job"):
        call_command("demo_engine", "bundled")


@pytest.mark.parametrize("since", ["yesterday", "2026-11-22T10:00:00"])
def test_a_report_needs_a_moment_with_its_offset(demo, since):
    with pytest.raises(CommandError, match="since"):
        call_command("demo_run", "--since", since)


def test_files_with_keys_are_the_owners_alone(paths):
    known = stand_ins.want(paths, "azure")
    facts = stand_ins.facts_file(paths, known)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in facts.parent.iterdir()}
    assert modes == {"facts.json": 0o600, "keys.json": 0o600, "arguments": 0o600}
    assert stat.S_IMODE(facts.parent.stat().st_mode) == 0o700
