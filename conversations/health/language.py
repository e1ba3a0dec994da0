"""Whether a text is in the language that was expected. Pure functions, no Django."""

import re
from functools import cache
from typing import Any

# With fewer words or letters the guess is too often wrong.
LEAST_WORDS, LEAST_LETTERS = 40, 160
READ_CHARS = 4_000
# How sure the guess has to be; what the expected language and its relatives have left of the probability.
SURE, LEFT = 0.9, 0.05
NO_LANGUAGE = "zxx"

# Languages that are taken for each other: the difference says nothing about the transcript.
_NEAR = (
    {"no", "nb", "nn", "da", "sv"},
    {"hr", "bs", "sr", "sl"},
    {"cs", "sk"},
    {"id", "ms", "jv", "ace"},
    {"es", "pt", "gl", "ca", "an", "ext", "oc", "it", "vec", "lij"},
    {"fr", "wa", "oc", "gcf", "gcr", "ht"},
    {"en", "pcm"},
    {"ru", "uk", "be", "bg", "mk", "sr"},
    {"hi", "mr", "ne", "sa", "ur"},
    {"nl", "af", "fy"},
    {"de", "lb"},
    {"ar", "ary", "arz"},
    {"ur", "fa", "ps", "ug", "sdh"},
    {"ku", "sdh"},
    {"he", "hbo"},
    {"el", "grc"},
    {"zh", "ja", "yue", "wuu"},
    {"az", "tr", "crh", "tk", "uz"},
    {"tl", "bcl"},
    {"is", "fo"},
    {"fi", "et"},
    {"lv", "ltg"},
    {"zu", "xh", "nso", "st"},
)
# Older and other codes of the same language.
_SAME = {"iw": "he", "in": "id", "fil": "tl", "cmn": "zh", "nb": "no"}
_LETTERS = re.compile(r"[^\W\d_]")


def other_language(text: str, words: int, expected: str) -> str | None:
    """The language (ISO 639-1) that ``text`` is in when it surely is not the ``expected`` one (a BCP 47 tag), else None.

    None as well for few words, for close relatives, and for an expected language that cannot be told.
    """
    base = expected.replace("_", "-").partition("-")[0].casefold()
    base = _SAME.get(base, base)
    read = text[:READ_CHARS]
    if words < LEAST_WORDS or len(_LETTERS.findall(read)) < LEAST_LETTERS or base not in _identifier().labels:
        return None
    near = {base}.union(*(family for family in _NEAR if base in family))
    ranked: list[tuple[str, float]] = _identifier().rank(read.casefold())
    found, share = ranked[0]
    left = sum(chance for language, chance in ranked if language in near)
    return found if share >= SURE and left <= LEFT and found not in near | {NO_LANGUAGE} else None


@cache
def _identifier() -> Any:
    # Half a second and some 80 MB, so only for processes that judge transcripts.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
