"""The subset of JSON Schema that strict answers allow, refused in the vendor's words."""

from typing import Any

MAX_DEPTH = 5
MAX_PROPERTIES = 100
_KNOWN = {"type", "properties", "required", "additionalProperties", "items", "enum", "description", "title", "const"}
_KNOWN |= {"anyOf", "$ref", "$defs"}
_TYPES = {"string", "number", "integer", "boolean", "object", "array", "null"}


class SchemaInvalid(ValueError):
    """The schema is outside the subset; the text is the vendor's without its beginning."""


def check(schema: Any) -> None:
    """Raises SchemaInvalid for the first thing that strict mode does not allow."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise SchemaInvalid("schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'.")
    found = _walk(schema, (), 1)
    if found > MAX_PROPERTIES:
        raise SchemaInvalid(f"Too many properties: {found}, the most is {MAX_PROPERTIES}.")


def _walk(node: Any, place: tuple[str, ...], depth: int) -> int:
    where = f"In context={place!r}, "
    if not isinstance(node, dict):
        raise SchemaInvalid(f"{where}schema must be an object.")
    if depth > MAX_DEPTH:
        raise SchemaInvalid(f"{where}the schema is nested deeper than {MAX_DEPTH} levels.")
    for keyword in node:
        if keyword not in _KNOWN:
            raise SchemaInvalid(f"{where}'{keyword}' is not permitted.")
    types = node.get("type", [])
    types = [types] if isinstance(types, str) else types
    if not types and not {"enum", "anyOf", "$ref", "const"} & set(node):
        raise SchemaInvalid(f"{where}schema must have a 'type' key.")
    if not set(types) <= _TYPES:
        raise SchemaInvalid(f"{where}{types!r} is not a valid type.")
    found = sum(_walk(option, (*place, "anyOf", str(at)), depth) for at, option in enumerate(node.get("anyOf", [])))
    if "object" in types:
        found += _object(node, place, depth, where)
    if "array" in types:
        if "items" not in node:
            raise SchemaInvalid(f"{where}array schema missing items.")
        found += _walk(node["items"], (*place, "items"), depth + 1)
    return found


def _object(node: dict[str, Any], place: tuple[str, ...], depth: int, where: str) -> int:
    if node.get("additionalProperties") is not False:
        raise SchemaInvalid(f"{where}'additionalProperties' is required to be supplied and to be false.")
    properties = node.get("properties", {})
    missing = [name for name in properties if name not in node.get("required", [])]
    if missing or "required" not in node:
        named = f" Missing '{missing[0]}'." if missing else ""
        rule = "'required' is required to be supplied and to be an array including every key in properties."
        raise SchemaInvalid(f"{where}{rule}{named}")
    foreign = [name for name in node["required"] if name not in properties]
    if foreign:
        raise SchemaInvalid(f"{where}Extra required key '{foreign[0]}' supplied.")
    return len(properties) + sum(_walk(value, (*place, name), depth + 1) for name, value in properties.items())
