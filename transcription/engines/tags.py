"""Language tags: ours, each engine's own names of them, and what an engine can find out by itself. Pure, no Django."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
# Engines write theirs as en_uk, as iw-IL, or as a word.
_THEIRS = re.compile(r"[A-Za-z][A-Za-z0-9 _-]{0,39}")
MOST_PAIRS = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """The language of a conversation as a job has it; empty: the engine finds it out, among ``candidates`` if there are any."""

    language: str
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Detection:
    """How an engine finds a language out: ``openly``, among all that it knows; and among at most ``most`` that are named."""

    openly: bool
    most: int = 0


def canonical(tag: str) -> str:
    """A tag as we write it: he-IL for he-il and en_us; empty for what is none."""
    tag = tag.strip().replace("_", "-")
    if not TAG.fullmatch(tag) or len(tag) > 20:
        return ""
    first, *more = tag.split("-")
    return "-".join([first.lower(), *(_subtag(part) for part in more)])


def _subtag(part: str) -> str:
    if len(part) == 2:
        return part.upper()
    return part.title() if len(part) == 4 and part.isalpha() else part.lower()


def recognises(known: Iterable[str], code: str) -> bool:
    """Whether ``code`` is among the tags ``known``: the same, or one of the two is the language without a region."""
    wanted = code.lower()
    return any(
        wanted == tag or wanted.startswith(f"{tag}-") or tag.startswith(f"{wanted}-")
        for tag in (each.lower() for each in known)
    )


def pairs_of(text: str) -> dict[str, str]:
    """A map of our tags to an engine's, written "he-IL=iw-IL, en=en-GB". Raises ValueError that names the rule."""
    pairs: dict[str, str] = {}
    for part in (part.strip() for part in text.split(",")):
        if not part:
            continue
        ours, sign, theirs = (piece.strip() for piece in part.partition("="))
        if not sign or not canonical(ours) or not _THEIRS.fullmatch(theirs):
            raise ValueError("Pairs of a language tag and the engine's name of it, such as he-IL=iw-IL, en=en-GB.")
        if canonical(ours) in pairs:
            raise ValueError(f"{canonical(ours)} is there twice.")
        pairs[canonical(ours)] = theirs
    if len(pairs) > MOST_PAIRS:
        raise ValueError(f"At most {MOST_PAIRS} languages.")
    return pairs


def theirs_of(pairs: Mapping[str, str], tag: str) -> str:
    """What an engine calls a language of ours: by the whole tag, by the language alone, else the tag itself."""
    written = canonical(tag)
    return pairs.get(written) or pairs.get(written.partition("-")[0]) or tag


def ours_of(pairs: Mapping[str, str], said: str, wanted: Wanted) -> str:
    """Our tag of the language that an engine says a recording was in; empty when it says nothing that is one.

    An answer "he" to a wish for he-IL is he-IL: engines often leave the region out.
    """
    if not said.strip():
        return wanted.language
    for tag in (wanted.language, *wanted.candidates):
        if tag and _same(theirs_of(pairs, tag), said):
            return tag
    back = {theirs.lower(): ours for ours, theirs in pairs.items()}
    return back.get(said.lower()) or canonical(said)


def _same(theirs: str, said: str) -> bool:
    asked, told = (text.lower().replace("_", "-") for text in (theirs, said))
    return asked == told or asked.startswith(f"{told}-")


class Spoken:
    """Which language most was said in, where an engine names one for each piece of a recording."""

    def __init__(self) -> None:
        self._letters: Counter[str] = Counter()

    def note(self, tag: str, text: str) -> None:
        """``text`` was said in the language ``tag``; an empty tag says nothing."""
        if tag:
            self._letters[tag] += len(text)

    @property
    def most(self) -> str:
        """The tag of most letters; empty when none was named."""
        return max(self._letters, key=lambda tag: self._letters[tag], default="")
