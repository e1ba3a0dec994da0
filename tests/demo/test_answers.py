"""What a reader says of the demo is about conversations that exist, in the words of the library, and is compared honestly."""

from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from aiassistant.library.seeds import SEEDS
from conversations.threads.reading import read_thread
from conversations.threads.services import import_thread
from demo import assistant
from demo.answers import BANDS, Answered, Expected, agreement, answered, expected_answers
from demo.manifest import demo_threads, read_manifest
from tests.demo.test_assistant import work


def test_a_reader_has_judged_every_conversation_with_text_in_the_words_of_the_library():
    manifest = read_manifest()
    spoken = {call.metadata()["external_id"] for call in manifest.calls if call.expect.state == "completed"}
    written = {fields["external_id"] for tenant in manifest.tenants for fields in demo_threads(tenant.alias)}
    expected = expected_answers()
    assert {one.external_id for one in expected} == spoken | written
    assert len(expected) == len(spoken | written)
    fields = {field.key: field.settings for seed in SEEDS for field in seed.fields}
    topics = {value for value, _label in fields["topics"]["choices"]}
    bands = [label.lower().replace(" ", "_") for _start, label, _tone in fields["sentiment"]["bands"]]
    assert tuple(bands) == BANDS
    assert all(one.sentiment in BANDS and set(one.topics) <= topics for one in expected)


def row(band, topics, expected_band, expected_topics):
    expected = Expected(external_id="x", sentiment=expected_band, topics=expected_topics)
    return Answered(expected, "en", None if band is None else Decimal(1), band, topics, 5)


def test_no_answer_agrees_with_nobody_and_topics_are_counted_one_by_one():
    rows = [
        row("positive", ("billing", "refund"), "positive", ("billing",)),
        row("neutral", (), "negative", ("delivery", "complaint")),
        row(None, ("order",), "neutral", ()),
    ]
    found = agreement(rows)
    assert (found.conversations, found.scored, found.bands) == (3, 2, 1)
    assert (found.named, found.right, found.wanted) == (3, 1, 3)


@pytest.mark.django_db
def test_the_command_shows_what_the_built_in_engine_said_and_fails_while_it_has_said_nothing(
    acme, system, inside, capsys
):
    assistant.make_assistant(system=system, actor="test")
    assistant.enable_tasks(tenant=acme)
    with inside(acme):
        for fields in demo_threads("acme"):
            thread = read_thread(fields | {"username": "alan"})
            import_thread(tenant=acme, thread=thread, actor="test", source="test")
    with pytest.raises(CommandError, match="No AI task has been asked"):
        call_command("demo_answers")
    work()
    rows = {one.expected.external_id: one for one in answered()}
    assert len(rows) == 4
    assert rows["demo-acme-chat-slow-internet"].band in BANDS
    assert rows["demo-acme-ticket-cobertura"].band is None, "the built-in engine scores English only"
    call_command("demo_answers")
    printed = capsys.readouterr().out
    assert "acme-chat-slow-internet" in printed
    assert "4 conversations asked: median" in printed
