"""The schema of an answer, inside the strict subset that providers accept (providers §3.2, §6.2)."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiassistant.engines.base import NAME, Output, OutputType

# The oldest caps of the vendor: five levels and a hundred properties.
MAX_PROPERTIES = 100
MAX_CHOICES = 200
EXPLANATION, EVIDENCE = "_explanation", "_evidence"
_TYPES = {
    OutputType.TEXT: "string",
    OutputType.LONG_TEXT: "string",
    OutputType.DATE: "string",
    OutputType.INTEGER: "integer",
    OutputType.NUMBER: "number",
    OutputType.SCORE: "number",
    OutputType.BOOLEAN: "boolean",
    OutputType.CHOICE: "string",
}


class SchemaRefused(ValueError):
    """Outputs from which no strict schema can be made; ``output`` is the name of the one at fault, or empty."""

    def __init__(self, output: str, message: str) -> None:
        super().__init__(message)
        self.output = output
        self.message = message


def strict_schema(outputs: Sequence[Output]) -> dict[str, Any]:
    """The schema to send: explanation and evidence come before the value, so that a model reasons before it answers.

    Bounds stand in descriptions only, because the subset has no keywords for them. Raises SchemaRefused.
    """
    properties: dict[str, Any] = {}
    for output in outputs:
        _check(output)
        if output.explanation:
            properties[output.name + EXPLANATION] = {"type": "string", "description": "Why, in one or two sentences."}
        if output.evidence:
            properties[output.name + EVIDENCE] = {
                "type": "array",
                "items": {"type": "string"},
                "description": "Exact quotes from the conversation, at most three.",
            }
        if output.name in properties:
            raise SchemaRefused(output.name, f"The output “{output.name}” stands there twice.")
        properties[output.name] = _property(output)
    if not properties:
        raise SchemaRefused("", "A task needs at least one output.")
    if len(properties) > MAX_PROPERTIES:
        raise SchemaRefused("", f"A task can have {MAX_PROPERTIES} properties, explanations and evidence included.")
    return _object(properties)


def full_schema(outputs: Sequence[Output]) -> dict[str, Any]:
    """The same with bounds and lengths, for checking an answer here. Raises SchemaRefused."""
    schema = strict_schema(outputs)
    for output in outputs:
        bounds = {"minimum": output.minimum, "maximum": output.maximum, "maxLength": output.max_length}
        kept = {name: value for name, value in bounds.items() if value is not None}
        schema["properties"][output.name].update(kept)
        if output.type == OutputType.DATE:
            schema["properties"][output.name]["format"] = "date"
        if output.type == OutputType.MULTI_CHOICE:
            schema["properties"][output.name]["uniqueItems"] = True
    return schema


def _check(output: Output) -> None:
    if not NAME.fullmatch(output.name):
        rule = "Use up to 40 small letters, digits and _; begin with a letter."
        raise SchemaRefused(output.name, f"“{output.name}” is no name of an output. {rule}")
    choosing = output.type in {OutputType.CHOICE, OutputType.MULTI_CHOICE}
    if choosing and not 1 <= len(set(output.choices)) == len(output.choices) <= MAX_CHOICES:
        raise SchemaRefused(output.name, f"“{output.name}” needs 1 to {MAX_CHOICES} different choices.")


def _property(output: Output) -> dict[str, Any]:
    found: dict[str, Any]
    if output.type == OutputType.MULTI_CHOICE:
        found = {"type": "array", "items": {"type": "string", "enum": list(output.choices)}}
    else:
        # A number that its field holds without a fraction is asked for as such.
        found = {"type": "integer" if _TYPES[output.type] == "number" and output.places == 0 else _TYPES[output.type]}
    if output.type == OutputType.CHOICE:
        found["enum"] = [*output.choices, *([None] if output.nullable else [])]
    if output.nullable:
        found["type"] = [found["type"], "null"]
    return {**found, "description": _description(output)}


def _description(output: Output) -> str:
    parts = [output.description]
    if output.minimum is not None or output.maximum is not None:
        low, high = (_shown(bound) for bound in (output.minimum, output.maximum))
        parts.append(f"From {low} to {high}." if low and high else f"At least {low}." if low else f"At most {high}.")
    if output.max_length is not None:
        parts.append(f"At most {output.max_length} characters.")
    if output.type == OutputType.DATE:
        parts.append("A date as YYYY-MM-DD.")
    if output.nullable:
        parts.append("null when the conversation does not say.")
    return " ".join(part for part in parts if part)


def _shown(bound: float | None) -> str:
    return "" if bound is None else f"{bound:g}"


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
