"""Looking for the quotes of an answer in the words of the conversation (providers §6.2, step 5). Pure functions."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from conversations.fields.writing import MAX_QUOTE, Evidence
from conversations.texts import ConversationText
from queues.events import RecordType

MAX_QUOTES = 5
# A word or two occur everywhere and show nothing.
LEAST_SIGNS = 3
# Models like to quote the tag of the line, or the name in it, and to put quotation marks around it.
_TAG = re.compile(r"^\s*\[[0-9:]{4,9}\]\s*[^:]{1,60}:\s*")
_NAME = re.compile(r"^[^:]{1,60}:\s*")
_MARKS = " \t\n\"'“”„‟«»‹›‘’…"


class Words:
    """A conversation prepared for being searched: without case, accents of width, punctuation and double blanks."""

    def __init__(self, text: ConversationText) -> None:
        self.text = text
        self.turns = [_normalised(turn.text) for turn in text.turns]

    def find(self, quote: str) -> Evidence:
        """The quote where it stands, in the words of the conversation; unverified when it stands nowhere."""
        bare = _TAG.sub("", quote).strip(_MARKS)
        return self._stands(bare) or self._stands(_NAME.sub("", bare)) or Evidence(bare[:MAX_QUOTE])

    def _stands(self, bare: str) -> Evidence | None:
        wanted = _normalised(bare)[0].strip()
        if len(wanted) < LEAST_SIGNS:
            return None
        for turn, (known, places) in zip(self.text.turns, self.turns, strict=True):
            at = _find_words(known, wanted)
            if at < 0:
                continue
            start, end = places[at], places[at + len(wanted) - 1] + 1
            said = turn.text[start:end]
            if len(said) > MAX_QUOTE:
                said, end = said[:MAX_QUOTE], start + MAX_QUOTE
            spoken = self.text.record_type == RecordType.CALL
            return Evidence(said, turn.index, start, end, turn.offset_ms if spoken else None, verified=True)
        return None


def evidence_of(words: Words, quotes: Iterable[str]) -> tuple[list[Evidence], bool]:
    """The quotes as they are stored, and whether one of them was said by nobody."""
    found: list[Evidence] = []
    for quote in quotes:
        if not quote.strip() or len(found) >= MAX_QUOTES:
            continue
        one = words.find(quote)
        if one.quote and one not in found:
            found.append(one)
    return found, any(not one.verified for one in found)


def _find_words(known: str, wanted: str) -> int:
    """Where ``wanted`` begins and ends with a word of ``known``, or -1: "art" does not occur in "party"."""
    at = known.find(wanted)
    while at >= 0:
        before, after = known[at - 1 : at], known[at + len(wanted) : at + len(wanted) + 1]
        joined = (before.isalnum() and wanted[0].isalnum()) or (after.isalnum() and wanted[-1].isalnum())
        if not joined or not (known.isascii() and wanted.isascii()):
            return at
        at = known.find(wanted, at + 1)
    return -1


def _normalised(text: str) -> tuple[str, Sequence[int]]:
    """The text for comparing, and for each of its signs the place in ``text``."""
    signs: list[str] = []
    places: list[int] = []
    for place, raw in enumerate(text):
        for sign in unicodedata.normalize("NFKC", raw).casefold():
            kept = sign if sign.isalnum() or unicodedata.category(sign) in {"Mn", "Mc"} else " "
            if kept == " " and (not signs or signs[-1] == " "):
                continue
            signs.append(kept)
            places.append(place)
    return "".join(signs), places
