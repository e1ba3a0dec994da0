"""Looking at a page as a browser would: what in it could run, load or lead somewhere."""

from collections.abc import Iterator
from html.parser import HTMLParser

# Elements of our own pages that load or run something: only from our own addresses.
LOADING = {
    "script": "src",
    "link": "href",
    "img": "src",
    "audio": "src",
    "source": "src",
    "form": "action",
    "a": "href",
}
# What a conversation page has no business to contain.
FORBIDDEN = frozenset({"iframe", "object", "embed", "base", "style", "applet", "frame", "animate", "x-canary", "math"})


class Page(HTMLParser):
    """Collects what is active in a page; ``found`` names each."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.words: list[str] = []
        self._script = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Judge one element."""
        values = {name: value or "" for name, value in attrs}
        self._script = tag == "script" and "src" not in values and values.get("type") != "application/json"
        self.found += [f"{tag} {why}" for why in _active(tag, values)]

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        self._script = False

    def handle_data(self, data: str) -> None:
        """A text, or the inside of a script."""
        if self._script and data.strip():
            self.found.append("script inline")
        self.words.append(data)


def _active(tag: str, values: dict[str, str]) -> Iterator[str]:
    if tag in FORBIDDEN:
        yield "forbidden"
    yield from (name for name in values if name.startswith("on") or name in {"srcdoc", "style", "autofocus"})
    if tag == "meta" and "http-equiv" in values:
        yield "http-equiv"
    for name in {LOADING.get(tag, "href"), "href", "src", "action", "formaction", "xlink:href"} & set(values):
        address = "".join(values[name].split()).lower()
        if (
            address.startswith("//")
            or (not address.startswith(("/", "#", "?", "")) and address)
            or ":" in address.split("/", 1)[0].split("?", 1)[0].split("#", 1)[0]
        ):
            yield f"{name}={address[:40]}"
