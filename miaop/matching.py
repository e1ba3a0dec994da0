"""Which of the files sent is meant by which name (R4.5). Pure."""

import html
import unicodedata
from collections.abc import Callable, Sequence


class Mismatch(Exception):
    """No unambiguous match. ``missing`` are places of names without a file, ``left`` those of files without a name."""

    def __init__(self, missing: Sequence[int], left: Sequence[int]) -> None:
        super().__init__("The names and the files do not match.")
        self.missing, self.left = tuple(missing), tuple(left)


def plain_name(name: str) -> str:
    """A name as it is compared: without path, escapes of browsers and of HTML, composed, without spaces around."""
    last = name.replace("\\", "/").rpartition("/")[2]
    text = html.unescape(last)
    for escape, char in (("%22", '"'), ("%0D", ""), ("%0d", ""), ("%0A", ""), ("%0a", ""), ("\r", ""), ("\n", "")):
        text = text.replace(escape, char)
    return unicodedata.normalize("NFC", text).strip()


def match_files(names: Sequence[str], files: Sequence[str]) -> list[int]:
    """For each of ``names`` the place of its file in ``files``. Raises Mismatch.

    The first way that gives every name one file and every file one name counts: exactly, whatever the case, without
    extensions. The same name several times goes by the order. When no name at all is known, everything goes by the order.
    """
    asked, sent = [plain_name(name) for name in names], [plain_name(name) for name in files]
    ways: tuple[Callable[[str], str], ...] = (str, str.casefold, _bare)
    for way in ways:
        found = _one_to_one([way(name) for name in asked], [way(name) for name in sent])
        if found is not None:
            return found
    known = {_bare(name) for name in asked} & {_bare(name) for name in sent}
    if not known and len(asked) == len(sent):
        return list(range(len(asked)))
    raise _mismatch(asked, sent)


def _bare(name: str) -> str:
    stem, dot, _extension = name.rpartition(".")
    return (stem if dot and stem else name).casefold()


def _one_to_one(asked: Sequence[str], sent: Sequence[str]) -> list[int] | None:
    if sorted(asked) != sorted(sent):
        return None
    places: dict[str, list[int]] = {}
    for place, name in enumerate(sent):
        places.setdefault(name, []).append(place)
    # A way that is not the first must not make different names the same.
    queues = {name: iter(found) for name, found in places.items()}
    return [next(queues[name]) for name in asked]


def _mismatch(asked: Sequence[str], sent: Sequence[str]) -> Mismatch:
    left = [_bare(name) for name in sent]
    free = list(range(len(sent)))
    missing = []
    for place, name in enumerate(asked):
        same = next((other for other in free if left[other] == _bare(name)), None)
        if same is None:
            missing.append(place)
        else:
            free.remove(same)
    return Mismatch(missing, free)
