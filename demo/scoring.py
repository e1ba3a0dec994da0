"""Word error rate of a transcript against its reference text.

Pure functions: no Django, no audio, no recogniser. The rate is the usual one, (substitutions + deletions +
insertions) / words of the reference, so it may exceed 1 when the hypothesis is much longer than the reference.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TYPOGRAPHIC_APOSTROPHES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u02bc": "'"})
_TURN = re.compile(r"\[(?P<channel>\d+)\]\s*(?P<words>.*\S)\s*")


class ReferenceTextError(ValueError):
    """A reference file that does not follow ``[channel] words``, one turn a line."""


@dataclass(frozen=True, slots=True)
class Errors:
    """How a hypothesis differs from its reference, in words. Sums of several channels or calls are made with ``+``."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_words: int = 0

    @property
    def total(self) -> int:
        """All errors together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Word error rate, 0.0 = perfect. An empty reference gives 0.0 when nothing was inserted, else 1.0."""
        if self.reference_words == 0:
            return 1.0 if self.total else 0.0
        return self.total / self.reference_words

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(
            substitutions=self.substitutions + other.substitutions,
            deletions=self.deletions + other.deletions,
            insertions=self.insertions + other.insertions,
            reference_words=self.reference_words + other.reference_words,
        )


def normalise(text: str) -> list[str]:
    """Return the words of ``text``, case-folded and without punctuation.

    Apostrophes inside a word stay (``i'm``), those around it go; every other character that is
    no letter, mark or digit parts words.
    """
    folded = unicodedata.normalize("NFC", text).translate(_TYPOGRAPHIC_APOSTROPHES).casefold()
    kept = "".join(char if char == "'" or unicodedata.category(char)[0] in "LMN" else " " for char in folded)
    return [word for word in (part.strip("'") for part in kept.split()) if word]


def word_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> Errors:
    """Return the fewest word edits that turn ``reference`` into ``hypothesis`` (Levenshtein distance on words).

    Both are taken as they are: call `normalise` first. Of several equally short edits one with the most substitutions
    is counted, which changes the split but never the total.
    """
    # A cell is (total, deletions, insertions, substitutions): comparing tuples finds the fewest edits first and, at
    # equal total, the fewest deletions and insertions.
    previous = [(column, 0, column, 0) for column in range(len(hypothesis) + 1)]
    for row, expected in enumerate(reference, start=1):
        current = [(row, row, 0, 0)]
        for column, heard in enumerate(hypothesis, start=1):
            total, deleted, inserted, substituted = previous[column - 1]
            if expected == heard:
                current.append((total, deleted, inserted, substituted))
                continue
            above, left = previous[column], current[column - 1]
            current.append(
                min(
                    (total + 1, deleted, inserted, substituted + 1),
                    (above[0] + 1, above[1] + 1, above[2], above[3]),
                    (left[0] + 1, left[1], left[2] + 1, left[3]),
                )
            )
        previous = current
    _, deletions, insertions, substitutions = previous[-1]
    return Errors(substitutions, deletions, insertions, len(reference))


def parse_turns(text: str) -> list[tuple[int, str]]:
    """Return ``(channel, words)`` of each turn of a reference text, in order; blank lines are skipped.

    Raises `ReferenceTextError` naming the line that is not ``[channel] words``.
    """
    turns: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        match = _TURN.fullmatch(line.strip())
        if match is None:
            raise ReferenceTextError(f"line {number}: expected '[channel] words'")
        turns.append((int(match["channel"]), match["words"]))
    return turns


def load_reference(path: Path) -> dict[int, list[str]]:
    """Return the normalised words of each channel of the reference file ``path``, in the order they are spoken.

    Raises `ReferenceTextError` for a malformed line and `OSError` when the file cannot be read.
    """
    words: dict[int, list[str]] = {}
    for channel, turn in parse_turns(path.read_text(encoding="utf-8")):
        words.setdefault(channel, []).extend(normalise(turn))
    return words
