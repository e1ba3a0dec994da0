"""Fields for the tests."""

from typing import Any

from customfields.definitions import clean_settings
from customfields.models import CustomField
from customfields.typed import Definition, FieldType

SCORE = {
    "min": "-100",
    "max": "100",
    "bands": [["-100", "Bad", "danger"], ["-20", "So-so", "muted"], ["20", "Good", "success"]],
}
CHOICES = {"choices": [["billing", "Billing"], ["delivery", "Delivery"], ["other", "Something else"]]}


def definition(kind: str, **settings: Any) -> Definition:
    """A field of this type that is called "Field"."""
    return Definition("Field", FieldType(kind), clean_settings(FieldType(kind), settings))


def made(
    key: str, kind: str = "text", *, tenant: Any = None, settings: dict[str, Any] | None = None, **more: Any
) -> CustomField:
    """A stored field."""
    stored = clean_settings(FieldType(kind), settings or {})
    return CustomField.objects.create(
        key=key, name=more.pop("name", key.replace("_", " ").title()), type=kind, tenant=tenant, settings=stored, **more
    )
