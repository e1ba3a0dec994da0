"""Hold and waiting in the queue: what is taken in, what is left out of a transcript, what is shown."""

import pytest

from conversations.metadata import Hold, read_metadata
from conversations.preparing import prepare_transcript
from conversations.quiet import NOTE, without_quiet
from core.errors import InvalidInput
from core.transcripts import Segment, TranscriptData, Word
from tests.conversations.calls import START, audio_file, stored_call

TURN = "“Please hold. La, la la! Thank you for waiting.”"


def turn(text: str = TURN, start_ms: int = 0, channel: int = 0) -> Segment:
    """A word a second."""
    words = [
        Word(word.strip("“”"), start_ms + 1000 * n, start_ms + 1000 * n + 900, 0.9)
        for n, word in enumerate(text.split())
    ]
    return Segment(channel, "A", start_ms, words[-1].end_ms, text, tuple(words))


def heard(*segments: Segment) -> TranscriptData:
    return TranscriptData("en-US", 60_000, "m", segments)


def test_words_inside_a_span_are_left_out_and_the_turn_is_split_around_them():
    data = without_quiet(heard(turn()), [(2000, 5000)])
    assert [(part.text, part.start_ms, part.end_ms) for part in data.segments] == [
        ("“Please hold.", 0, 1900),
        ("Thank you for waiting.”", 5000, 8900),
    ]
    assert [word.text for part in data.segments for word in part.words] == [
        "Please",
        "hold.",
        "Thank",
        "you",
        "for",
        "waiting.",
    ]
    assert data.warnings == (NOTE,)


@pytest.mark.parametrize(
    ("spans", "left"),
    [
        ([], [TURN]),
        ([(50_000, 60_000)], [TURN]),
        # A word belongs to the span in which its middle lies.
        ([(400, 1400)], ["hold. La, la la! Thank you for waiting.”"]),
        ([(0, 1000), (500, 9000)], []),
        ([(8000, 60_000)], ["“Please hold. La, la la! Thank you for"]),
    ],
)
def test_only_words_whose_middle_lies_in_a_span_go(spans, left):
    assert [part.text for part in without_quiet(heard(turn()), spans).segments] == left


def test_turns_keep_their_order_over_both_channels_and_a_turn_without_words_goes_whole():
    wordless = Segment(1, "B", 3000, 4000, "music music")
    data = without_quiet(heard(turn(), turn("I wait here", 2500, 1), wordless), [(2000, 4500)])
    assert [(part.channel, part.text) for part in data.segments] == [
        (0, "“Please hold."),
        (1, "here"),
        (0, "Thank you for waiting.”"),
    ]


def test_nothing_of_a_span_is_in_the_text_that_is_searched():
    prepared = prepare_transcript(heard(turn()), 60_000, [(2000, 5000)])
    assert prepared.packed.text == "“Please hold.\nThank you for waiting.”"
    assert prepared.packed.word_count == 6


@pytest.mark.parametrize(
    "events",
    [
        "hold",
        [{"type": "hold"}],
        [{"type": "music", "start_s": 0, "end_s": 1}],
        [{"type": "hold", "start_s": 2, "end_s": 2}],
        [{"type": "hold", "start_s": -1, "end_s": 2}],
        [{"type": "hold", "start_s": "0", "end_s": 2}],
        [{"type": "hold", "start_s": 0, "end_s": 1e300}],
        [{"type": "hold", "start_s": 0, "end_s": 1}] * 201,
    ],
)
def test_events_that_cannot_be_are_refused_by_name(events):
    fields = {"external_id": "one", "started_at": START.isoformat()}
    with pytest.raises(InvalidInput) as refused:
        read_metadata({**fields, "hold_events": events})
    assert refused.value.field == "hold_events"
    good = read_metadata({**fields, "hold_events": [{"type": "hold", "start_s": 0, "end_s": 1.5}]})
    assert good.hold_events == (Hold("hold", 0, 1.5),)


@pytest.mark.django_db
def test_the_page_of_a_call_names_and_shades_its_spans(acme, people, inside, client_for, tmp_path):
    events = (Hold("hold", 1, 2), Hold("wait_in_queue", 2.5, 700))
    with inside(acme):
        call = stored_call(acme, audio=audio_file(tmp_path), hold_events=events, username="alan")
        plain = stored_call(acme, "plain", username="alan")
    client = client_for(people.agent)
    text = client.get(f"/calls/{call.pk}/").content.decode()
    assert "Hold and waiting" in text
    assert 'data-start-ms="1000" data-end-ms="2000"' in text
    assert 'data-start-ms="2500" data-end-ms="3000"' in text
    assert "Hold and waiting" not in client.get(f"/calls/{plain.pk}/").content.decode()
