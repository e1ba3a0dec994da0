"""A family of engines: speech engines are one, AI engines another. What differs between them stands here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.utils.functional import Promise


@dataclass(frozen=True)
class Family:
    """``key`` names the family in the audit trail, ``namespace`` its routes, its circuits and the kind of its jobs.

    ``model``, ``test_model`` and ``price_model`` are labels (``app.Model``), ``types`` gives the registry, ``price_key`` names
    prices in the audit trail. ``common`` are the fields that
    the form has beside the settings of a type, ``context`` binds sealed secrets to the family. ``text_field`` of a test
    holds what the engine answered, ``text_label`` stands before it, ``job_setting`` of a job its engine,
    ``more_of_job`` the list of those that come after it.
    """

    key: str
    namespace: str
    model_label: str
    test_label: str
    price_label: str
    price_key: str
    types: Callable[[], Mapping[str, Any]]
    common: tuple[str, ...]
    context: bytes
    text_field: str
    text_label: str | Promise
    steps: Mapping[str, str | Promise]
    job_setting: str = "engine"
    more_of_job: str = "fallbacks"

    @property
    def model(self) -> Any:
        """The model of the engines."""
        return apps.get_model(self.model_label)

    @property
    def test_model(self) -> Any:
        """The model of their tests."""
        return apps.get_model(self.test_label)

    @property
    def price_model(self) -> Any:
        """The model of their prices."""
        return apps.get_model(self.price_label)

    @property
    def circuits(self) -> str:
        """With what the names of their circuits and slots begin."""
        return f"{self.namespace}:"

    def choices(self) -> list[tuple[str, str]]:
        """Key and label of each type."""
        return [(key, kind.label) for key, kind in self.types().items()]


def family_of(engine: Any) -> Family:
    """The family of a stored engine."""
    found: Family = engine.family
    return found
