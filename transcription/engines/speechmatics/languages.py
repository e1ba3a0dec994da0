"""Our language tags and the language codes of Speechmatics."""

# What the vendor's documentation lists for batch transcription; which of them a key may use is a matter of contract.
_LISTED = (
    "ar ba be bg bn ca cmn cs cy da de el en eo es et eu fa fi fr ga gl he hi hr hu ia id it ja ko lt lv mn mr ms mt "
    "nl no pl pt ro ru sk sl sv sw ta th tl tr ug uk ur vi yue"
)
CODES = frozenset(_LISTED.split())
# Where the vendor's code is another than ours: by the whole tag first, then by what stands before its first hyphen.
OTHERS = {"zh-hk": "yue", "zh-yue": "yue", "zh": "cmn", "nb": "no", "nn": "no", "fil": "tl", "iw": "he"}
# The service finds the language out.
AUTO = "auto"
LANGUAGES = CODES | {tag for tag in OTHERS if "-" not in tag}
# Spellings that can be asked for.
LOCALES = {tag.lower(): tag for tag in ("en-AU", "en-GB", "en-US")}
SCRIPTS = {"zh-cn": "cmn-Hans", "zh-sg": "cmn-Hans", "zh-hans": "cmn-Hans", "zh-tw": "cmn-Hant", "zh-hant": "cmn-Hant"}


def code_of(tag: str) -> str:
    """The vendor's code of a tag of ours, and ``auto`` of none; what it does not have is refused there by name."""
    whole = tag.lower()
    first = whole.partition("-")[0]
    return OTHERS.get(whole) or OTHERS.get(first) or first or AUTO


def locale_of(tag: str) -> str | None:
    """The spelling to ask for, or None where the language has one."""
    return (LOCALES | SCRIPTS).get(tag.lower())


def tag_of(code: str) -> str:
    """Our tag of a code or spelling of the vendor's: Mandarin is Chinese here."""
    first, hyphen, rest = code.partition("-")
    return f"zh{hyphen}{rest}" if first == "cmn" else code
