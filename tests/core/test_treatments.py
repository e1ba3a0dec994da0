"""The manual says of every class of errors what the program does."""

from pathlib import Path

import pytest

from core.outcomes import TREATMENTS, ErrorClass
from core.treatments import explanations

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
BEGIN, END = "<!-- error classes -->\n", "<!-- end of error classes -->"


def as_markdown() -> str:
    head = (
        "| Class | Meaning | The record | It costs | The engine | Reason when it ends so |\n|---|---|---|---|---|---|\n"
    )
    return head + "".join(
        f"| {e.code} | {e.label} | {e.record} | {e.attempt} | {e.engine} | {f'`{e.reason}`' if e.reason else '–'} |\n"
        for e in explanations()
    )


def test_the_table_of_the_manual_is_what_the_program_does():
    manual = MANUAL.read_text()
    assert manual[manual.index(BEGIN) + len(BEGIN) : manual.index(END)] == as_markdown()


@pytest.mark.parametrize("error_class", ErrorClass)
def test_what_is_explained_is_what_is_decided(error_class):
    (explained,) = [e for e in explanations() if e.code == error_class]
    treatment = TREATMENTS[error_class]
    assert (explained.record == "fails at once") is (not treatment.retry)
    assert (explained.attempt == "nothing") is (not treatment.burns_attempt)
    assert ("paused" in explained.engine) is treatment.pauses_engine
    assert ("probe" in explained.engine) is treatment.opens_circuit
