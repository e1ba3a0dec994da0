"""Transcript health: each flag raised, and not raised by its neighbour; hostile input never breaks it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.health.judging import (
    FEW_WORDS,
    FLAGS,
    LOW_CONFIDENCE,
    LOW_COVERAGE,
    ONE_SIDED,
    OTHER_LANGUAGE,
    OVER_SILENCE,
    REPETITION,
    Recorded,
    judge,
)
from conversations.health.language import other_language
from conversations.health.wording import _WHY, LABELS, band_of
from conversations.normalising import normalise
from core.transcripts import Segment, TranscriptData, Word

ENGLISH = (
    "hello thank you for calling how can i help you today yes i would like to change my contract please and could you "
    "tell me when the next invoice is due because last month i paid twice and nobody called me back about the money"
)
GERMAN = (
    "guten tag mein name ist anna wie kann ich ihnen helfen ich habe eine frage zu meiner rechnung vom letzten monat da "
    "wurde etwas doppelt abgebucht und ich möchte gern wissen wann ich das geld wieder zurück bekomme vielen dank"
)
HEBREW = (
    "שלום לכם תודה שהתקשרתם איך אפשר לעזור לכם היום אני רוצה לשנות את הכתובת של המשלוח שלי כי עברתי דירה בשבוע שעבר "
    "ואני לא יודע אם זה עדיין אפשרי בטלפון תודה רבה לכם ויום נעים אשמח אם תחזרו אלי בהקדם האפשרי כי אני ממהר מאוד היום"
)
SPANISH = (
    "buenas tardes le atiende maria en que puedo ayudarle hola quería cambiar la dirección de entrega de mi pedido porque "
    "me he mudado la semana pasada y no sé si todavía es posible hacerlo por teléfono muchas gracias por su ayuda adiós"
)
WORD_MS = 400


def turn(text: str, start_ms: int = 0, *, channel: int = 0, speaker: str = "", sure: float | None = 0.95) -> Segment:
    """A turn in which every word takes 400 ms."""
    words = tuple(
        Word(word, start_ms + number * WORD_MS, start_ms + (number + 1) * WORD_MS, sure)
        for number, word in enumerate(text.split())
    )
    return Segment(channel, speaker, start_ms, words[-1].end_ms, text, words)


def said(*turns: Segment, duration_ms: int = 60_000, language: str = "en-US") -> TranscriptData:
    return TranscriptData(language, duration_ms, "m", turns)


def peaks(*loud: tuple[int, int], duration_ms: int = 60_000) -> list[int]:
    """A step of 100 ms: loud in these spans, silent elsewhere."""
    return [60 if any(start <= at < end for start, end in loud) else 1 for at in range(0, duration_ms, 100)]


def flags(data: TranscriptData, *pictures: list[int], **facts) -> dict:
    return dict(judge(data, Recorded(pictures, **facts)).figures)


def test_a_good_call_of_two_sides_has_no_flags_and_a_high_score():
    data = said(turn(ENGLISH), turn(ENGLISH.replace("hello", "right"), 20_000, channel=1), duration_ms=40_000)
    left, right = peaks((0, 17_000), duration_ms=40_000), peaks((20_000, 37_000), duration_ms=40_000)
    health = judge(data, Recorded([left, right], "en-US"))
    assert (health.score, health.figures) == (100, {})


def test_low_confidence_is_a_flag_below_the_limit_and_takes_points_above_it():
    unsure, doubtful, sure = (said(turn(ENGLISH, sure=confidence)) for confidence in (0.55, 0.65, 0.9))
    assert flags(unsure) == {LOW_CONFIDENCE: 55}
    assert flags(doubtful) == flags(sure) == {}
    scores = [judge(data, Recorded()).score for data in (unsure, doubtful, sure)]
    assert scores == sorted(scores)
    assert scores[2] == 100
    assert len(set(scores)) == 3


def test_an_engine_without_confidence_is_not_unsure():
    assert flags(said(turn(ENGLISH, sure=None))) == {}
    assert flags(said(turn("four words are few", sure=0.1), duration_ms=9000)) == {}


@pytest.mark.parametrize(
    ("phrase", "often", "human"),
    [("no", 9, 8), ("thank you", 7, 6), ("I see that", 5, 4), ("please subscribe to my channel", 4, 3)],
)
def test_a_phrase_again_and_again_is_a_loop_only_beyond_what_people_do(phrase, often, human):
    assert flags(said(turn(" ".join([phrase] * often)), duration_ms=20_000)) == {REPETITION: often}
    assert flags(said(turn(" ".join([phrase] * human)), duration_ms=20_000)) == {}


def test_a_loop_is_found_over_turns_and_whatever_the_marks_and_case():
    turns = [
        turn(text, number * 3000) for number, text in enumerate(["Thanks for watching!", "thanks for watching."] * 3)
    ]
    assert flags(said(*turns, duration_ms=20_000)) == {REPETITION: 6}


def test_who_listens_and_says_yes_many_times_is_no_loop():
    listens = [turn("yes", number * 2000) for number in range(12)]
    assert flags(said(*listens, duration_ms=24_000)) == {}
    at_once = [turn("yes", number * 1000) for number in range(12)]
    assert flags(said(*at_once, duration_ms=24_000)) == {REPETITION: 12}


def test_a_loop_in_right_to_left_text_is_found():
    assert flags(said(turn("תודה רבה לכם " * 5)))[REPETITION] == 5


def test_words_over_silence_are_counted_in_their_own_channel():
    data = said(turn(ENGLISH), turn(ENGLISH, 20_000, channel=1), duration_ms=40_000)
    here, there = peaks((0, 18_000), duration_ms=40_000), peaks((20_000, 38_000), duration_ms=40_000)
    assert flags(data, here, there) == {}
    assert flags(data, here, peaks((39_000, 39_100), duration_ms=40_000)) == {OVER_SILENCE: 50}


def test_words_shortly_beside_the_sound_and_few_of_them_are_not_over_silence():
    data = said(turn(ENGLISH), duration_ms=40_000)
    late = [(start + 250, start + 400) for start in range(0, 17_000, 400)]
    assert OVER_SILENCE not in flags(data, peaks(*late, duration_ms=40_000))
    assert OVER_SILENCE not in flags(said(turn("only four words here")), peaks((30_000, 36_000)))


def test_mixed_speech_in_one_channel_of_two_is_judged_by_both():
    data = said(turn(ENGLISH, speaker="A"), turn(ENGLISH, 20_000, speaker="B"), duration_ms=40_000)
    left, right = peaks((0, 17_000), duration_ms=40_000), peaks((20_000, 37_000), duration_ms=40_000)
    assert flags(data, left, right) == {}


def test_loud_time_without_words_is_low_coverage_unless_it_is_hold():
    data = said(turn(ENGLISH))
    assert flags(data, peaks((0, 60_000))) == {LOW_COVERAGE: 30}
    assert flags(data, peaks((0, 25_000))) == {}
    assert flags(data, peaks((0, 60_000)), hold=((17_000, 60_000),)) == {}


def test_noise_far_below_the_speech_needs_no_words():
    soft = [60 if at < 17_000 else 5 for at in range(0, 60_000, 100)]
    assert flags(said(turn(ENGLISH)), soft) == {}


def test_another_language_is_a_flag_and_a_near_one_or_an_unknown_one_is_not():
    assert flags(said(turn(GERMAN)), language="en-US") == {OTHER_LANGUAGE: "de"}
    assert flags(said(turn(GERMAN)), language="de-AT") == {}
    assert flags(said(turn(HEBREW)), language="en-US") == {OTHER_LANGUAGE: "he"}
    assert flags(said(turn(HEBREW)), language="iw-IL") == {}
    assert flags(said(turn(SPANISH)), language="pt-BR") == {}
    assert flags(said(turn(SPANISH)), language="en-US") == {OTHER_LANGUAGE: "es"}
    for unknown in ("", "qq", "auto"):
        assert flags(said(turn(GERMAN)), language=unknown) == {}


def test_few_words_say_nothing_about_the_language():
    assert other_language("guten tag mein name ist anna", 6, "en") is None
    assert other_language("12 34 " * 100, 200, "en") is None


def test_a_loud_side_without_words_is_one_sided_and_a_silent_or_crackling_one_is_not():
    data, left = said(turn(ENGLISH), duration_ms=40_000), peaks((0, 17_000), duration_ms=40_000)
    assert flags(data, left, peaks((0, 6000), duration_ms=40_000)) == {ONE_SIDED: 6}
    assert flags(data, left, peaks(duration_ms=40_000)) == {}
    assert flags(data, left, peaks((0, 400), duration_ms=40_000)) == {}


def test_one_speaker_alone_is_one_sided_only_where_the_engine_tells_them_apart_and_the_call_is_long():
    def mono(*turns: Segment, duration_ms: int = 70_000) -> dict:
        return flags(said(*turns, duration_ms=duration_ms), peaks((0, 34_000), duration_ms=duration_ms))

    alone = [turn(ENGLISH, speaker="A"), turn(ENGLISH.replace("hello", "so"), 17_000, speaker="A")]
    assert mono(*alone) == {ONE_SIDED: 70}
    assert mono(*alone, duration_ms=50_000) == {}
    assert mono(turn(ENGLISH), turn(ENGLISH, 17_000)) == {}
    assert mono(alone[0], turn(ENGLISH, 17_000, speaker="B")) == {}


def test_very_few_words_are_measured_by_the_sound_and_not_by_the_length():
    data = said(turn("only these few words were heard"), duration_ms=60_000)
    assert flags(data, peaks((0, 60_000)))[FEW_WORDS] == 6
    assert flags(data, peaks((0, 4000))) == {}
    assert flags(data) == {FEW_WORDS: 6}
    assert flags(data, hold=((3000, 60_000),)) == {}


def test_words_of_scripts_without_spaces_are_counted_by_letters():
    data = said(Segment(0, "", 0, 60_000, "您好感谢您的来电请问有什么可以帮助您的吗" * 4), duration_ms=60_000)
    assert FEW_WORDS not in flags(data, peaks((0, 60_000)), language="zh-CN")


def test_an_empty_transcript_is_poor_when_the_recording_is_loud_and_fine_when_it_is_silent():
    nothing = said()
    assert judge(nothing, Recorded([peaks()])).score == 100
    loud = judge(nothing, Recorded([peaks((0, 60_000))]))
    assert (loud.score, set(loud.figures)) == (0, {LOW_COVERAGE, FEW_WORDS})


def test_every_flag_has_words_and_every_score_a_band():
    assert set(LABELS) == set(_WHY) == set(FLAGS)
    assert [band_of(score)[1] for score in (0, 49, 50, 79, 80, 100)] == ["danger"] * 2 + ["warning"] * 2 + [
        "success"
    ] * 2
    assert all(len(flag) <= 20 for flag in FLAGS)


NUMBERS = st.one_of(st.integers(-(2**60), 2**60), st.integers(0, 5000))
TEXTS = st.text(max_size=12)
WORDS = st.builds(Word, TEXTS, NUMBERS, NUMBERS, st.one_of(st.none(), st.floats()))
TURNS = st.builds(Segment, st.integers(-1, 3), TEXTS, NUMBERS, NUMBERS, TEXTS, st.lists(WORDS, max_size=12).map(tuple))


@settings(max_examples=60, deadline=None)
@given(
    turns=st.lists(TURNS, max_size=6),
    duration_ms=st.sampled_from([0, 1, 50, 90_000, 10**9]),
    picture=st.sampled_from([[], [[]], [[0]], [[100], [0]], [[7] * 1000, [0] * 1000]]),
    hold=st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)), max_size=3),
    language=TEXTS,
)
def test_whatever_an_engine_says_the_score_is_0_to_100_and_flags_are_known(turns, duration_ms, picture, hold, language):
    clean = normalise(TranscriptData("en", 1000, "m", tuple(turns)), duration_ms)
    health = judge(clean, Recorded(picture, language, hold))
    assert 0 <= health.score <= 100
    assert set(health.figures) <= set(FLAGS)
