"""Scoring of transcripts: what counts as a word, how edits are counted, and what a reference text must look like."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo import scoring
from demo.scoring import Errors, ReferenceTextError, load_reference, normalise, parse_turns, word_errors

DEMO = Path(scoring.__file__).resolve().parent
WORDS = st.lists(st.sampled_from(["the", "bill", "is", "paid", "today"]), max_size=7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, how ARE you?", ["hello", "how", "are", "you"]),
        ("I'm sure it’s nine o'clock.", ["i'm", "sure", "it's", "nine", "o'clock"]),
        ("'quoted' -- and twenty-four", ["quoted", "and", "twenty", "four"]),
        ("שלום, עולם!", ["שלום", "עולם"]),
        (" ... ' ", []),
    ],
)
def test_normalise_keeps_words_and_their_apostrophes_only(text: str, words: list[str]) -> None:
    assert normalise(text) == words


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("a b c", "a b c", Errors(0, 0, 0, 3)),
        ("a b c", "a x c", Errors(1, 0, 0, 3)),
        ("a b c", "a c", Errors(0, 1, 0, 3)),
        ("a b c", "a b x c", Errors(0, 0, 1, 3)),
        ("a b c d", "x a b d", Errors(0, 1, 1, 4)),
        ("a b c", "", Errors(0, 3, 0, 3)),
        ("", "a b", Errors(0, 0, 2, 0)),
        ("", "", Errors(0, 0, 0, 0)),
    ],
)
def test_word_errors_counts_each_kind_of_edit(reference: str, hypothesis: str, expected: Errors) -> None:
    assert word_errors(reference.split(), hypothesis.split()) == expected


# A deadline would judge the machine, not the rule.
@settings(deadline=None)
@given(WORDS, WORDS)
def test_word_errors_is_a_distance(reference: list[str], hypothesis: list[str]) -> None:
    there, back = word_errors(reference, hypothesis), word_errors(hypothesis, reference)
    assert there.total == back.total
    assert (there.total == 0) == (reference == hypothesis)
    assert there.insertions - there.deletions == len(hypothesis) - len(reference)
    assert abs(len(reference) - len(hypothesis)) <= there.total <= max(len(reference), len(hypothesis))


def test_rate_of_a_sum_weighs_by_words() -> None:
    together = Errors(1, 0, 0, 10) + Errors(0, 1, 1, 30)
    assert together == Errors(1, 1, 1, 40)
    assert together.rate == pytest.approx(0.075)


def test_rate_without_reference_words_is_whole_or_nothing() -> None:
    assert Errors().rate == 0.0
    assert Errors(insertions=2).rate == 1.0


def test_reference_is_split_by_channel_in_spoken_order_and_a_malformed_line_is_named(tmp_path: Path) -> None:
    good = tmp_path / "good.txt"
    good.write_text("[0] Good morning.\n\n[1] Hello!\n[0] What's new?\n", encoding="utf-8")
    assert load_reference(good) == {0: ["good", "morning", "what's", "new"], 1: ["hello"]}

    bad = tmp_path / "bad.txt"
    bad.write_text("[0] Good morning.\nHello!\n", encoding="utf-8")
    with pytest.raises(ReferenceTextError, match="line 2"):
        load_reference(bad)


@pytest.mark.parametrize("line", ["0] words", "[x] words", "[0]", "[0]   ", "words [0]"])
def test_turn_needs_a_channel_and_words(line: str) -> None:
    with pytest.raises(ReferenceTextError, match="line 1"):
        parse_turns(line)


def test_every_demo_call_has_its_files_and_its_people() -> None:
    manifest = json.loads((DEMO / "manifest.json").read_text(encoding="utf-8"))
    people = {(tenant["alias"], user["username"]): user for tenant in manifest["tenants"] for user in tenant["users"]}
    calls = DEMO / "calls"
    external_ids = set()
    for call in manifest["calls"]:
        sidecar = json.loads((calls / call["sidecar"]).read_text(encoding="utf-8"))
        external_ids.add(sidecar["external_id"])
        user = people[call["tenant"], sidecar["username"]]
        assert user["group"] == sidecar["group"]
        assert user["licensed"] == (call["expect"].get("reason") != "no_license")
        assert (sidecar["audio"] is None) == (call["expect"].get("reason") == "no_audio")
        assert sidecar["audio"] is None or (calls / sidecar["audio"]).is_file()
        assert call["reference"] is None or set(load_reference(calls / call["reference"])) == {0, 1}
        assert call["started_at_offset_minutes"] < 0
    assert len(external_ids) == len(manifest["calls"])
