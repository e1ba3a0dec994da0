"""Executions without a server: an engine of ours that answers from a list, or never."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from aiassistant.engines.base import AIEngine, Completion, Finish, OutputType, Prompt, Usage
from aiassistant.executing.asking import begin, execute
from aiassistant.executing.evidence import Words
from aiassistant.executing.prompts import Subject
from aiassistant.executing.running import Ran, Target
from aiassistant.executing.together import execute_together
from aiassistant.executing.variables import NAMED, own_values
from aiassistant.library.definitions import AppliesTo, Limits, Output, TaskDefinition
from aiassistant.library.templates import TRUSTED, UNTRUSTED
from conversations.texts import ConversationText, TextFacts, TextTurn
from core.engines import EngineOptions, Step
from core.outbound import OutboundPolicy
from queues.events import RecordType

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


class Listed(AIEngine):
    """Gives the answers of a list in turn; waits for ever where there is none."""

    label, options_type = "Listed", EngineOptions
    concurrency, model, max_output_tokens = 1, "listed", 256  # type: ignore[assignment]

    def __init__(self, answers: Sequence[tuple[str, Finish] | None] = (), window: int = 100_000) -> None:
        super().__init__(None, OutboundPolicy())
        self.answers, self.asked, self.size = list(answers), [], window

    @property
    def window(self) -> int:
        return self.size

    @classmethod
    def check_address(cls, options: Any, policy: OutboundPolicy) -> None:
        """It has none."""

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def complete(self, prompt: Prompt) -> Completion:
        """The next answer."""
        self.asked.append(prompt)
        answer = self.answers.pop(0) if self.answers else None
        if answer is None:
            await asyncio.Event().wait()
        text, finish = answer or ("", Finish.STOP)
        return Completion(text, None, Usage(prompt=10, completion=10), finish)

    async def check(self) -> AsyncIterator[Step]:
        """Nothing to check."""
        return
        yield


def task(key: str, **limits: Any) -> TaskDefinition:
    """A task with one text for an answer."""
    return TaskDefinition(
        task_id=1,
        key=key,
        version_id=1,
        number=1,
        title=key.title(),
        applies_to=AppliesTo.ANY,
        system_template="Judge.",
        user_template="{{transcript}}",
        outputs=(Output(name="summary", type=OutputType.LONG_TEXT, max_length=400),),
        limits=Limits(**limits),
    )


def conversation(turns: int = 4) -> ConversationText:
    """One with so many turns."""
    said = "My parcel arrived broken and I want a refund for it."
    made = tuple(TextTurn(n, AT, n * 1000, "customer", "Carla", said) for n in range(turns))
    return ConversationText(RecordType.CALL, uuid.uuid4(), 1, "en", "", made)


def rans(engine: Listed, *tasks: TaskDefinition) -> list[Ran]:
    """Executions that begin."""
    target = Target(1, "Listed", engine)
    return [begin(each, target, each.key) for each in tasks]


def together(group: Sequence[Ran], *, within_s: float | None) -> None:
    """Ask all in one request; a test that hangs fails after five seconds."""
    asyncio.run(asyncio.wait_for(execute_together(group, Subject(conversation()), within_s=within_s), 5))


def test_the_time_of_a_conversation_holds_for_a_request_that_tasks_share():
    engine = Listed()
    group = rans(engine, task("one"), task("two"))
    together(group, within_s=0.05)
    assert [(ran.completed, ran.reason) for ran in group] == [(False, "checks_exhausted")] * 2
    assert len(engine.asked) == 1


def test_the_time_that_a_shared_request_took_counts_for_each_of_its_tasks():
    engine = Listed()
    group = rans(engine, task("one", conversation_timeout_s=0), task("two", conversation_timeout_s=0))
    together(group, within_s=None)
    assert {ran.reason for ran in group} == {"checks_exhausted"}


def test_a_task_with_time_left_is_asked_alone_when_the_shared_request_was_given_up():
    answer = json.dumps({"summary": "A broken parcel."})
    engine = Listed([None, (answer, Finish.STOP)])
    group = rans(engine, task("short", conversation_timeout_s=0), task("long"))
    together(group, within_s=None)
    assert [ran.completed for ran in group] == [False, True]


def in_parts(answers: Sequence[tuple[str, Finish]]) -> tuple[Ran, Listed]:
    """A task on a conversation that is two windows long."""
    engine = Listed(answers, window=1400)
    (ran,) = rans(engine, task("one"))
    asyncio.run(asyncio.wait_for(execute(ran, Subject(conversation(50))), 5))
    return ran, engine


NOTES = (json.dumps({"facts": ["A parcel is broken."], "quotes": [], "partial": {}}), Finish.STOP)
DONE = (json.dumps({"summary": "A broken parcel."}), Finish.STOP)


def test_notes_that_were_cut_are_asked_for_once_more_with_twice_the_cap():
    ran, engine = in_parts([('{"facts": ["A par', Finish.LENGTH), NOTES, NOTES, DONE])
    assert [ask.part for ask in ran.asks] == ["map", "retry", "map", "reduce"]
    assert [prompt.max_output_tokens for prompt in engine.asked[:3]] == [256, 512, 256]
    assert ran.completed
    assert ran.asks[0].note == "The answer was cut after 256 tokens"


def test_a_refusal_to_take_notes_ends_the_execution_as_refused_and_is_not_repeated():
    ran, engine = in_parts([("", Finish.REFUSED)])
    assert (ran.reason, len(engine.asked)) == ("refused", 1)


def test_notes_that_do_not_fit_themselves_are_read_in_parts_again():
    long = (json.dumps({"facts": ["The parcel is broken and late. " * 6] * 10, "quotes": []}), Finish.STOP)
    ran, _engine = in_parts([long, long, NOTES, NOTES, DONE])
    assert (ran.completed, ran.chunks) == (True, 2)
    assert [ask.part for ask in ran.asks] == ["map"] * 4 + ["reduce"]


@pytest.mark.parametrize("tag", ["", "[00:01] Carla: ", "Carla: ", "Mary-Ann O’Neil: ", "“"])
def test_a_quote_is_found_without_the_tag_and_the_name_that_models_like_to_quote_with_it(tag):
    words = Words(conversation())
    found = words.find(f"{tag}I want a refund")
    assert (found.quote, found.turn, found.verified) == ("I want a refund", 0, True)
    assert not words.find(f"{tag}I want a new parcel").verified


FACTS = TextFacts(
    record_type=RecordType.CALL,
    record_id=uuid.uuid4(),
    channel="voice",
    direction="inbound",
    duration_ms=60_000,
    started_at=AT,
    user_id=None,
    username="alan",
    group="Sales",
    queue_name="Orders",
    language="en",
    tags=("vip",),
    external_id="c-1",
    participants=("Carla", "Alan"),
    version=1,
)


@pytest.mark.parametrize("record_type", [RecordType.CALL, RecordType.CONVERSATION])
def test_every_variable_that_a_prompt_may_name_is_filled(record_type):
    """But the two that are custom fields, which are looked up by their keys."""
    tenant: Any = SimpleNamespace(name="Acme", language="en")
    text = ConversationText(record_type, FACTS.record_id, 1, "en", "Parcel", conversation().turns)
    values = own_values(tenant, FACTS, text, AT)
    assert set(values) == (TRUSTED | UNTRUSTED) - set(NAMED)
    assert all(values.values())
