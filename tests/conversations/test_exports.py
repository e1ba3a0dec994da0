"""Exports in four formats that others can read, and byte ranges."""

import orjson
import pytest

from conversations.exports import EXPORTS, clock
from conversations.streaming import Unsatisfiable, wanted_range
from core.transcripts import Segment, TranscriptData, Word

DATA = TranscriptData(
    "en-US",
    3_725_000,
    "m",
    (
        Segment(0, "S1", 0, 1500, "Hello there", (Word("Hello", 0, 700, 0.5), Word("there", 800, 1500))),
        Segment(1, "Customer", 3_723_004, 3_724_000, "שלום --> <b>1 & 2</b>"),
    ),
)


def test_text_has_time_speaker_and_words():
    assert EXPORTS["txt"].write(DATA).splitlines() == [
        "[00:00:00] Channel 1: Hello there",
        "[01:02:03] Customer: שלום --> <b>1 & 2</b>",
    ]


def test_subtitles_cannot_be_broken_by_what_was_said():
    assert EXPORTS["srt"].write(DATA) == (
        "1\n00:00:00,000 --> 00:00:01,500\nChannel 1: Hello there\n\n"
        "2\n01:02:03,004 --> 01:02:04,000\nCustomer: שלום → <b>1 & 2</b>\n"
    )
    assert EXPORTS["vtt"].write(DATA) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n<v Channel 1>Hello there\n\n"
        "01:02:03.004 --> 01:02:04.000\n<v Customer>שלום → &lt;b&gt;1 &amp; 2&lt;/b&gt;\n"
    )


def test_json_has_everything():
    parsed = orjson.loads(EXPORTS["json"].write(DATA))
    assert (parsed["language"], parsed["durationMs"], len(parsed["segments"])) == ("en-US", 3_725_000, 2)
    assert parsed["segments"][0]["words"][0] == {"text": "Hello", "startMs": 0, "endMs": 700, "confidence": 0.5}
    assert parsed["segments"][0]["words"][1]["confidence"] is None


def test_clock_counts_hours_beyond_a_day():
    assert (clock(0), clock(90_061_001, ",")) == ("00:00:00.000", "25:01:01,001")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=10-", (10, 99)),
        ("bytes=10-500", (10, 99)),
        ("bytes=-5", (95, 99)),
        ("bytes=-500", (0, 99)),
        ("BYTES=1-2", (1, 2)),
        ("", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("bytes=" + "9" * 400 + "-", None),
    ],
)
def test_ranges_that_can_be_served(header, expected):
    assert wanted_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_ranges_behind_the_end_cannot_be_satisfied(header):
    with pytest.raises(Unsatisfiable):
        wanted_range(header, 100)
    assert wanted_range("bytes=99-", 100) == (99, 99)
