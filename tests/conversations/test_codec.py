"""Transcripts as bytes: nothing is lost, nothing hostile is kept, and a minute takes few bytes."""

import random
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations import codec, normalising
from conversations.codec import CorruptTranscript, pack, spans_of, unpack
from conversations.normalising import MAX_TEXT_BYTES, normalise
from core.transcripts import Segment, TranscriptData, Word

MINUTE = 60_000
token = st.one_of(
    st.text(min_size=1, max_size=12),
    st.sampled_from(["שלום", "עולם", "hello", "Hello,", "25", "a", "🙂", "don't", "x" * 300, "\x00", "\u202eabc", ""]),
)
moment = st.integers(-1000, 2 * MINUTE)
words = st.lists(
    st.builds(Word, token, moment, moment, st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))),
    max_size=12,
)


@st.composite
def segments(draw):
    spoken = draw(words)
    text = draw(st.one_of(st.just(" ".join(word.text for word in spoken)), st.text(max_size=80)))
    return Segment(draw(st.integers(-1, 3)), draw(st.text(max_size=5)), draw(moment), draw(moment), text, tuple(spoken))


transcripts = st.builds(
    TranscriptData,
    st.just("he"),
    st.integers(0, 2 * MINUTE),
    st.text(max_size=10),
    st.lists(segments(), max_size=8).map(tuple),
)


@settings(max_examples=150, deadline=None)
@given(transcripts)
def test_whatever_a_provider_sends_is_stored_and_comes_back_as_normalised(data):
    clean = normalise(data, MINUTE)
    packed = pack(clean)
    assert unpack(packed.body, packed.text) == clean
    assert packed.turn_count == len(clean.segments)
    packed.text.encode()
    assert "\x00" not in packed.text
    for segment in clean.segments:
        assert 0 <= segment.start_ms <= segment.end_ms <= MINUTE
        starts = [word.start_ms for word in segment.words]
        assert starts == sorted(starts)
        assert all(0 <= word.start_ms <= word.end_ms <= MINUTE for word in segment.words)
        assert all(segment.text[span.char_start : span.char_end] for span in spans_of(segment))


@settings(max_examples=60, deadline=None)
@given(transcripts)
def test_normalising_twice_changes_nothing_more(data):
    once = normalise(data, MINUTE)
    assert normalise(once, MINUTE).segments == once.segments


def test_overlapping_turns_of_two_channels_stay_apart_and_sorted():
    first = Segment(1, "S2", 500, 900, "yes", (Word("yes", 500, 900, 0.5),))
    second = Segment(0, "S1", 0, 1000, "hello there", (Word("hello", 0, 400), Word("there", 600, 1000)))
    clean = normalise(TranscriptData("en", 2000, "m", (first, second)), 2000)
    assert clean.segments == (second, first)
    assert clean.warnings == ()


def test_an_empty_transcript_is_a_transcript():
    packed = pack(normalise(TranscriptData("en", 0, "m", ()), MINUTE))
    assert (packed.text, packed.turn_count, packed.word_count) == ("", 0, 0)
    assert unpack(packed.body, "").segments == ()


def test_punctuated_and_rewritten_words_stand_on_the_letters_of_the_text():
    spoken = [("hello", 0), ("it", 100), ("is", 200), ("twenty", 300), ("five", 400), ("dollars", 500)]
    segment = Segment(0, "", 0, 900, "Hello, it is 25 dollars.", tuple(Word(w, at, at + 90) for w, at in spoken))
    clean = normalise(TranscriptData("en", 900, "", (segment,)), 900)
    found = [(word.text, word.start_ms, word.end_ms) for word in clean.segments[0].words]
    assert found == [("Hello", 0, 90), ("it", 100, 190), ("is", 200, 290), ("25", 300, 490), ("dollars", 500, 590)]


def test_a_word_is_never_placed_inside_another_word():
    segment = Segment(0, "", 0, 900, "that is at home", (Word("at", 0, 100), Word("home", 100, 200)))
    clean = normalise(TranscriptData("en", 900, "", (segment,)), 900)
    assert [(span.char_start, span.char_end) for span in spans_of(clean.segments[0])] == [(8, 10), (11, 15)]


