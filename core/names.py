"""Names that people give and read: what they may be made of, and by what two of them are the same."""

import unicodedata

from django.utils.translation import gettext as _

from core.errors import InvalidInput

# Control characters, line and paragraph separators, and halves of characters.
_BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Embedding, override and isolate controls turn the text around that follows them; marks (U+200E, U+200F) do not.
_TURNING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
_BLANK = frozenset({"Zs", "Cf"})
# Drawn as nothing, although Unicode calls them letters, marks or symbols.
_FILLERS = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0") | frozenset(map(chr, range(0xFE00, 0xFE10)))


def folded(text: str) -> str:
    """The form in which names are compared: case, width and the way a letter is put together do not count."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.strip()).casefold())


def name_problem(text: str) -> str:
    """The rule that a name breaks, as a sentence; empty when it breaks none. An empty name breaks none."""
    if any(unicodedata.category(sign) in _BREAKING for sign in text):
        return _("A name must not hold line breaks or control characters.")
    if not _TURNING.isdisjoint(text):
        return _("A name must not hold signs that turn the direction of the text.")
    if text and all(unicodedata.category(sign) in _BLANK or sign in _FILLERS for sign in text):
        return _("A name needs at least one sign that can be seen.")
    return ""


def demand_name(field: str, text: str) -> None:
    """Raise InvalidInput at ``field`` when ``text`` breaks a rule of names."""
    problem = name_problem(text)
    if problem:
        raise InvalidInput(field, problem)
