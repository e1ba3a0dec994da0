"""A conversation as sentences and words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aiassistant.engines.base import Turn

MAX_CHARACTERS = 400_000
_END = re.compile(r"(?<=[.!?…。！？])\s+|\n+")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
# Recognisers without punctuation give turns of hundreds of words; a quote should not be one.
LONGEST = 300
# What carries no meaning by itself, in English; elsewhere short words are left out.
STOP_WORDS = frozenset(
    [
        "a",
        "about",
        "above",
        "after",
        "again",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "below",
        "between",
        "both",
        "but",
        "by",
        "can",
        "cannot",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "don't",
        "down",
        "during",
        "each",
        "few",
        "for",
        "from",
        "further",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "here",
        "hers",
        "him",
        "his",
        "how",
        "i",
        "i'm",
        "i'll",
        "i've",
        "if",
        "in",
        "into",
        "is",
        "it",
        "it's",
        "its",
        "just",
        "let",
        "like",
        "me",
        "more",
        "most",
        "my",
        "no",
        "nor",
        "not",
        "now",
        "of",
        "off",
        "ok",
        "okay",
        "on",
        "once",
        "one",
        "only",
        "or",
        "other",
        "our",
        "out",
        "over",
        "own",
        "really",
        "right",
        "same",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "that's",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "um",
        "uh",
        "under",
        "until",
        "up",
        "us",
        "very",
        "was",
        "we",
        "we'll",
        "we're",
        "well",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "why",
        "will",
        "with",
        "would",
        "yeah",
        "yes",
        "you",
        "you'd",
        "you'll",
        "you're",
        "your",
        "yours",
        "please",
        "thank",
        "thanks",
        "hello",
        "hi",
        "bye",
        "goodbye",
        "good",
        "morning",
        "afternoon",
        "evening",
        "sure",
        "get",
        "got",
        "go",
        "going",
        "know",
        "need",
        "want",
        "see",
        "say",
        "said",
        "tell",
        "today",
    ]
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, as it stands in the source."""

    text: str
    speaker: str
    words: tuple[str, ...]


def sentences_of(turns: Sequence[Turn]) -> list[Sentence]:
    """The sentences in order, from the first 400,000 characters."""
    found, left = [], MAX_CHARACTERS
    for turn in turns:
        text, left = turn.text[:left], left - len(turn.text)
        for part in _END.split(text):
            for piece in _short(part.strip()):
                words = tuple(match[0].lower().replace("’", "'") for match in _WORD.finditer(piece))
                if words:
                    found.append(Sentence(piece, turn.speaker, words))
        if left <= 0:
            break
    return found


def _short(text: str) -> list[str]:
    pieces = []
    while len(text) > LONGEST:
        at = text.rfind(" ", 0, LONGEST)
        at = at if at > 0 else LONGEST
        pieces.append(text[:at].rstrip())
        text = text[at:].lstrip()
    return [*pieces, text] if text else pieces


def content_words(sentence: Sentence) -> list[str]:
    """The words that say what it is about."""
    return [word for word in sentence.words if len(word) > 2 and word not in STOP_WORDS]