def test_hostile_values_are_clamped_and_said():
    nan = float("nan")
    segment = Segment(7, "s" * 500, -5, 10**12, "a\x00b\nc <b>\u202ed", (Word("ab", nan, 10**9, nan),))
    clean = normalise(TranscriptData("en", 10 * MINUTE, "", (segment,)), MINUTE)
    kept = clean.segments[0]
    assert (kept.channel, len(kept.speaker), kept.start_ms, kept.end_ms, kept.text) == (0, 60, 0, MINUTE, "ab c <b>d")
    assert kept.words == (Word("ab", 0, MINUTE, None),)
    assert "times outside the recording were clamped" in clean.warnings
    assert "the engine reported another duration than was measured" in clean.warnings


def test_more_text_than_anybody_can_speak_is_dropped_and_said():
    flood = tuple(Segment(0, "", 0, 1, "word " * 1000) for _turn in range(50))
    clean = normalise(TranscriptData("en", MINUTE, "", flood), MINUTE)
    assert len(pack(clean).text.encode()) <= 20_000 < MAX_TEXT_BYTES
    assert clean.warnings == ("text beyond the size limit was dropped",)


def test_body_and_text_of_different_transcripts_do_not_read_as_one():
    one, other = (
        pack(TranscriptData("en", 10, "", (Segment(0, "", 0, 9, text, (Word(text, 0, 9),)),)))
        for text in ("hello", "hi")
    )
    assert unpack(one.body, one.text).segments[0].text == "hello"
    for body, text in [(one.body, other.text), (one.body, "hello\nhello"), (b"", "hello"), (one.body[:-4], "hello")]:
        with pytest.raises(CorruptTranscript):
            unpack(body, text)


def spoken_call(minutes: int, *, seed: int = 1) -> TranscriptData:
    """A call at 160 words a minute with times and confidences that do not compress well."""
    chance = random.Random(seed)
    vocabulary = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _word in range(900)]
    turns, at = [], 0
    while at < minutes * MINUTE - 15_000:
        count, spoken = chance.randint(4, 40), []
        start = at
        for _word in range(count):
            length = chance.randint(120, 480)
            spoken.append(Word(chance.choice(vocabulary), at, at + length, round(chance.random(), 2)))
            at += length + chance.choice([0, 0, 20, 35, 90, 140])
        text = " ".join(word.text for word in spoken)
        turns.append(Segment(len(turns) % 2, f"S{len(turns) % 2 + 1}", start, at, text, tuple(spoken)))
        at += chance.randint(100, 900)
    return TranscriptData("en-US", minutes * MINUTE, "model", tuple(turns))


@pytest.mark.parametrize("minutes", [1, 10, 60])
def test_a_minute_of_speech_takes_at_most_three_kilobytes(minutes):
    packed = pack(normalise(spoken_call(minutes), minutes * MINUTE))
    assert packed.word_count > 120 * minutes * 0.7
    assert len(packed.body) / minutes <= 1_500
    assert (len(packed.body) + len(packed.text.encode())) / minutes <= 3_000


@settings(deadline=None)
@given(st.lists(st.integers(-(2**40), 2**40), max_size=50))
def test_a_column_comes_back_number_by_number(numbers):
    encoded = codec._encoded([numbers, numbers[:3]])
    assert [list(codec._numbers(column)) for column in encoded] == [numbers, numbers[:3]]


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            Word,
            st.sampled_from(["hello", "Hello,", "25", "a b", "", "x" * 201, "né", "a\x00b", "\u202ex"]),
            st.sampled_from([0, 5, 70, 1_000, -3, 5_001, 2.5, True]),
            st.sampled_from([5, 80, 1_000, 4_999, 9_000, float("nan")]),
            st.sampled_from([None, 0.123456, 1.0, 0, 7.5, float("nan"), True]),
        ),
        max_size=6,
    ),
    st.sampled_from([" ", "  ", ", "]),
)
def test_words_that_keep_every_rule_come_out_as_the_long_way_makes_them(words, between):
    text = between.join(word.text for word in words)
    data = TranscriptData("en-US", 5_000, "m", (Segment(0, "a", 0, 5_000, text, tuple(words)),))
    quick = normalise(data, 5_000)

    with mock.patch.object(normalising, "_as_they_stand", return_value=None):
        assert normalise(data, 5_000) == quick
