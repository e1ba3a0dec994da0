"""The dynamics of a conversation: shares, monologues, silence, interruptions, pace and turns."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.dynamics import MAX_SIDES, dynamics
from conversations.normalising import normalise
from core.transcripts import Segment, TranscriptData
from tests.conversations.test_health import HEBREW, TURNS, said, turn


def spoken(start_ms: int, end_ms: int, *, channel: int = 0, speaker: str = "", words: int = 10) -> Segment:
    """A turn without times of words."""
    return Segment(channel, speaker, start_ms, end_ms, " ".join(["word"] * words))


def test_talk_is_shared_by_channel_and_the_rest_is_silence():
    found = dynamics(said(spoken(0, 30_000), spoken(30_000, 40_000, channel=1), duration_ms=80_000))
    assert found is not None
    assert [(side.share, side.talk_ms) for side in found.sides] == [(0.75, 30_000), (0.25, 10_000)]
    assert found.silence == 0.5


def test_pauses_between_words_are_silence_and_breath_is_not():
    first, second, third = turn("a b", 0), turn("c d", 1300), turn("e f", 5000)
    joined = Segment(0, "", 0, 5800, "a b c d e f", (*first.words, *second.words, *third.words))
    found = dynamics(said(joined, duration_ms=5800))
    assert found is not None
    assert found.sides[0].talk_ms == 2100 + 800
    assert found.silence == pytest.approx(1 - 2900 / 5800)


def test_pace_is_words_a_minute_of_own_talk():
    found = dynamics(said(turn("one two three four five"), spoken(10_000, 40_000, channel=1, words=60)))
    assert found is not None
    assert [side.pace for side in found.sides] == [150.0, 120.0]


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "taken"),
    [(9_500, 20_000, 1), (9_800, 20_000, 0), (9_500, 9_900, 0), (0, 20_000, 0), (10_500, 20_000, 0)],
    ids=["takes the floor", "overlaps shortly", "gives way", "begins together", "waits"],
)
def test_an_interruption_overlaps_by_more_than_300_ms_and_goes_on(start_ms, end_ms, taken):
    found = dynamics(said(spoken(0, 10_000), spoken(start_ms, end_ms, channel=1)))
    assert found is not None
    assert found.interruptions == taken
    assert [side.interruptions for side in found.sides] == [0, taken]


def test_a_word_of_the_listener_does_not_end_a_monologue_and_an_answer_does():
    first, last = spoken(0, 20_000), spoken(21_000, 40_000)
    listened = dynamics(said(first, spoken(20_000, 20_500, channel=1, words=1), last))
    answered = dynamics(said(first, spoken(20_000, 20_500, channel=1, words=3), last))
    paused = dynamics(said(first, spoken(26_000, 40_000)))
    assert listened is not None
    assert answered is not None
    assert paused is not None
    assert [found.longest_monologue_ms for found in (listened, answered, paused)] == [40_000, 20_000, 20_000]


def test_turns_count_when_the_floor_changes():
    found = dynamics(said(spoken(0, 1000), spoken(1000, 2000), spoken(2000, 3000, channel=1), spoken(3000, 4000)))
    assert found is not None
    assert (found.turns, [side.turns for side in found.sides]) == (3, [2, 1])


def test_speakers_are_the_sides_of_one_channel_and_many_of_them_are_one_side():
    two = dynamics(said(spoken(0, 1000, speaker="A"), spoken(1000, 3000, speaker="B")))
    many = dynamics(said(*(spoken(n * 10, n * 10 + 10, speaker=f"S{n}") for n in range(5000))))
    assert two is not None
    assert many is not None
    assert [side.first.speaker for side in two.sides if side.first] == ["A", "B"]
    assert len(many.sides) == MAX_SIDES + 1
    assert [side.first for side in many.sides].count(None) == 1


def test_nothing_is_told_of_a_transcript_without_talk():
    assert dynamics(said()) is None
    assert dynamics(said(spoken(0, 0))) is None


def test_right_to_left_text_is_counted_as_any_other():
    found = dynamics(said(turn(HEBREW)))
    assert found is not None
    assert found.sides[0].pace == 150.0


@settings(max_examples=60, deadline=None)
@given(st.lists(TURNS, max_size=8), st.sampled_from([0, 1, 90_000]))
def test_hostile_times_give_figures_within_their_bounds(turns, duration_ms):
    found = dynamics(normalise(TranscriptData("en", 1, "m", tuple(turns)), duration_ms))
    if found is not None:
        assert 0 <= found.silence <= 1
        assert sum(side.share for side in found.sides) == pytest.approx(1)
        assert all(0 <= side.monologue_ms <= duration_ms for side in found.sides)
