"""Making texts of other systems fit for storing: lines, characters, HTML. Pure functions, linear in what they get."""

import html
import re
import unicodedata

# Overrides and isolates can hide or turn around the text after them; the plain marks for direction may stay.
_BIDI_CONTROLS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
# Putting a run of combining marks in order takes quadratic time; no script needs more of them (UAX #15, stream-safe).
MAX_MARKS = 30
# Up to here an attribute may hold a “>” in quotes; a tag that is longer ends at its first one.
MAX_TAG_CHARS = 4096

_BLANKS = re.compile(r"[^\S\n]+")
_MANY_LINES = re.compile(r"\n{3,}")
_TAG_NAME = re.compile(r"/?[a-zA-Z][a-zA-Z0-9]*")
_LONG_REFERENCE = re.compile(r"&#[xX]?[0-9a-fA-F]{8,};?")
_UNSEEN = frozenset({"script", "style", "head", "title", "template", "noscript", "svg", "object", "textarea"})
_CLOSING = {name: re.compile(rf"</{name}\b", re.IGNORECASE) for name in _UNSEEN}
_LINES = frozenset(
    [
        "br",
        "div",
        "tr",
        "table",
        "ul",
        "ol",
        "dl",
        "dt",
        "dd",
        "header",
        "footer",
        "section",
        "article",
        "address",
        "form",
        "hr",
        "pre",
    ]
)
_PARAGRAPHS = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote"])


def clean_line(text: str) -> str:
    """One line of plain text: as ``clean_text``, with single spaces."""
    return " ".join(clean_text(text).split())


def clean_text(text: str) -> str:
    """Lines of plain text: NFC, no control characters nor bidirectional overrides, no blanks at ends of lines.

    A tab counts as a blank, several blanks as one, more than one empty line as one.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    if not text.isascii():
        text = unicodedata.normalize("NFC", _without_towers(text))
    if not text.isprintable():
        unwanted = {char for char in set(text) if _is_unwanted(char)}
        text = "".join(char for char in text if char not in unwanted) if unwanted else text
    lines = (line.strip() for line in _BLANKS.sub(" ", text).split("\n"))
    return _MANY_LINES.sub("\n\n", "\n".join(lines)).strip("\n")


def _without_towers(text: str) -> str:
    """``text`` without the marks beyond the first ``MAX_MARKS`` in a row."""
    kept, run = [], 0
    for char in text:
        run = run + 1 if char > "\u02ff" and unicodedata.combining(char) else 0
        if run <= MAX_MARKS:
            kept.append(char)
    return text if len(kept) == len(text) else "".join(kept)


def _is_unwanted(char: str) -> bool:
    return char not in "\n\t" and (unicodedata.category(char) in {"Cc", "Cs"} or ord(char) in _BIDI_CONTROLS)


def text_of_html(source: str) -> str:
    """What a reader of the HTML sees, as plain text; quotations (blockquote) as lines that begin with “>”.

    Nothing is fetched or executed and no markup survives: what is not a tag is text. Takes any string.
    """
    return _Reader(source).read()


class _Reader:
    """Walks once through the source. Each search starts where the last one ended, so hostile input costs no more."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.depth = 0
        self.pieces: list[str] = []
        self.filled = False
        # How deep in quotations a paragraph ended above; -1 when none did since the last text.
        self.gap = -1

    def read(self) -> str:
        position = 0
        while position >= 0:
            opening = self.source.find("<", position)
            self._text(self.source[position : opening if opening >= 0 else len(self.source)])
            position = self._markup(opening) if opening >= 0 else -1
        return "".join(self.pieces)

    def _markup(self, opening: int) -> int:
        """Take what begins at ``opening``; return where it ends, or -1 when it never does."""
        if self.source.startswith("<!--", opening):
            end = self.source.find("-->", opening + 4)
            return end + 3 if end >= 0 else -1
        name = _TAG_NAME.match(self.source, opening + 1)
        if name is None and self.source[opening + 1 : opening + 2] not in ("!", "?"):
            self._text("<")
            return opening + 1
        closing = self._end_of_tag(opening)
        if closing < 0 or name is None:
            return closing
        return self._tag(name.group().lower(), closing)

    def _end_of_tag(self, opening: int) -> int:
        closing = self.source.find(">", opening)
        while 0 <= closing < opening + MAX_TAG_CHARS and self.source.count('"', opening, closing) % 2:
            further = self.source.find(">", closing + 1, opening + MAX_TAG_CHARS)
            if further < 0:
                break
            closing = further
        return closing + 1 if closing >= 0 else -1

    def _tag(self, name: str, end: int) -> int:
        if name in _UNSEEN:
            found = _CLOSING[name].search(self.source, end)
            return self._end_of_tag(found.start()) if found else -1
        bare = name.lstrip("/")
        if bare in _LINES:
            self._new_line()
        elif bare in _PARAGRAPHS:
            self._new_paragraph()
        elif name == "li":
            self._new_line()
            self._text("- ")
        elif name in ("td", "th") and self.filled:
            self.pieces.append(" ")
        if bare == "blockquote":
            self.depth = max(0, self.depth + (1 if name == bare else -1))
        return end

    def _text(self, piece: str) -> None:
        text = _BLANKS.sub(" ", html.unescape(_LONG_REFERENCE.sub("", piece)).replace("\n", " "))
        if not self.filled:
            text = text.lstrip()
            if not text:
                return
            margin = "> " if self.depth else ""
            if self.gap >= 0 and self.pieces:
                self.pieces.append(">\n" if min(self.gap, self.depth) else "\n")
            self.pieces.append(margin)
            self.filled, self.gap = True, -1
        self.pieces.append(text)

    def _new_line(self) -> None:
        if self.filled:
            self.pieces.append("\n")
            self.filled = False

    def _new_paragraph(self) -> None:
        self._new_line()
        self.gap = self.depth
