"""Rules that need no database: matching of files, paragraphs, remaining time, problems."""

import pytest

from core.transcripts import Segment, TranscriptData, Word
from miaop.matching import Mismatch, match_files
from miaop.paragraphs import Style, transcription
from miaop.problems import caveat_of
from miaop.remaining import Pace, Part, capped, factor_of, remaining_seconds

WORDS = {"he-IL": "דובר", "he": "דובר", "en": "Speaker"}


def said(*turns, channels=1, language="en-US", **style):
    data = TranscriptData(language, 100_000, "m", tuple(turns))
    return transcription(data, language=language, channels=channels, style=Style(WORDS, **style))


def turn(text, start, *, channel=0, speaker="", step=200):
    words = tuple(
        Word(word.strip(".,!?"), start + place * step, start + place * step + step - 20, 0.96142)
        for place, word in enumerate(text.split())
    )
    return Segment(channel, speaker, start, words[-1].end_ms, text, words)


@pytest.mark.parametrize(
    ("names", "files", "match"),
    [
        (["שיחה.wav", "a;b,c&d.wav"], ["a;b,c&d.wav", "שיחה.wav"], [1, 0]),
        (['q"uote.wav'], ["q%22uote.wav"], [0]),
        (["a&amp;b.wav"], ["a&b.wav"], [0]),
        (["C:\\calls\\one.wav", "/tmp/two.wav"], ["two.wav", "one.wav"], [1, 0]),
        (["Call.WAV"], ["call.wav"], [0]),
        (["one", "two"], ["two.wav", "one.wav"], [1, 0]),
        (["same.wav", "same.wav"], ["same.wav", "same.wav"], [0, 1]),
        (["x.wav", "y.wav"], ["blob", "blob"], [0, 1]),
        (["cafe\u0301.wav"], ["caf\u00e9.wav"], [0]),
        (["a.wav", "A.wav"], ["A.wav", "a.wav"], [1, 0]),
    ],
)
def test_t10_names_of_all_kinds_find_their_file(names, files, match):
    assert match_files(names, files) == match


@pytest.mark.parametrize(
    ("names", "files", "missing", "left"),
    [
        (["a.wav", "b.wav"], ["a.wav"], (1,), ()),
        (["a.wav"], ["a.wav", "b.wav"], (), (1,)),
        (["a.wav", "b.wav"], ["a.wav", "c.wav"], (1,), (1,)),
        (["a.wav"], ["b.wav", "c.wav"], (0,), (0, 1)),
    ],
)
def test_t11_a_name_without_a_file_and_a_file_without_a_name_are_told(names, files, missing, left):
    with pytest.raises(Mismatch) as refused:
        match_files(names, files)
    assert (refused.value.missing, refused.value.left) == (missing, left)


def test_r55_words_carry_their_punctuation_and_a_paragraph_spans_from_first_to_last_word():
    (only,) = said(turn("Hello, “dear” friend!", 1000))
    assert only["text"] == "Hello, “dear” friend!"
    assert [word["word"] for word in only["words"]] == ["Hello,", "“dear”", "friend!"]
    assert (only["location"], only["duration"]) == (1000, 580)
    assert only["words"][0] == {"word": "Hello,", "location": 1000, "duration": 180, "confidence": 0.961}


def test_r55_a_paragraph_ends_at_another_speaker_at_a_pause_and_after_a_minute():
    turns = [turn("one two", 0), turn("three", 1500), turn("four", 3300), turn("five", 3500, speaker="B")]
    assert [each["text"] for each in said(*turns)] == ["one two three", "four", "five"]
    long = said(turn(" ".join(["w"] * 70), 0, step=1000))
    assert len(long) == 2
    assert all(each["duration"] <= 60_000 for each in long)


def test_r55_without_times_of_words_there_are_none_and_unknown_confidence_is_left_out():
    (bare,) = said(Segment(0, "", 0, 900, "no times here"))
    assert (bare["text"], bare["words"]) == ("no times here", [])
    (unsure,) = said(Segment(0, "", 0, 900, "word", (Word("word", 0, 900),)))
    assert unsure["words"] == [{"word": "word", "location": 0, "duration": 900}]


def test_r56_speakers_are_numbered_in_the_order_of_speech_and_stereo_ones_by_channel():
    late = [turn("second", 0, channel=1), turn("first", 500, channel=0)]
    assert [each["id"] for each in said(*late, channels=2)] == ["Speaker-2", "Speaker-1"]
    told = [turn("a", 0, speaker="S7"), turn("b", 500, speaker="S2"), turn("c", 1000, speaker="S7")]
    assert [each["id"] for each in said(*told)] == ["Speaker-1", "Speaker-2", "Speaker-1"]
    (hebrew,) = said(turn("בוקר טוב", 0), language="he-IL")
    assert (hebrew["id"], hebrew["text"]) == ("דובר-1", "בוקר טוב")
    (named,) = said(turn("hi", 0, speaker="Noa"), names=True, legacy_id=True)
    assert (named["id"], named["Id"]) == ("Noa", "Noa")
    assert "Id" not in hebrew


def test_r55_languages_without_spaces_stay_without_them():
    words = (Word("你好", 0, 400), Word("世界", 400, 900))
    (only,) = said(Segment(0, "", 0, 900, "你好，世界。", words), language="zh-CN")
    assert only["text"] == "你好，世界。"
    assert [word["word"] for word in only["words"]] == ["你好，", "世界。"]


def test_r58_nobody_spoke():
    assert said() == []


def test_t20_the_estimate_follows_the_median_of_what_was_measured():
    assert factor_of([]) == 0.25
    assert factor_of([(10, 100), (50, 100), (20, 100), (1, 0)]) == 0.2
    pace = Pace(0.5, 2)
    assert remaining_seconds([Part(100), Part(100)], pace) == 55
    assert remaining_seconds([Part(100, 20), Part(100)], pace) == 35
    assert remaining_seconds([Part(100, 9000)], pace) == 1
    assert remaining_seconds([], pace) == 0
    assert (capped(54.2, 900), capped(5000, 900)) == (55, 900)


def test_r53_a_doubtful_transcript_is_a_warning():
    doubtful = TranscriptData("en", 1000, "m", (Segment(0, "", 0, 100, "x", (Word("x", 0, 100, 0.2),)),))
    assert caveat_of(doubtful)["name"] == "LowConfidence"
    assert caveat_of(TranscriptData("en", 1000, "m", (turn("fine", 0),))) is None
    assert caveat_of(TranscriptData("en", 1000, "m", (turn("fine", 0),), ("clamped",)))["errorLevel"] == "warning"
