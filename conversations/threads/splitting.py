"""Telling what somebody wrote from the history that they quote and the signature below it. Pure functions.

Mail programs mark history in a few ways, each in the language of its user: lines that begin with “>” below a line
“On … wrote:”, a line “Original Message”, or the head of the older message. What no rule knows stays text: nothing is lost.
"""

import re
from dataclasses import dataclass

MAX_SIGNATURE_LINES = 20
# How many lines a mail program spreads “On Monday, … <address> wrote:” over.
MAX_INTRODUCTION_LINES = 3
MAX_LINE_CHARS = 400

_ORIGINAL = re.compile(
    r"-{2,} ?(original message|forwarded message|ursprüngliche nachricht|weitergeleitete nachricht|message d'origine|"
    r"message d’origine|message transféré|mensaje original|mensaje reenviado|הודעה מקורית|הודעה שהועברה) ?-{2,}$",
    re.IGNORECASE,
)
_FROM = re.compile(r"\*?(from|von|de|מאת) ?:\*? ?\S", re.IGNORECASE)
_SENT = re.compile(r"\*?(sent|date|gesendet|datum|envoyé|enviado( el)?|fecha|נשלח|תאריך) ?:\*? ?\S", re.IGNORECASE)
_INTRODUCTION = re.compile(
    r"(on\b.{6,} wrote|am\b.{6,} schrieb.*|le\b.{6,} a écrit|el\b.{6,} escribió|(בתאריך|ב-).{6,}(כתב|כתבה|מאת).*) ?:$",
    re.IGNORECASE,
)
_MOBILE = re.compile(
    r"(sent from my \w+.*|von meinem \w+ gesendet|envoyé de mon \w+|enviado desde mi \w+|נשלח מה\S+ שלי)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Parts:
    """The three parts of a message; each may be empty."""

    text: str
    quoted: str
    signature: str


def split_message(text: str) -> Parts:
    """Split a cleaned text (``texts.clean_text``). Answers written between quoted lines stay together as the text."""
    lines = text.split("\n")
    history = _begin_of_history(lines)
    own, quoted = _by_mark(lines[:history])
    quoted += lines[history:]
    own, signature = _signature(own)
    return Parts(*("\n".join(part).strip("\n") for part in (own, quoted, signature)))


def _begin_of_history(lines: list[str]) -> int:
    """The line from which on everything is an older message; the number of lines when there is none."""
    for number, line in enumerate(lines):
        if len(line) > MAX_LINE_CHARS:
            continue
        if _ORIGINAL.match(line):
            return number
        if _FROM.match(line) and any(_SENT.match(later[:MAX_LINE_CHARS]) for later in lines[number + 1 : number + 3]):
            above = lines[number - 1] if number else ""
            return number - 1 if above and not above.strip("_-") else number
    return len(lines)


def _by_mark(lines: list[str]) -> tuple[list[str], list[str]]:
    """Lines without and with the mark of a quotation; the line that introduces a quotation belongs to it."""
    own: list[str] = []
    quoted: list[str] = []
    for number, line in enumerate(lines):
        if not line.startswith(">"):
            own.append(line)
            continue
        if number and not lines[number - 1].startswith(">"):
            quoted += _taken_introduction(own)
        quoted.append(line)
    if not quoted:
        # A program that does not mark the history with “>” introduces it, too.
        for number, line in enumerate(own):
            if _is_introduction(line) and any(own[number + 1 :]):
                return own[:number], own[number:]
    return own, quoted


def _taken_introduction(own: list[str]) -> list[str]:
    """Take the introduction off the end of ``own``, when there is one."""
    end = len(own)
    while end and not own[end - 1]:
        end -= 1
    for count in range(1, min(MAX_INTRODUCTION_LINES, end) + 1):
        if _is_introduction(" ".join(own[end - count : end])):
            taken = own[end - count : end]
            del own[end - count :]
            return taken
    return []


def _is_introduction(line: str) -> bool:
    return len(line) <= MAX_LINE_CHARS and _INTRODUCTION.match(line) is not None


def _signature(own: list[str]) -> tuple[list[str], list[str]]:
    """Split at the last line “--” if few lines follow, or at a last line that a telephone adds."""
    end = len(own)
    while end and not own[end - 1]:
        end -= 1
    for number in range(end - 1, max(-1, end - 2 - MAX_SIGNATURE_LINES), -1):
        if own[number] == "--":
            return own[:number], own[number + 1 : end]
    if end and len(own[end - 1]) <= MAX_LINE_CHARS and _MOBILE.match(own[end - 1]):
        return own[: end - 1], own[end - 1 : end]
    return own, []
